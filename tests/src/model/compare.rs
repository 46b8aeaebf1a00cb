//! Whether the engine's alerts are those of the model.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FLAGSHIP_RULES, json::text};

/// Facts that may be approximated, with the relative error allowed.
const APPROXIMATE: [(&str, f64); 1] = [("baseline_60s", 0.1)];

/// One alert on which the model and the engine differ.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The rule and the fields that differ; histories with the same fault have it in common.
    pub fault: String,
    /// The alert as both sides have it.
    pub report: String,
}

/// What differs between the model's alerts and the engine's (as JSON).
///
/// Alerts of other rules, and fields and facts that the model does not decide, are not looked at.
#[must_use]
pub fn differences(expected: &[Value], engine: &[Value]) -> Vec<Difference> {
    let flagship =
        engine.iter().filter(|alert| text(alert, "/rule").is_some_and(|rule| FLAGSHIP_RULES.contains(&rule)));
    let mut pairs: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for alert in expected {
        pairs.entry(identity(alert)).or_default().0.push(alert);
    }
    for alert in flagship {
        pairs.entry(identity(alert)).or_default().1.push(alert);
    }
    pairs.into_iter().filter_map(|(key, (expected, found))| difference(&key, &expected, &found)).collect()
}

fn difference(key: &str, expected: &[&Value], found: &[&Value]) -> Option<Difference> {
    let rule = key.split(' ').next().unwrap_or_default();
    let (fault, details) = match (expected, found) {
        ([expected], [found]) => {
            let fields = differing(expected, found);
            if fields.is_empty() {
                return None;
            }
            let names: Vec<&str> = fields.iter().filter_map(|field| field.split(':').next()).collect();
            (format!("{rule}: {}", names.join(", ")), fields)
        }
        _ => (format!("{rule}: {} in the model, {} in the engine", expected.len(), found.len()), Vec::new()),
    };
    let lines = details.iter().map(|detail| format!("    {detail}\n"));
    let model = expected.iter().map(|alert| format!("  model:  {alert}\n"));
    let engine = found.iter().map(|alert| format!("  engine: {}\n", brief(alert)));
    Some(Difference { fault, report: lines.chain(model).chain(engine).collect() })
}

/// Without the parts that only people read.
fn brief(alert: &Value) -> Value {
    let mut alert = alert.clone();
    if let Value::Object(fields) = &mut alert {
        for long in ["queries", "remediation", "runbook", "attack", "title", "trace_id", "actor"] {
            fields.remove(long);
        }
    }
    alert
}

/// What makes two alerts the same one; a principal's alerts of several days differ in the day of their last event.
fn identity(alert: &Value) -> String {
    let part = |pointer: &str| text(alert, pointer).unwrap_or("-").to_owned();
    let day = || part("/last_event_time").split('T').next().unwrap_or_default().to_owned();
    let place = if part("/subject/kind") == "principal" { day() } else { part("/region") };
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
