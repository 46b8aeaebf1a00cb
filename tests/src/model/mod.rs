//! The naive model: an executable reading of what rules and alerts mean, to test the engine against.
//!
//! It is given the whole history at once, in any order, and computes by brute force which alerts of the flagship rules
//! stand at the end of a replay. It shares no code with the engine's world, windows or alerts: where both agree on a
//! random history, two separate readings of the same sentences agree. Deliberately no limits, no lateness (a history
//! with late records lies outside the order guarantee), no speed.

mod alert;
mod compare;
mod dependencies;
mod event;
mod groups;
mod import_jobs;
mod inference;
mod job_rules;
mod jobs;
mod json;
mod logging;
mod logging_rules;
mod principals;

use serde_json::Value;

pub use self::compare::{Difference, differences};

/// The rules the model knows: the flagship rules, two over first times, and one about what else stands on
/// something.
pub const FLAGSHIP_RULES: [&str; 17] = [
    "bedrock-first-use-by-principal",
    "customization-job-dependency-lost",
    "customization-job-security-group-delete-refused",
    "customization-job-security-group-deleted",
    "customization-job-security-group-emptied",
    "customization-job-security-group-missing",
    "import-job-dependency-lost",
    "invocation-burst",
    "invocation-logging-destination-lost",
    "invocation-logging-disabled",
    "invocation-logging-weakened",
    "invocation-model-fanout",
    "invocation-probing",
    "invocation-region-fanout",
    "model-access-api-with-long-term-key",
    "model-access-enabled-then-used",
    "reconnaissance-chain",
];

/// The alerts that stand after `records` were replayed: withdrawn ones omitted, in no particular order.
///
/// Each has the fields of an alert that the model decides: rule, account, region, subject, status,
/// severity, the event times, ids and count, principal, and under `facts` those facts it knows of.
#[must_use]
pub fn final_alerts(records: &[Value]) -> Vec<Value> {
    let events = event::in_judging_order(records);
    let mut alerts = job_rules::alerts(&events);
    alerts.extend(import_jobs::alerts(&events, records));
    alerts.extend(logging_rules::alerts(&events));
    alerts.extend(principals::alerts(&events));
    alerts.iter().map(alert::Expected::to_json).collect()
}

#[cfg(test)]
mod tests;
