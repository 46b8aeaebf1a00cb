//! `model-access-api-with-long-term-key` and `model-access-enabled-then-used`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    super::{
        alert::{Expected, facts, rfc3339},
        event::{DAY, HOUR, Time},
    },
    Principal, Row, Satisfied, events_of,
};

const READS: [&str; 3] =
    ["GetFoundationModelAvailability", "GetUseCaseForModelAccess", "ListFoundationModelAgreementOffers"];
const CHANGES: [&str; 3] =
    ["PutUseCaseForModelAccess", "CreateFoundationModelAgreement", "PutFoundationModelEntitlement"];

/// "A model-access API ... called with a long-term access key or a Bedrock API key; failed calls count."
pub(super) fn with_long_term_key<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let named = |row: &Row<'_>, names: &[&str]| names.contains(&row.call.name.as_str());
    let matches = |row: &Row<'_>| {
        let access = named(row, &READS) || named(row, &CHANGES);
        access && row.call.long_lived && row.call.source == "bedrock.amazonaws.com"
    };
    let satisfied = principal
        .own
        .iter()
        .filter(|row| matches(row))
        .map(|row| Satisfied {
            at: row.time,
            severity: if named(row, &CHANGES) { "high" } else { "low" },
            facts: facts(json!({})),
        })
        .collect();
    principal.alerts("model-access-api-with-long-term-key", satisfied, |day, _| {
        let calls = principal.day(day, matches);
        let operations: BTreeSet<&str> = calls.iter().map(|row| row.call.name.as_str()).collect();
        (events_of(&calls), json!({"operations": operations}))
    })
}

/// "One principal enables a model at t ... and makes a successful inference call in [t, t+3600), having made none in
/// the 30 days before t."
pub(super) fn enabled_then_used<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let successes = principal.seconds(|row| row.success);
    let qualifies = |row: &Row<'_>| row.enables && successes.range(row.time - 30 * DAY..row.time).next().is_none();
    let completed: BTreeSet<Time> = principal
        .own
        .iter()
        .filter(|row| qualifies(row))
        .filter_map(|row| successes.range(row.time..row.time + HOUR).next().copied())
        .collect();
    let satisfied = completed
        .into_iter()
        .map(|at| Satisfied { at, severity: "high", facts: facts(json!({"learning": principal.learning(at)})) })
        .collect();
    principal.alerts("model-access-enabled-then-used", satisfied, |day, first| {
        let enabling = principal.window(first.at, HOUR, qualifies);
        let used = principal.day(day, |row| row.success);
        let enabled_at = enabling.first().map(|row| rfc3339(row.time));
        let mut rests_on: Vec<_> = enabling.into_iter().chain(used).collect();
        rests_on.sort_by(|a, b| a.event.order.cmp(&b.event.order));
        (events_of(&rests_on), json!({"enabled_at": enabled_at, "first_used_at": rfc3339(first.at)}))
    })
}
