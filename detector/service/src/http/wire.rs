//! The JSON of alerts with their history, and of what is wished for: the same over HTTP and on the command line.
//!
//! An alert in it is exactly the object that `format` writes, fields in their order; everything else stands beside it.

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    format::json,
    incident::{Incident, Located, Report, json as incident_json},
    routing::Wish,
    store::{DeadLetter, Matcher, Page, Resolution, Revision, StoredAlert},
};

#[derive(Serialize)]
struct PageJson<'a> {
    alerts: Vec<Box<RawValue>>,
    next: Option<&'a str>,
}

/// A page of alerts, each with which of the `incidents` it is in: `{"alerts": [...], "next": ...}`.
#[must_use]
pub fn page(page: &Page, incidents: &[Incident]) -> String {
    let alerts = page.alerts.iter().filter_map(|stored| raw(&stored.alert, incidents)).collect();
    text(&PageJson { alerts, next: page.next.as_deref() })
}

#[derive(Serialize)]
struct DetailsJson<'a> {
    alert: Option<Box<RawValue>>,
    revision: u32,
    created_at: Timestamp,
    changed_at: Timestamp,
    silence: Option<&'a str>,
    resolution: Option<&'a Resolution>,
    history: Vec<RevisionJson<'a>>,
    dead_letters: Vec<DeadLetterJson<'a>>,
}

#[derive(Serialize)]
struct RevisionJson<'a> {
    revision: u32,
    at: Timestamp,
    kind: &'static str,
    status: &'static str,
    severity: &'static str,
    summary: &'a str,
    event_count: u64,
    resolution: Option<&'a Resolution>,
}

#[derive(Serialize)]
struct DeadLetterJson<'a> {
    sink: &'a str,
    alert: &'a str,
    rule: &'a str,
    severity: &'static str,
    at: Timestamp,
    attempts: u32,
    error: &'a str,
}

/// An alert with its history, and the sinks that could not be told of it.
#[must_use]
pub fn details(
    stored: &StoredAlert,
    history: &[Revision],
    dead_letters: &[DeadLetter],
    incidents: &[Incident],
) -> String {
    text(&DetailsJson {
        alert: raw(&stored.alert, incidents),
        revision: stored.revision,
        created_at: stored.created_at,
        changed_at: stored.changed_at,
        silence: stored.silence.as_deref(),
        resolution: stored.resolution.as_ref(),
        history: history.iter().map(RevisionJson::of).collect(),
        dead_letters: dead_letters.iter().map(DeadLetterJson::of).collect(),
    })
}

impl<'a> RevisionJson<'a> {
    fn of(revision: &'a Revision) -> Self {
        Self {
            revision: revision.revision,
            at: revision.at,
            kind: kind(revision.kind),
            status: revision.alert.status.as_str(),
            severity: revision.alert.severity.as_str(),
            summary: &revision.alert.summary,
            event_count: revision.alert.event_count,
            resolution: revision.resolution.as_ref(),
        }
    }
}

impl<'a> DeadLetterJson<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        Self {
            sink: &letter.sink,
            alert: &letter.alert,
            rule: &letter.rule,
            severity: letter.severity.as_str(),
            at: letter.at,
            attempts: letter.attempts,
            error: &letter.error,
        }
    }
}

/// Incidents, without their alerts: `{"incidents": [...]}`.
#[must_use]
pub fn incidents(incidents: &[Incident]) -> String {
    let all: Vec<_> = incidents.iter().map(incident_json::summary).collect();
    serde_json::json!({ "incidents": all }).to_string()
}

/// An incident with its alerts in order, and the report about it.
#[must_use]
pub fn incident(located: &Located, report: &Report) -> String {
    let incident = &located.incident;
    serde_json::json!({
        "incident": incident_json::summary(incident),
        "merged_into": located.merged_into,
        "timeline": incident_json::timeline(incident),
        "report": report,
    })
    .to_string()
}

/// Deliveries that were given up, as JSON.
#[must_use]
pub fn dead_letters(letters: &[DeadLetter]) -> String {
    text(&letters.iter().map(DeadLetterJson::of).collect::<Vec<_>>())
}

/// The name of a kind of change.
#[must_use]
pub const fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Fired => "fired",
        ChangeKind::Updated => "updated",
        ChangeKind::Resolved => "resolved",
        ChangeKind::Withdrawn => "withdrawn",
    }
}

/// What is asked for when a silence is made. The fields of the matcher are repeated because serde cannot refuse unknown
/// fields beside flattened ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WishJson {
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    reason: String,
    alert: Option<String>,
    rule: Option<String>,
    account: Option<String>,
    region: Option<String>,
    principal: Option<String>,
    subject: Option<String>,
    severity_max: Option<String>,
}

impl TryFrom<WishJson> for Wish {
    type Error = String;

    fn try_from(json: WishJson) -> Result<Self, String> {
        let WishJson { starts_at, ends_at, author, reason, .. } = json;
        let matcher = Matcher {
            alert: json.alert,
            rule: json.rule,
            account: json.account,
            region: json.region,
            principal: json.principal,
            subject: json.subject,
            severity_max: json.severity_max.as_deref().map(severity).transpose()?,
        };
        Ok(Self { starts_at, ends_at, author, reason, matcher })
    }
}

/// The severity of that name.
///
/// # Errors
/// When there is none.
pub fn severity(name: &str) -> Result<Severity, String> {
    let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == name);
    found.ok_or_else(|| "a severity is one of informational, low, medium, high, critical".to_owned())
}

/// The status of that name.
///
/// # Errors
/// When there is none.
pub fn status(name: &str) -> Result<Status, String> {
    let found = [Status::Firing, Status::Resolved, Status::Withdrawn].into_iter().find(|known| known.as_str() == name);
    found.ok_or_else(|| "a status is one of firing, resolved, withdrawn".to_owned())
}

fn raw(alert: &Alert, incidents: &[Incident]) -> Option<Box<RawValue>> {
    let incident = incidents.iter().find(|incident| incident.has(&alert.id));
    RawValue::from_string(json::line_in(alert, incident.map(|incident| incident.id.as_str()))).ok()
}

pub(super) fn text(value: &impl Serialize) -> String {
    // Nothing here can fail to become JSON: keys are texts and numbers are finite.
    serde_json::to_string(value).unwrap_or_default()
}
