//! The JSON of incidents: the same over HTTP, on the command line and in what sinks send.

use bedrock_watch_engine::{alert::Alert, rule::Stage};
use serde::Serialize;
use serde_json::Value;

use super::Incident;

/// Principals that are named.
const PRINCIPALS_MAX: usize = 50;

/// What an alert's message says of its incident.
#[derive(Serialize)]
struct BriefJson<'a> {
    id: &'a str,
    title: &'a str,
    score: u32,
    stages: Vec<&'static str>,
    alerts: usize,
}

#[derive(Serialize)]
struct IncidentJson<'a> {
    id: &'a str,
    title: &'a str,
    severity: &'static str,
    status: &'static str,
    score: u32,
    score_parts: ScoreJson,
    stages: Vec<&'static str>,
    accounts: Vec<&'a str>,
    regions: Vec<&'a str>,
    principals: Vec<&'a str>,
    first_event_time: String,
    last_event_time: String,
    alerts: usize,
    firing: usize,
    is_cut: bool,
}

#[derive(Serialize)]
struct ScoreJson {
    severity: u32,
    stages: u32,
    breadth: u32,
}

#[derive(Serialize)]
struct StepJson<'a> {
    at: String,
    stage: &'static str,
    alert: &'a str,
    rule: &'a str,
    severity: &'static str,
    status: &'static str,
    account: &'a str,
    region: Option<&'a str>,
    principal: Option<&'a str>,
    summary: &'a str,
}

/// The few words that go with each alert: `{id, title, score, stages, alerts}`.
#[must_use]
pub fn brief(incident: &Incident) -> Value {
    let brief = BriefJson {
        id: &incident.id,
        title: &incident.title,
        score: incident.score.total(),
        stages: stages(incident),
        alerts: incident.alerts.len(),
    };
    serde_json::to_value(brief).unwrap_or_default()
}

/// An incident without its alerts.
#[must_use]
pub fn summary(incident: &Incident) -> Value {
    let json = IncidentJson {
        id: &incident.id,
        title: &incident.title,
        severity: incident.severity.as_str(),
        status: incident.status.as_str(),
        score: incident.score.total(),
        score_parts: ScoreJson {
            severity: incident.score.severity,
            stages: incident.score.stages,
            breadth: incident.score.breadth,
        },
        stages: stages(incident),
        accounts: incident.accounts.iter().map(String::as_str).collect(),
        regions: incident.regions.iter().map(String::as_str).collect(),
        principals: incident.principals.iter().take(PRINCIPALS_MAX).map(String::as_str).collect(),
        first_event_time: incident.first_event_time.to_rfc3339(),
        last_event_time: incident.last_event_time.to_rfc3339(),
        alerts: incident.alerts.len(),
        firing: incident.firing(),
        is_cut: incident.is_cut,
    };
    serde_json::to_value(json).unwrap_or_default()
}

/// An incident with its alerts in order, as one line that ends: what `replay --incidents` prints.
#[must_use]
pub fn line(incident: &Incident) -> String {
    let mut json = summary(incident);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("timeline".to_owned(), timeline(incident));
    }
    format!("{json}\n")
}

/// What happened, in order.
#[must_use]
pub fn timeline(incident: &Incident) -> Value {
    let step = |(alert, stage): &(std::sync::Arc<Alert>, Stage)| {
        serde_json::to_value(StepJson {
            at: alert.first_event_time.to_rfc3339(),
            stage: stage.as_str(),
            alert: &alert.id,
            rule: &alert.rule,
            severity: alert.severity.as_str(),
            status: alert.status.as_str(),
            account: &alert.account,
            region: alert.region.as_deref(),
            principal: alert.principal.as_deref(),
            summary: &alert.summary,
        })
        .unwrap_or_default()
    };
    Value::Array(incident.alerts.iter().map(step).collect())
}

fn stages(incident: &Incident) -> Vec<&'static str> {
    incident.stages.iter().map(|stage| stage.as_str()).collect()
}
