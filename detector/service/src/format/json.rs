//! The JSON form of an alert: the product's own format, one object a line.
//!
//! Fields and their order are a contract with other programs; adding one is a minor change, anything else a breaking
//! one.

use bedrock_watch_engine::alert::{Actor, Alert, Query, Remediation};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::telemetry::trace_id;

#[derive(Serialize)]
struct AlertJson<'a> {
    id: &'a str,
    rule: &'a str,
    title: &'a str,
    summary: &'a str,
    severity: &'static str,
    status: &'static str,
    account: &'a str,
    region: Option<&'a str>,
    subject: SubjectJson<'a>,
    principal: Option<&'a str>,
    trace_id: String,
    actor: ActorJson<'a>,
    first_event_time: String,
    last_event_time: String,
    event_ids: &'a [String],
    event_count: u64,
    facts: &'a Map<String, Value>,
    attack: &'a [String],
    runbook: &'a str,
    remediation: Vec<RemediationJson>,
    queries: Vec<QueryJson>,
    incident: Option<&'a str>,
}

#[derive(Serialize)]
struct SubjectJson<'a> {
    kind: &'static str,
    id: &'a str,
}

#[derive(Serialize)]
struct ActorJson<'a> {
    arn: Option<&'a str>,
    r#type: Option<&'a str>,
    access_key_id: Option<&'a str>,
    session_name: Option<&'a str>,
    source_ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    via: Option<&'a str>,
    workload: Option<&'a str>,
}

#[derive(Serialize)]
struct RemediationJson {
    title: String,
    command: String,
}

#[derive(Serialize)]
struct QueryJson {
    title: String,
    language: String,
    text: String,
}

/// The alert as a JSON value.
#[must_use]
pub fn alert(alert: &Alert) -> Value {
    alert_in(alert, None)
}

/// The same, with the id of the incident it is in.
#[must_use]
pub fn alert_in(alert: &Alert, incident: Option<&str>) -> Value {
    serde_json::to_value(AlertJson::of(alert, incident)).unwrap_or_default()
}

/// The alert as one line of JSON, without the line's end, its fields in the documented order.
#[must_use]
pub fn line(alert: &Alert) -> String {
    line_in(alert, None)
}

/// The same, with the id of the incident it is in.
#[must_use]
pub fn line_in(alert: &Alert, incident: Option<&str>) -> String {
    serde_json::to_string(&AlertJson::of(alert, incident)).unwrap_or_default()
}

impl<'a> AlertJson<'a> {
    fn of(alert: &'a Alert, incident: Option<&'a str>) -> Self {
        Self {
            id: &alert.id,
            rule: &alert.rule,
            title: &alert.title,
            summary: &alert.summary,
            severity: alert.severity.as_str(),
            status: alert.status.as_str(),
            account: &alert.account,
            region: alert.region.as_deref(),
            subject: SubjectJson { kind: alert.subject_kind.as_str(), id: &alert.subject_id },
            principal: alert.principal.as_deref(),
            trace_id: trace_id(&alert.id),
            actor: ActorJson::of(&alert.actor),
            first_event_time: alert.first_event_time.to_rfc3339(),
            last_event_time: alert.last_event_time.to_rfc3339(),
            event_ids: &alert.event_ids,
            event_count: alert.event_count,
            facts: &alert.facts,
            attack: &alert.attack,
            runbook: &alert.runbook,
            remediation: alert.remediation().into_iter().map(RemediationJson::of).collect(),
            queries: alert.queries().into_iter().map(QueryJson::of).collect(),
            incident,
        }
    }
}

impl<'a> ActorJson<'a> {
    fn of(actor: &'a Actor) -> Self {
        Self {
            arn: actor.arn.as_deref(),
            r#type: actor.kind.as_deref(),
            access_key_id: actor.access_key_id.as_deref(),
            session_name: actor.session_name.as_deref(),
            source_ip: actor.source_ip.as_deref(),
            user_agent: actor.user_agent.as_deref(),
            via: actor.via.as_deref(),
            workload: actor.workload.as_deref(),
        }
    }
}

impl RemediationJson {
    fn of(remediation: Remediation) -> Self {
        Self { title: remediation.title, command: remediation.command }
    }
}

impl QueryJson {
    fn of(query: Query) -> Self {
        Self { title: query.title, language: query.language, text: query.text }
    }
}

#[cfg(test)]
mod tests {
    use crate::format::sample;

    #[test]
    fn has_exactly_the_documented_fields_in_order() {
        let line = super::line(&sample::alert());
        let fields = [
            "id",
            "rule",
            "title",
            "summary",
            "severity",
            "status",
            "account",
            "region",
            "subject",
            "principal",
            "trace_id",
            "actor",
            "first_event_time",
            "last_event_time",
            "event_ids",
            "event_count",
            "facts",
            "attack",
            "runbook",
            "remediation",
            "queries",
            "incident",
        ];
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value, super::alert(&sample::alert()));
        let mut found: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        let mut expected = fields.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let positions: Vec<usize> =
            fields.iter().map(|field| line.find(&format!("\"{field}\":")).expect(field)).collect();
        assert!(positions.is_sorted(), "{line}");
        assert!(!line.contains('\n'));
    }
}
