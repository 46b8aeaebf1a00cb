//! An alert as the engine remembers it: in a form that snapshots can carry.
//!
//! Facts are JSON values, which a snapshot's compact format cannot describe; they are kept as text.

use serde::{Deserialize, Serialize};

use super::{Actor, Alert, Remediation, Severity, Status, SubjectKind};
use crate::time::Second;

/// An [`Alert`] that can be serialised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    id: String,
    rule: String,
    title: String,
    summary: String,
    severity: Severity,
    status: Status,
    account: String,
    region: Option<String>,
    subject_kind: SubjectKind,
    subject_id: String,
    principal: Option<String>,
    actor: Actor,
    times: (Second, Second),
    event_ids: Vec<String>,
    event_count: u64,
    facts: String,
    attack: Vec<String>,
    runbook: String,
    repair: Vec<Remediation>,
}

impl Stored {
    /// Takes in an alert.
    pub(crate) fn of(alert: &Alert) -> Self {
        let alert = alert.clone();
        Self {
            facts: serde_json::Value::Object(alert.facts).to_string(),
            id: alert.id,
            rule: alert.rule,
            title: alert.title,
            summary: alert.summary,
            severity: alert.severity,
            status: alert.status,
            account: alert.account,
            region: alert.region,
            subject_kind: alert.subject_kind,
            subject_id: alert.subject_id,
            principal: alert.principal,
            actor: alert.actor,
            times: (alert.first_event_time, alert.last_event_time),
            event_ids: alert.event_ids,
            event_count: alert.event_count,
            attack: alert.attack,
            runbook: alert.runbook,
            repair: alert.repair,
        }
    }

    /// The alert again; `None` only if the facts are no JSON, which [`Stored::of`] never writes.
    pub(crate) fn to_alert(&self) -> Option<Alert> {
        let stored = self.clone();
        Some(Alert {
            facts: serde_json::from_str(&stored.facts).ok()?,
            id: stored.id,
            rule: stored.rule,
            title: stored.title,
            summary: stored.summary,
            severity: stored.severity,
            status: stored.status,
            account: stored.account,
            region: stored.region,
            subject_kind: stored.subject_kind,
            subject_id: stored.subject_id,
            principal: stored.principal,
            actor: stored.actor,
            first_event_time: stored.times.0,
            last_event_time: stored.times.1,
            event_ids: stored.event_ids,
            event_count: stored.event_count,
            attack: stored.attack,
            runbook: stored.runbook,
            repair: stored.repair,
        })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The rule that raised it.
    pub(crate) fn rule(&self) -> &str {
        &self.rule
    }

    /// How bad it is.
    pub(crate) const fn severity(&self) -> Severity {
        self.severity
    }

    /// Event time of its latest event.
    pub(crate) const fn last_event_time(&self) -> Second {
        self.times.1
    }

    /// Whose it is.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// What kind of thing it is about.
    pub(crate) const fn subject_kind(&self) -> SubjectKind {
        self.subject_kind
    }

    /// Where it stands.
    pub(crate) const fn status(&self) -> Status {
        self.status
    }
}
