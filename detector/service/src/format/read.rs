//! Alerts read back from their JSON form, as `replay --format json` and `GET /v1/alerts` write it.
//!
//! Deliberately not what repairs them: commands are made from the engine's memory, and are not run from a file.

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, Severity, Status, SubjectKind},
};
use serde::{Deserialize, de::Error as _};
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct AlertJson {
    id: String,
    rule: String,
    title: String,
    summary: String,
    severity: String,
    status: String,
    account: String,
    region: Option<String>,
    subject: SubjectJson,
    principal: Option<String>,
    #[serde(default)]
    actor: ActorJson,
    first_event_time: String,
    last_event_time: String,
    #[serde(default)]
    event_ids: Vec<String>,
    #[serde(default)]
    event_count: u64,
    #[serde(default)]
    facts: Map<String, Value>,
    #[serde(default)]
    attack: Vec<String>,
    #[serde(default)]
    runbook: String,
}

#[derive(Deserialize)]
struct SubjectJson {
    kind: String,
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ActorJson {
    arn: Option<String>,
    r#type: Option<String>,
    access_key_id: Option<String>,
    session_name: Option<String>,
    source_ip: Option<String>,
    user_agent: Option<String>,
    via: Option<String>,
    workload: Option<String>,
}

/// Reads one alert.
///
/// # Errors
/// When the text is no alert; the message says what is missing or wrong.
pub fn alert(text: &str) -> Result<Alert, serde_json::Error> {
    let read: AlertJson = serde_json::from_str(text)?;
    let time = |text: &str| {
        Second::parse(text).ok_or_else(|| serde_json::Error::custom(format!("`{text}` is no time of an event")))
    };
    let named = |what: &str, name: &str| serde_json::Error::custom(format!("`{name}` is no {what}"));
    let severity = Severity::ALL.into_iter().find(|known| known.as_str() == read.severity);
    let status = [Status::Firing, Status::Resolved, Status::Withdrawn];
    let status = status.into_iter().find(|known| known.as_str() == read.status);
    let kinds = [
        SubjectKind::CustomizationJobDependency,
        SubjectKind::Dependency,
        SubjectKind::InvocationLogging,
        SubjectKind::Principal,
        SubjectKind::Event,
        SubjectKind::Dependency,
    ];
    let kind = kinds.into_iter().find(|known| known.as_str() == read.subject.kind);
    Ok(Alert {
        first_event_time: time(&read.first_event_time)?,
        last_event_time: time(&read.last_event_time)?,
        severity: severity.ok_or_else(|| named("severity", &read.severity))?,
        status: status.ok_or_else(|| named("status", &read.status))?,
        subject_kind: kind.ok_or_else(|| named("kind of subject", &read.subject.kind))?,
        id: read.id,
        rule: read.rule,
        title: read.title,
        summary: read.summary,
        account: read.account,
        region: read.region,
        subject_id: read.subject.id,
        principal: read.principal,
        actor: Actor {
            arn: read.actor.arn,
            kind: read.actor.r#type,
            access_key_id: read.actor.access_key_id,
            session_name: read.actor.session_name,
            source_ip: read.actor.source_ip,
            user_agent: read.actor.user_agent,
            via: read.actor.via,
            workload: read.actor.workload,
            // Written as a fact.
            source_identity: read.facts.get("source_identity").and_then(Value::as_str).map(str::to_owned),
        },
        event_ids: read.event_ids,
        event_count: read.event_count,
        facts: read.facts,
        attack: read.attack,
        runbook: read.runbook,
        repair: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{json, sample};

    #[test]
    fn reads_what_was_written() {
        let written = Alert { repair: Vec::new(), ..sample::alert() };
        assert_eq!(alert(&json::line(&written)).unwrap(), written);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = json::line(&sample::alert()).replacen(from, to, 1);
            let error = alert(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("\"severity\":\"", "\"severity\":\"very ", "is no severity");
        check("\"account\":", "\"amount\":", "missing field `account`");
        check("\"first_event_time\":\"", "\"first_event_time\":\"x", "is no time");
    }
}
