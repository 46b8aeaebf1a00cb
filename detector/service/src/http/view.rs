//! The JSON of what the engine knows, for `/v1/state`.

use bedrock_watch_engine::{
    ACTIVITY_MINUTES, DependencySummary, DependentSummary, LoggingSummary, PrincipalActivity, Second, Summary,
};
use serde_json::{Map, Value, json};

/// Accounts in an answer.
const ACCOUNTS_MAX: usize = 1_000;

/// The fields of `/v1/state` that the engine fills.
pub(super) fn fields(known: &Summary) -> Map<String, Value> {
    let accounts = known.accounts.iter().take(ACCOUNTS_MAX).map(|account| {
        json!({
            "account": account.account,
            "newest_event_time": account.watermark.to_rfc3339(),
            "principals": account.principals,
        })
    });
    let pairs = [
        ("accounts", accounts.collect()),
        (
            "dependents",
            json!({
                "total": known.dependents_total,
                "list": known.dependents.iter().map(dependent).collect::<Vec<_>>(),
            }),
        ),
        ("dependencies", known.dependencies.iter().map(dependency).collect()),
        (
            "activity",
            json!({
                "from": known.activity_from.to_rfc3339(),
                "minutes": ACTIVITY_MINUTES,
                "principals_total": known.principals_total,
                "principals": known.principals.iter().map(activity).collect::<Vec<_>>(),
            }),
        ),
        ("logging", known.logging.iter().map(logging).collect()),
    ];
    pairs.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect()
}

fn dependent(one: &DependentSummary) -> Value {
    json!({
        "kind": one.kind,
        "id": one.id,
        "name": one.name,
        "account": one.account,
        "region": one.region,
        "status": one.status,
        "live": one.live,
        "broken": one.broken,
        "started": one.started.map(Second::to_rfc3339),
        "ended": one.ended.map(Second::to_rfc3339),
        "stands_on": one.stands_on,
    })
}

fn dependency(one: &DependencySummary) -> Value {
    let state = match one.losses.iter().map(|loss| loss.exposed).min() {
        None => "whole",
        Some(true) => "exposed",
        Some(false) => "broken",
    };
    let losses = one.losses.iter().map(|loss| json!({ "what": loss.what, "at": loss.at.to_rfc3339(), "by": loss.by }));
    json!({
        "key": one.key,
        "kind": one.kind,
        "id": one.id,
        "account": one.account,
        "state": state,
        "losses": losses.collect::<Vec<_>>(),
    })
}

fn activity(one: &PrincipalActivity) -> Value {
    json!({
        "principal": one.principal,
        "account": one.account,
        "calls": one.calls,
        "total": one.total,
        "baseline_60s": one.baseline_60s,
        "bursts": one.bursts,
    })
}

fn logging(place: &LoggingSummary) -> Value {
    let destinations = place.destinations.iter().map(|(kind, name)| json!({ "kind": kind, "name": name }));
    json!({
        "account": place.account,
        "region": place.region,
        "posture": place.posture.as_str(),
        "since": place.since.map(Second::to_rfc3339),
        "delivers": place.delivers,
        "destinations": destinations.collect::<Vec<_>>(),
    })
}
