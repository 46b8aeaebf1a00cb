//! Global services: IAM's events arrive on the bus of one region (us-east-1), and must be forwarded from there.

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    finding::Level,
    partition,
    samples::{SAMPLES, Sample},
    verdict::matched,
};

const LINK: &str = "rule-global";

/// A rule of that region forwards IAM's events to this region's bus.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(rules) = &facts.global_rules else { return Vec::new() };
    let there = partition::global_region(&facts.region);
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return vec![Finding::not_asked(LINK, there, error)],
    };
    let global: Vec<&Sample> = SAMPLES.iter().filter(|sample| sample.global).collect();
    let forwarded = |sample: &&Sample| {
        let enabled = rules.iter().filter(|rule| rule.state.starts_with("ENABLED"));
        enabled.filter_map(|rule| matched(rule, sample, account(facts), there)).any(|matched| matched)
    };
    if global.iter().all(forwarded) {
        return vec![Finding::fine(LINK, there, "IAM's events are forwarded to this region")];
    }
    let bus =
        format!("arn:{}:events:{}:{}:event-bus/default", partition::name(&facts.region), facts.region, account(facts));
    let target = format!("Id=bedrock-watch,Arn={bus},RoleArn=YOUR-FORWARDING-ROLE");
    let name = ("--name", "bedrock-watch-global");
    vec![
        Finding::broken(
            LINK,
            there,
            Level::Medium,
            format!("no rule of {there} forwards IAM's events to this region: a deleted job role is not seen"),
        )
        .mended_by(
            "Forward them",
            format!(
                "{}\n{}",
                aws("events put-rule", there, &[name, ("--event-pattern", r#"{"source":["aws.iam"]}"#)]),
                aws("events put-targets", there, &[("--rule", "bedrock-watch-global"), ("--targets", &target)])
            ),
        ),
    ]
}
