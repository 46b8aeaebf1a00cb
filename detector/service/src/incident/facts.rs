//! Facts of alerts as texts, whether they are one or a list.
//!
//! An alert about one event has one value, and one about a principal's day lists all different ones.

use bedrock_watch_engine::alert::Alert;
use serde_json::Value;

/// The texts of a fact; none where the alert does not have it, or where it is no text.
pub(super) fn texts<'a>(alert: &'a Alert, name: &str) -> Vec<&'a str> {
    match alert.facts.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
