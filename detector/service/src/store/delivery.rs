//! Who was told of what: one record for each sink and alert.
//!
//! A sink has been told of an alert up to some revision and should be told up to a later one. Claims are fenced: each
//! carries a number that only grows, so a worker that was thought dead cannot settle what another one has taken over.

use std::sync::Arc;

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;

use super::{Revision, StoredAlert};

/// A sink that should hear of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The sink's name.
    pub sink: String,
    /// Not before this time; `None` is at once.
    pub not_before: Option<Timestamp>,
    /// Alerts with the same key that wait for the same sink may be told together.
    pub group: Option<String>,
    /// Say nothing at all if what happened was undone, by whoever did it and in full, before the sink was told of it.
    pub skip_if_undone: bool,
}

/// A delivery that one worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The sink.
    pub sink: String,
    /// The alert as it stands.
    pub alert: StoredAlert,
    /// Grows with every claim of this delivery.
    pub fence: u64,
    /// Until when the claim holds.
    pub until: Timestamp,
    /// The revision up to which the sink has been told; 0 if of none.
    pub delivered: u32,
    /// The revisions the sink should hear of, oldest first. Empty for a mere reminder.
    pub pending: Vec<Revision>,
    /// What the sink remembered at its last delivery of this alert, such as the message it created.
    pub memo: Option<String>,
    /// How often it was tried in vain since it was last delivered.
    pub attempts: u32,
    /// A former claim was never settled: what it was about to send may have arrived.
    pub unsettled: bool,
    /// Say that it still fires.
    pub reminder: bool,
    /// See [`Destination::group`].
    pub group: Option<String>,
    /// See [`Destination::skip_if_undone`].
    pub skip_if_undone: bool,
}

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The sink has been told up to this revision.
    Delivered {
        /// The revision.
        through: u32,
        /// What the sink wants to remember of it; `None` keeps what it remembered.
        memo: Option<String>,
        /// What went out; `None` where nothing had to be said.
        sent: Option<Sent>,
    },
    /// It failed, and may work later.
    Retry {
        /// Not before this time.
        at: Timestamp,
        /// What went wrong, without secrets.
        error: String,
        /// Whether it may have arrived nevertheless, so that the next claim is `unsettled`.
        unsettled: bool,
    },
    /// It failed and will not work: it becomes a dead letter.
    Dead {
        /// What went wrong, without secrets.
        error: String,
    },
    /// The worker gives it back untried.
    Released,
}

/// Something that a sink was really told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// What the provider calls it, if it calls it anything.
    pub reference: Option<String>,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The sink.
    pub sink: String,
    /// The alert's id.
    pub alert: String,
    /// Its rule.
    pub rule: Arc<str>,
    /// Its severity.
    pub severity: Severity,
    /// When it was given up.
    pub at: Timestamp,
    /// What went wrong.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// How much waits for a sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Alerts whose latest state the sink has not heard, dead letters not among them.
    pub alerts: u64,
    /// Dead letters.
    pub dead: u64,
    /// Since when the one that waits longest has been due.
    pub since: Option<Timestamp>,
}
