//! Whether a sink as a whole works, and how long it is left alone when it does not.
//!
//! Deliveries that were under way when it failed fail as well; they say nothing new and do not lengthen the pause.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::pace::Backoff;
use crate::status::Status;

/// After failing for so long, the service counts as not protecting.
const STATUS_AFTER: Duration = Duration::from_secs(60);

/// The health of one sink, shared by its deliveries.
#[derive(Debug)]
pub(super) struct Health {
    name: String,
    /// What the status calls it.
    what: String,
    backoff: Backoff,
    status: Status,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures of the sink as a whole since it last answered.
    failures: u32,
    paused_until: Option<Instant>,
    failing_since: Option<Instant>,
    /// Deliveries were given up since the last one that worked.
    gave_up: bool,
}

/// What a delivery saw when it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen(u32);

impl Health {
    pub(super) fn new(name: &str, backoff: Backoff, status: Status) -> Self {
        Self { name: name.to_owned(), what: format!("sink {name}"), backoff, status, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to give back with the outcome of a delivery that begins now.
    pub(super) fn see(&self) -> Seen {
        Seen(self.state().failures)
    }

    /// Until when the sink is left alone.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.state().paused_until
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.state().failures
    }

    /// The sink as a whole failed; says when it may be tried again.
    pub(super) fn failed(&self, seen: Seen, retry_after: Option<Duration>, error: &str) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        let news = state.failures == seen.0;
        if news {
            state.failures = state.failures.saturating_add(1);
        }
        let pause =
            if news { self.backoff.pause(state.failures, retry_after) } else { retry_after.unwrap_or_default() };
        let resume = now.checked_add(pause).unwrap_or(now).max(state.paused_until.unwrap_or(now));
        state.paused_until = Some(resume);
        let since = *state.failing_since.get_or_insert(now);
        let failures = state.failures;
        drop(state);
        if news && failures == 1 {
            tracing::warn!(sink = self.name, error, "a sink does not work; what it is to tell waits in the store");
        } else {
            tracing::debug!(sink = self.name, error, failures, "a sink still does not work");
        }
        let failing_for = now.saturating_duration_since(since);
        if failing_for >= STATUS_AFTER {
            self.status.set(&self.what, &format!("has not worked for {} s: {error}", failing_for.as_secs()));
        }
        resume
    }

    /// The sink answered, if not as hoped: as a whole it works.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        let recovered = state.failures > 0;
        state.failures = 0;
        state.paused_until = None;
        state.failing_since = None;
        let clear = recovered && !state.gave_up;
        drop(state);
        if recovered {
            tracing::info!(sink = self.name, "a sink works again");
        }
        if clear {
            self.status.clear(&self.what);
        }
    }

    /// A delivery worked.
    pub(super) fn worked(&self) {
        self.answered();
        let gave_up = std::mem::take(&mut self.state().gave_up);
        if gave_up {
            self.status.clear(&self.what);
        }
    }

    /// A delivery became a dead letter. People must know at once: the alert will not be told unless they act.
    pub(super) fn gave_up(&self, error: &str) {
        self.state().gave_up = true;
        self.status.set(&self.what, &format!("gave up an alert; see `alerts redrive`: {error}"));
    }
}
