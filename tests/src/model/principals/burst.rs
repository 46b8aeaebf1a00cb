//! `invocation-burst`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{
        alert::{Expected, facts, rfc3339},
        event::{DAY, Time},
    },
    Principal, Row, Satisfied,
    baseline::baseline,
    distinct, events_of,
};

const FLOOR: usize = 100;
const FACTOR: usize = 5;

pub(super) fn alerts<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let seconds = principal.seconds(|row| row.invocation);
    let peaks: BTreeMap<Time, usize> =
        seconds.iter().map(|&s| (s, principal.window(s, 60, |row| row.invocation).len())).collect();
    let satisfied = peaks
        .iter()
        .filter(|&(&s, &count)| {
            count >= FLOOR && baseline(principal, s).is_none_or(|baseline| count >= FACTOR * baseline)
        })
        .map(|(&at, _)| Satisfied {
            at,
            severity: "high",
            facts: facts(json!({"burst_started": rfc3339(at), "learning": principal.learning(at)})),
        })
        .collect();
    principal.alerts("invocation-burst", satisfied, |day, _| {
        let of_day = peaks.range(day * DAY..(day + 1) * DAY);
        let peak = of_day.max_by_key(|&(&s, &count)| (count, -s)).map_or((0, 0), |(&s, &count)| (s, count));
        let calls = principal.day(day, |row| row.invocation);
        (events_of(&calls), day_facts(principal, peak, &calls))
    })
}

fn day_facts(principal: &Principal<'_>, (peak_at, peak): (Time, usize), calls: &[&Row<'_>]) -> Value {
    let texts = |pointer: &'static str| distinct(calls.iter().map(|row| row.text(pointer)));
    json!({
        "peak_60s": peak,
        "total": calls.len(),
        "baseline_60s": baseline(principal, peak_at),
        "models": distinct(calls.iter().map(|row| row.model.as_ref())),
        "regions": distinct(calls.iter().map(|row| Some(row.region))),
        "failed": calls.iter().filter(|row| row.call.error.is_some()).count(),
        "sessions": distinct(calls.iter().map(|row| session(row))),
        "access_keys": texts("/userIdentity/accessKeyId"),
        "source_ips": texts("/sourceIPAddress"),
        "user_agents": texts("/userAgent"),
    })
}

fn session<'a>(row: &Row<'a>) -> Option<&'a str> {
    let id = row.text("/userIdentity/principalId").filter(|_| row.text("/userIdentity/type") == Some("AssumedRole"));
    id.and_then(|id| id.split_once(':')).map(|(_, session)| session)
}
