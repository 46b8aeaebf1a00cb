//! The way of events to the service, in the parts that somebody can stop, change or delete: what the daemon looks at
//! while it runs.
//!
//! Deliberately fewer links than `doctor` checks: those without which nothing arrives.

use std::collections::BTreeSet;

use super::{Finding, coverage};
use crate::doctor::{
    facts::{Covered, Rule},
    finding::Level,
};

/// The link of a target that is gone or changes events.
const TARGET: &str = "way-target";

/// Each part by name, and how it is; `place` has the rules that lead to `entries`, the streams and queues that are read.
#[must_use]
pub fn way(place: &Covered, entries: &BTreeSet<String>) -> [(&'static str, Finding); 3] {
    let [trail, rule] = coverage(place);
    let (target, whole) = target(place, entries);
    // What a rule would forward says nothing while it leads nowhere, and that is said of its target.
    let rule = if whole { rule } else { Finding::not_checked(rule.link, rule.subject, "a target is missing") };
    [("trail", trail), ("rule", rule), ("target", target)]
}

/// Whether rules lead to every entry and deliver events as they are; and whether they lead to every entry.
fn target(place: &Covered, entries: &BTreeSet<String>) -> (Finding, bool) {
    let subject = format!("{} {}", place.account, place.region);
    let rules = match &place.rules {
        Ok(rules) => rules,
        Err(error) => return (Finding::not_asked(TARGET, subject, error), false),
    };
    let leads = |rule: &Rule, entry: &String| rule.targets.iter().any(|target| target.arn == *entry);
    let left = entries.iter().filter(|entry| !rules.iter().any(|rule| leads(rule, entry)));
    let left: Vec<&str> = left.map(String::as_str).collect();
    if !left.is_empty() {
        let what = format!("no rule on the default event bus leads to {}", left.join(", "));
        return (Finding::broken(TARGET, subject, Level::High, what), false);
    }
    let transforming = rules.iter().filter(|rule| rule.targets.iter().any(|target| target.transforms));
    let transforming: Vec<&str> = transforming.map(|rule| rule.name.as_str()).collect();
    if !transforming.is_empty() {
        let what = format!("targets of {} change events on their way", transforming.join(", "));
        return (Finding::broken(TARGET, subject, Level::High, what), true);
    }
    (Finding::fine(TARGET, subject, "rules lead to every stream and queue"), true)
}
