//! `bedrock-first-use-by-principal` and `reconnaissance-chain`: what a principal had not done in 30 UTC days; the former
//! in an account that is known for seven.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    super::{
        alert::{Expected, facts},
        event::{DAY, HOUR, Time},
    },
    Principal, Row, Satisfied, events_of,
};

const LOOKS: [&str; 18] = [
    "GetFoundationModelAvailability",
    "GetModelInvocationLoggingConfiguration",
    "GetUseCaseForModelAccess",
    "ListAgentActionGroups",
    "ListAgentAliases",
    "ListAgentKnowledgeBases",
    "ListAgentVersions",
    "ListAgents",
    "ListCustomModels",
    "ListDataSources",
    "ListFoundationModelAgreementOffers",
    "ListFoundationModels",
    "ListImportedModels",
    "ListInferenceProfiles",
    "ListIngestionJobs",
    "ListKnowledgeBases",
    "ListModelInvocationJobs",
    "ListProvisionedModelThroughputs",
];

/// The first event on Bedrock on a day, after 30 days without.
pub(super) fn first_use<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    if principal.name.starts_with("service:") {
        return Vec::new();
    }
    let mut firsts = firsts(principal, |row| on_bedrock(row).then_some(()));
    firsts.retain(|row| !principal.learning(row.time));
    principal.alerts("bedrock-first-use-by-principal", satisfied(&firsts, "low"), |day, _| {
        let of_day: Vec<&Row<'_>> = firsts.iter().copied().filter(|row| row.time.div_euclid(DAY) == day).collect();
        (events_of(&of_day), json!({"operations": names(&of_day)}))
    })
}

/// At least four looks within less than an hour, each the first of its kind.
pub(super) fn reconnaissance<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let is_look = |row: &Row<'_>| on_bedrock(row) && LOOKS.contains(&row.call.name.as_str());
    let looks = firsts(principal, |row| is_look(row).then_some(row.call.name.as_str()));
    // A window ends with a look and holds those of its hour that are not after it.
    let window = |end: &Row<'a>| -> Vec<&Row<'a>> {
        let within = |row: &&Row<'a>| row.time > end.time - HOUR && row.event.order <= end.event.order;
        looks.iter().copied().filter(within).collect()
    };
    let ends: Vec<&Row<'a>> = looks.iter().copied().filter(|end| window(end).len() >= 4).collect();
    principal.alerts("reconnaissance-chain", satisfied(&ends, "medium"), |day, _| {
        let of_day = ends.iter().filter(|end| end.time.div_euclid(DAY) == day);
        let mut rests_on: Vec<&Row<'a>> = of_day.flat_map(|end| window(end)).collect();
        rests_on.sort_by(|a, b| a.event.order.cmp(&b.event.order));
        rests_on.dedup_by(|a, b| a.event.order == b.event.order);
        // Null is said of a fact that is not there.
        let learning = rests_on.first().filter(|first| principal.learning(first.time)).map(|_| true);
        let found = json!({"operations": names(&rests_on), "learning": learning});
        (events_of(&rests_on), found)
    })
}

fn on_bedrock(row: &Row<'_>) -> bool {
    row.call.source.starts_with("bedrock")
}

/// The rows with whose `key` nothing was done earlier that day, nor on the 30 days before.
fn firsts<'p, 'a, K: PartialEq>(
    principal: &'p Principal<'a>,
    key: impl Fn(&'p Row<'a>) -> Option<K>,
) -> Vec<&'p Row<'a>> {
    let day = |row: &Row<'_>| row.time.div_euclid(DAY);
    let is_first = |row: &&'p Row<'a>| {
        let Some(own) = key(row) else { return false };
        let remembered = |other: &&'p Row<'a>| {
            day(other) >= day(row) - 30 && other.event.order < row.event.order && key(other).as_ref() == Some(&own)
        };
        !principal.own.iter().any(|other| remembered(&other))
    };
    principal.own.iter().filter(is_first).collect()
}

fn satisfied(rows: &[&Row<'_>], severity: &'static str) -> Vec<Satisfied> {
    let seconds: BTreeSet<Time> = rows.iter().map(|row| row.time).collect();
    seconds.into_iter().map(|at| Satisfied { at, severity, facts: facts(json!({})) }).collect()
}

fn names<'a>(rows: &[&Row<'a>]) -> BTreeSet<&'a str> {
    rows.iter().map(|row| row.call.name.as_str()).collect()
}
