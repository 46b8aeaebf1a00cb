//! `invocation-probing`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    super::{
        alert::{Expected, facts},
        event::HOUR,
    },
    Principal, Satisfied, distinct, events_of,
};

pub(super) fn alerts<'a>(principal: &Principal<'a>) -> Vec<Expected<'a>> {
    let mut satisfied = Vec::new();
    for at in principal.seconds(|row| row.refused) {
        let refused = principal.window(at, 600, |row| row.refused);
        let models = distinct(refused.iter().map(|row| row.model.as_ref()));
        let regions = distinct(refused.iter().map(|row| Some(row.region)));
        let spread = refused.len() >= 3 && (models >= 2 || regions >= 2);
        let probes = !principal.window(at, 1, |row| row.limit_probe).is_empty();
        let unproven = principal.between(at - HOUR, at, |row| row.success).is_empty();
        if spread || (probes && unproven) {
            let severity = if refused.iter().any(|row| row.call.long_lived) { "high" } else { "medium" };
            satisfied.push(Satisfied { at, severity, facts: facts(json!({})) });
        }
    }
    principal.alerts("invocation-probing", satisfied, |day, _| {
        let calls = principal.day(day, |row| row.refused);
        let models: BTreeSet<&String> = calls.iter().filter_map(|row| row.model.as_ref()).collect();
        let regions: BTreeSet<&str> = calls.iter().map(|row| row.region).collect();
        let error_codes: BTreeSet<&String> = calls.iter().filter_map(|row| row.call.error.as_ref()).collect();
        let found = json!({"refusals": calls.len(), "models": models, "regions": regions, "error_codes": error_codes});
        (events_of(&calls), found)
    })
}
