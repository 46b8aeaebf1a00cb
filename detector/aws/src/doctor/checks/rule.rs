//! The rules that forward events, and the state they must be in.

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    facts::{Entry, Rule},
    finding::Level,
    samples::{SAMPLES, Sample},
    verdict::matched,
};

/// The state in which a rule sees management events that read.
pub(super) const ALL: &str = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";

/// For every entry there is a rule that leads to it.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "rule";
    if facts.entries.is_empty() {
        let why =
            "the configuration names no source that EventBridge could fill: add a [[source]] of kind kinesis or sqs";
        return vec![Finding::not_checked(LINK, "", why)];
    }
    let rules = match &facts.rules {
        Ok(rules) => rules,
        Err(error) => return vec![Finding::not_asked(LINK, "", error)],
    };
    let leading = |arn: &str| rules.iter().filter(|rule| rule.targets.iter().any(|target| target.arn == arn)).count();
    let mut findings = Vec::new();
    for entry in &facts.entries {
        let (name, arn) = match entry {
            Entry::LogFiles { .. } | Entry::Http => continue,
            Entry::Stream { name, .. } => (name, entry.arn()),
            Entry::Queue { url, .. } => (url, entry.arn()),
        };
        // What is not there has a finding of its own.
        let Some(arn) = arn else { continue };
        findings.push(match leading(arn) {
            0 => Finding::broken(LINK, name, Level::High, "no rule on the default event bus leads here").mended_by(
                "Make the rule, then its target with events put-targets",
                put_rule(facts, "bedrock-watch-activity"),
            ),
            count => Finding::fine(LINK, name, format!("{count} rule(s) of the default event bus lead here")),
        });
    }
    findings
}

/// The command that makes a rule, or mends its state.
fn put_rule(facts: &Facts, name: &str) -> String {
    let pattern = r#"{"source":["aws.bedrock"]}"#;
    aws("events put-rule", &facts.region, &[("--name", name), ("--event-pattern", pattern), ("--state", ALL)])
}

/// No rule is switched off, and those that match reading calls are in the state that sees them.
pub(super) fn state(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "rule-state";
    let Ok(rules) = &facts.rules else { return Vec::new() };
    let mut findings = Vec::new();
    for rule in rules {
        let options = |state: &'static str| {
            aws(
                "events put-rule",
                &facts.region,
                &[("--name", &rule.name), ("--event-pattern", &rule.pattern), ("--state", state)],
            )
        };
        let wants_reads = || SAMPLES.iter().any(|sample| sample.read_only && sees(facts, rule, sample));
        findings.push(match rule.state.as_str() {
            ALL => Finding::fine(LINK, &rule.name, ALL),
            "ENABLED" if wants_reads() => Finding::broken(
                LINK,
                &rule.name,
                Level::High,
                "the rule is ENABLED, which leaves out management events that read: InvokeModel is never seen",
            )
            .mended_by("Let it see them", options(ALL)),
            "ENABLED" => Finding::fine(LINK, &rule.name, "ENABLED, and it matches no events that read"),
            other => {
                Finding::broken(LINK, &rule.name, Level::High, format!("the rule is {other}: it forwards nothing"))
                    .mended_by("Enable it, and find out who disabled it", options(ALL))
            }
        });
    }
    findings
}

fn sees(facts: &Facts, rule: &Rule, sample: &Sample) -> bool {
    matched(rule, sample, account(facts), &facts.region) == Some(true)
}
