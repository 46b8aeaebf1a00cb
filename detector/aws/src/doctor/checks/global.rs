//! Global services: IAM's events arrive on the bus of us-east-1, and must be forwarded from there.

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    finding::Level,
    samples::{SAMPLES, Sample},
    verdict::matched,
};

const LINK: &str = "rule-global";

/// A rule of us-east-1 forwards IAM's events to this region's bus.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(rules) = &facts.global_rules else { return Vec::new() };
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return vec![Finding::not_asked(LINK, "us-east-1", error)],
    };
    let global: Vec<&Sample> = SAMPLES.iter().filter(|sample| sample.global).collect();
    let forwarded = |sample: &&Sample| {
        let enabled = rules.iter().filter(|rule| rule.state.starts_with("ENABLED"));
        enabled.filter_map(|rule| matched(rule, sample, account(facts), "us-east-1")).any(|matched| matched)
    };
    if global.iter().all(forwarded) {
        return vec![Finding::fine(LINK, "us-east-1", "IAM's events are forwarded to this region")];
    }
    let bus = format!("arn:aws:events:{}:{}:event-bus/default", facts.region, account(facts));
    let target = format!("Id=bedrock-watch,Arn={bus},RoleArn=YOUR-FORWARDING-ROLE");
    let name = ("--name", "bedrock-watch-global");
    vec![
        Finding::broken(
            LINK,
            "us-east-1",
            Level::Medium,
            "no rule of us-east-1 forwards IAM's events to this region: a deleted job role is not seen",
        )
        .mended_by(
            "Forward them",
            format!(
                "{}\n{}",
                aws("events put-rule", "us-east-1", &[name, ("--event-pattern", r#"{"source":["aws.iam"]}"#)]),
                aws("events put-targets", "us-east-1", &[("--rule", "bedrock-watch-global"), ("--targets", &target)])
            ),
        ),
    ]
}
