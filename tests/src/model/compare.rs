//! Whether the engine's alerts are those of the model.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FLAGSHIP_RULES, json::text};

/// Facts for which the contract allows an approximation, with the relative error it allows.
const APPROXIMATE: [(&str, f64); 1] = [("baseline_60s", 0.1)];

/// What differs between the model's alerts and the engine's (as JSON), one readable entry an alert; empty if nothing.
///
/// Alerts of other rules, and fields and facts that the model does not decide, are not looked at.
#[must_use]
pub fn differences(expected: &[Value], engine: &[Value]) -> Vec<String> {
    let flagship =
        engine.iter().filter(|alert| text(alert, "/rule").is_some_and(|rule| FLAGSHIP_RULES.contains(&rule)));
    let mut pairs: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for alert in expected {
        pairs.entry(identity(alert)).or_default().0.push(alert);
    }
    for alert in flagship {
        pairs.entry(identity(alert)).or_default().1.push(alert);
    }
    let mut differences = Vec::new();
    for (key, (expected, found)) in pairs {
        match (expected.as_slice(), found.as_slice()) {
            ([expected], [found]) => {
                let fields = differing(expected, found);
                if !fields.is_empty() {
                    let fields = fields.join("\n    ");
                    differences.push(format!("{key}\n    {fields}\n  model: {expected}\n  engine: {found}"));
                }
            }
            (expected, found) => {
                let all = |alerts: &[&Value]| alerts.iter().map(|alert| format!("{alert}\n")).collect::<String>();
                differences.push(format!(
                    "{key}\n  the model has {} such alerts, the engine {}\n  model: {}\n  engine: {}",
                    expected.len(),
                    found.len(),
                    all(expected),
                    all(found)
                ));
            }
        }
    }
    differences
}

/// What makes two alerts the same one; a principal's alerts of several days differ in their first event.
fn identity(alert: &Value) -> String {
    let part = |pointer: &str| text(alert, pointer).unwrap_or("-").to_owned();
    let place = if part("/subject/kind") == "principal" { part("/first_event_time") } else { part("/region") };
    format!("{} {} {place} {}", part("/rule"), part("/account"), part("/subject/id"))
}

fn differing(expected: &Value, found: &Value) -> Vec<String> {
    let mut differing = Vec::new();
    let Value::Object(fields) = expected else { return differing };
    for (name, value) in fields.iter().filter(|(name, _)| *name != "facts") {
        let other = found.get(name).unwrap_or(&Value::Null);
        if value != other {
            differing.push(format!("{name}: model {value}, engine {other}"));
        }
    }
    let facts = fields.get("facts").and_then(Value::as_object);
    for (name, value) in facts.into_iter().flatten() {
        let other = found.get("facts").and_then(|facts| facts.get(name)).unwrap_or(&Value::Null);
        if !same_fact(name, value, other) {
            differing.push(format!("facts.{name}: model {value}, engine {other}"));
        }
    }
    differing
}

fn same_fact(name: &str, expected: &Value, found: &Value) -> bool {
    let allowed = APPROXIMATE.iter().find(|(approximate, _)| *approximate == name).map(|(_, error)| *error);
    match (allowed, expected.as_f64(), found.as_f64()) {
        (Some(error), Some(expected), Some(found)) => (expected - found).abs() <= expected * error,
        _ => expected == found,
    }
}
