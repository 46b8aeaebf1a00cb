//! Alerts as the store keeps them.

use std::sync::Arc;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Destination;

/// What became of an alert, and who should hear of it.
#[derive(Debug, Clone)]
pub struct Change {
    /// What happened to it.
    pub kind: ChangeKind,
    /// The alert after the change.
    pub alert: Arc<Alert>,
    /// The trace that raised it.
    pub trace_id: Option<String>,
    /// The sinks that should hear of it. A resolution or withdrawal of an alert the store has is told instead to every
    /// sink that has heard of the alert before, or is about to, and to no other.
    pub destinations: Vec<Destination>,
    /// The silence that kept sinks from hearing of it, if one did.
    pub silence: Option<String>,
    /// Why the configuration tells nobody of it, if it does.
    pub suppressed: Option<String>,
    /// Whoever says so does not own the alert's account: it counts only where the owner has said nothing yet.
    pub only_if_new: bool,
}

/// What a change was to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The store had the alert just so; nothing was done.
    Known,
    /// It is a new revision with this number, counted from 1.
    Revision(u32),
}

/// A person's word that an alert is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Who said so.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// An alert, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// The alert; its status is that of the engine or of a person, whoever spoke last.
    pub alert: Arc<Alert>,
    /// The number of its latest revision.
    pub revision: u32,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When its latest revision was stored.
    pub changed_at: Timestamp,
    /// The trace that raised it.
    pub trace_id: Option<String>,
    /// The silence under which its latest revision was stored.
    pub silence: Option<String>,
    /// Who resolved it by hand, while that holds.
    pub resolution: Option<Resolution>,
}

/// One state of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Counted from 1.
    pub revision: u32,
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The alert then.
    pub alert: Arc<Alert>,
    /// Who resolved it by hand with this revision.
    pub resolution: Option<Resolution>,
}

/// Which alerts to list. Empty means every alert that was not withdrawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those of at least this severity.
    pub severity_min: Option<Severity>,
    /// Only those of this rule.
    pub rule: Option<String>,
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those of this principal.
    pub principal: Option<String>,
    /// At most so many; 0 means the store's own limit of 1,000.
    pub limit: usize,
    /// Continue after the page that ended with this token.
    pub after: Option<String>,
}

/// A page of alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The alerts.
    pub alerts: Vec<StoredAlert>,
    /// Asks for the next page; `None` when this is the last.
    pub next: Option<String>,
}
