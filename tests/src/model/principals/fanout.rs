//! `invocation-model-fanout` and `invocation-region-fanout`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    super::{
        alert::{Expected, facts},
        event::{DAY, HOUR, Time},
    },
    Principal, Row, Satisfied, events_of,
};

const HISTORY: Time = 30 * DAY;

/// "at least 5 distinct models within 10 minutes, at least 2 of which nobody in the account had called in the 30 days
/// before the first second of those 10 minutes."
pub(super) fn models<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let satisfied = satisfied(principal, 600, &principal.of_account, |row| row.model.clone(), 5, 2, "models");
    alerts(principal, "invocation-model-fanout", satisfied)
}

/// "in at least 3 regions (`awsRegion`) within 60 minutes, at least one of them a region it had not called from in the
/// 30 days before the first second of those 60 minutes."
pub(super) fn regions<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let satisfied = satisfied(principal, HOUR, &principal.own, |row| Some(row.region.to_owned()), 3, 1, "regions");
    alerts(principal, "invocation-region-fanout", satisfied)
}

#[expect(clippy::too_many_arguments, reason = "the two rules differ in exactly these")]
fn satisfied(
    principal: &Principal<'_>,
    window: Time,
    history: &[Row<'_>],
    value: impl Fn(&Row<'_>) -> Option<String>,
    distinct_min: usize,
    new_min: usize,
    what: &str,
) -> Vec<Satisfied> {
    let mut satisfied = Vec::new();
    for at in principal.seconds(|row| row.inference) {
        let first_second = at - window + 1;
        let called: BTreeSet<String> =
            principal.window(at, window, |row| row.inference).into_iter().filter_map(&value).collect();
        if called.len() < distinct_min {
            continue;
        }
        let before = |row: &&Row<'_>| row.inference && (first_second - HISTORY..first_second).contains(&row.time);
        let known: BTreeSet<String> = history.iter().filter(before).filter_map(&value).collect();
        let new: Vec<&String> = called.difference(&known).collect();
        if new.len() >= new_min {
            let new_name = format!("new_{what}");
            let found = json!({what: called, new_name: new, "learning": principal.learning(at)});
            satisfied.push(Satisfied { at, severity: "high", facts: facts(found) });
        }
    }
    satisfied
}

fn alerts<'a>(principal: &Principal<'a>, rule: &'static str, satisfied: Vec<Satisfied>) -> Vec<Expected<'a>> {
    principal.alerts(rule, satisfied, |day, _| (events_of(&principal.day(day, |row| row.inference)), json!({})))
}
