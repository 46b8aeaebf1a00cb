//! An expected alert, in the form of its JSON.

use bedrock_watch_engine::Second;
use serde_json::{Map, Value, json};

use super::event::{Event, Time};

/// How many event ids an alert lists.
const EVENT_IDS_MAX: usize = 50;

#[derive(Debug, Clone)]
pub(super) struct Expected<'a> {
    pub rule: &'static str,
    pub account: String,
    pub region: Option<String>,
    pub subject_kind: &'static str,
    pub subject_id: String,
    pub firing: bool,
    pub severity: &'static str,
    /// What it rests on, in judging order.
    pub events: Vec<&'a Event>,
    pub principal: Option<String>,
    pub facts: Map<String, Value>,
}

impl Expected<'_> {
    pub(super) fn to_json(&self) -> Value {
        let ids: Vec<&str> = self.events.iter().take(EVENT_IDS_MAX).map(|event| event.order.id.as_str()).collect();
        json!({
            "rule": self.rule,
            "account": self.account,
            "region": self.region,
            "subject": {"kind": self.subject_kind, "id": self.subject_id},
            "status": if self.firing { "firing" } else { "resolved" },
            "severity": self.severity,
            "principal": self.principal,
            "first_event_time": self.events.first().map(|event| rfc3339(event.time())),
            "last_event_time": self.events.last().map(|event| rfc3339(event.time())),
            "event_ids": ids,
            "event_count": self.events.len(),
            "facts": self.facts,
        })
    }
}

/// The facts as a map, from `json!({...})`.
pub(super) fn facts(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn rfc3339(time: Time) -> String {
    Second::from_unix(time).map(Second::to_rfc3339).unwrap_or_default()
}
