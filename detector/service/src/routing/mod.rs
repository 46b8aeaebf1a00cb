//! Which sinks should hear of an alert.
//!
//! A stand-in with the interface of the real one, until routes, silences and suppressions are merged: every sink, at
//! once.

mod active;
mod counters;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use jiff::Timestamp;

pub use active::ActiveSilences;
pub use counters::RoutingCounters;

use crate::store::{Destination, Silence};

/// Answers which sinks should hear of an alert.
#[derive(Debug, Clone)]
pub struct Router {
    sinks: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// How bad the alert is for its group of accounts.
    pub severity: Severity,
    /// The sinks that should hear of it, each once.
    pub destinations: Vec<Destination>,
    /// The silence that keeps them from hearing of it.
    pub silence: Option<String>,
    /// Why nobody ever hears of it.
    pub suppressed: Option<String>,
    /// Whether a pager was left out because the alert's facts are still learning.
    pub learning: bool,
    /// Whether no route wanted it.
    pub unrouted: bool,
}

impl Router {
    /// A router for the sinks of these names.
    #[must_use]
    pub const fn to_all(sinks: Vec<String>) -> Self {
        Self { sinks }
    }

    /// Who should hear of a change of `alert`, under these silences, at `now`.
    #[must_use]
    pub fn route(&self, alert: &Alert, _kind: ChangeKind, _silences: &[Silence], _now: Timestamp) -> Routed {
        let to = |sink: &String| Destination { sink: sink.clone(), not_before: None, group: None, skip_if_over: false };
        Routed {
            severity: alert.severity,
            destinations: self.sinks.iter().map(to).collect(),
            silence: None,
            suppressed: None,
            learning: false,
            unrouted: false,
        }
    }
}
