//! What the rules match: every kind of event that the service lives on must be matched by one of them.

use std::collections::BTreeSet;

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    finding::Level,
    partition,
    samples::{SAMPLES, Sample},
    verdict::matched,
};

const LINK: &str = "rule-pattern";

/// Every sample is matched by a rule that leads to an entry. Global ones arrive in us-east-1 only.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Ok(rules) = &facts.rules else { return Vec::new() };
    // Without any rule there is one finding already.
    if rules.is_empty() {
        return Vec::new();
    }
    let expected =
        SAMPLES.iter().filter(|sample| !sample.global || facts.region == partition::global_region(&facts.region));
    let (mut missed, mut unknown): (Vec<&Sample>, Vec<&Sample>) = (Vec::new(), Vec::new());
    for sample in expected {
        let answers: Vec<Option<bool>> =
            rules.iter().map(|rule| matched(rule, sample, account(facts), &facts.region)).collect();
        if answers.contains(&Some(true)) {
            continue;
        }
        if answers.contains(&None) { unknown.push(sample) } else { missed.push(sample) }
    }
    let mut findings = Vec::new();
    if !missed.is_empty() {
        let what = format!("no rule matches {}: these never arrive", names(&missed));
        findings.push(Finding::broken(LINK, "", Level::High, what).mended_by(
            "Forward their sources by a rule of its own, and give it the target of the others",
            forward(facts, &missed),
        ));
    }
    if !unknown.is_empty() {
        let why = format!(
            "the patterns use an operator that is not known here, and events:TestEventPattern did not answer for {}",
            names(&unknown)
        );
        findings.push(Finding::not_checked(LINK, "", why));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(LINK, "", "every kind of event that is needed is matched"));
    }
    findings
}

/// A rule that forwards what changes something in the services of `missed`, and what reads only where that is needed.
fn forward(facts: &Facts, missed: &[&Sample]) -> String {
    let sources: BTreeSet<&str> = missed.iter().map(|sample| sample.source).collect();
    let state = if missed.iter().any(|sample| sample.read_only) { super::rule::ALL } else { "ENABLED" };
    let pattern = serde_json::json!({ "source": sources }).to_string();
    let options = [("--name", "bedrock-watch-state"), ("--event-pattern", pattern.as_str()), ("--state", state)];
    aws("events put-rule", &facts.region, &options)
}

fn names(samples: &[&Sample]) -> String {
    samples.iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ")
}
