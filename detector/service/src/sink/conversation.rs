//! What a sink says about an incident as a whole, and who may say it.
//!
//! A sink that tells incidents keeps a note of each in the store: which message all alerts share, or which page. Whoever
//! writes or pages about an incident holds its note meanwhile, by compare-and-swap, so that of several alerts told at
//! once, in this process or another, one makes the message and the others join it. A holder that died lets go when its
//! hold expires, or when the store is opened again.
//!
//! Nothing is lost by this: an alert whose note cannot be had is tried again, as any delivery is that failed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    SinkError,
    worker::{Now, later},
};
use crate::{
    incident::{Incident, id_of},
    store::{Note, Store, StoreError},
};

/// How long it is waited for a note that somebody else holds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a note that somebody else holds.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a note is followed to the one it became part of.
const MERGES_MAX: usize = 8;

/// What a sink remembers of an incident.
pub(super) trait Remembered: Default + Serialize + DeserializeOwned + Send {
    /// The incident whose note counts instead, after both turned out to be one.
    fn merged_into(&self) -> Option<&str>;
    /// Says that another note counts from now on.
    fn merge(&mut self, into: &str);
}

/// The notes of one sink.
#[derive(Clone)]
pub struct Notebook {
    store: Arc<dyn Store>,
    sink: String,
    now: Now,
    lasts: Duration,
}

impl std::fmt::Debug for Notebook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Notebook").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// A note that is held.
#[derive(Debug)]
pub(super) struct Held<T> {
    note: Note,
    /// What the sink remembers; kept by [`Notebook::save`].
    pub(super) state: T,
}

impl<T> Held<T> {
    /// The incident whose note it is: not always the one that the alerts form by now.
    pub(super) fn incident(&self) -> &str {
        &self.note.incident
    }
}

impl Notebook {
    /// The notes of `sink`; a hold lasts for `lasts`, which is longer than telling can take.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, sink: &str, now: Now, lasts: Duration) -> Self {
        Self { store, sink: sink.to_owned(), now, lasts }
    }

    /// Holds the note under which an incident is told: that of the earliest alert that has one, or a new one.
    pub(super) async fn hold<T: Remembered>(&self, incident: &Incident) -> Result<Held<T>, SinkError> {
        let ids: Vec<String> = incident.alerts.iter().map(|(alert, _)| id_of(&alert.id)).collect();
        let notes = self.notes(&ids).await?;
        let earliest = ids.iter().find(|id| notes.iter().any(|note| note.incident == **id));
        self.hold_note(earliest.unwrap_or(&incident.id)).await
    }

    /// Holds the note of this incident, or the one it became part of; makes it if there is none.
    pub(super) async fn hold_note<T: Remembered>(&self, incident: &str) -> Result<Held<T>, SinkError> {
        let end = Instant::now().checked_add(PATIENCE);
        let (mut wanted, mut merges) = (incident.to_owned(), 0_usize);
        loop {
            let found = self.notes(std::slice::from_ref(&wanted)).await?.pop();
            let now = (self.now)();
            let note = found.unwrap_or_else(|| self.blank(&wanted));
            // A note that cannot be read is begun anew, like one that was lost.
            let state: T = serde_json::from_str(&note.memo).unwrap_or_default();
            if let Some(into) = state.merged_into().filter(|_| merges < MERGES_MAX) {
                (wanted, merges) = (into.to_owned(), merges.saturating_add(1));
                continue;
            }
            let is_free = note.held_until.is_none_or(|until| until <= now);
            if is_free {
                let held = Note { held_until: Some(later(now, self.lasts)), ..note };
                if self.store.put_note(&held).await.map_err(|error| failed(&error))? {
                    return Ok(Held { note: Note { version: held.version.saturating_add(1), ..held }, state });
                }
            }
            if end.is_none_or(|end| Instant::now() >= end) {
                return Err(SinkError::alert("another alert of the incident is being told", false));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Holds what other notes there are about alerts of an incident, and makes them part of the one that is `held`;
    /// returns what they remember. One that is held by somebody is left for the next time.
    pub(super) async fn absorb<T: Remembered>(&self, held: &Held<T>, incident: &Incident) -> Result<Vec<T>, SinkError> {
        let ids: Vec<String> = incident.alerts.iter().map(|(alert, _)| id_of(&alert.id)).collect();
        let mut absorbed = Vec::new();
        for note in self.notes(&ids).await? {
            let mut state: T = serde_json::from_str(&note.memo).unwrap_or_default();
            let is_free = note.held_until.is_none_or(|until| until <= (self.now)());
            if note.incident == held.incident() || state.merged_into().is_some() || !is_free {
                continue;
            }
            let before = serde_json::from_str(&note.memo).unwrap_or_default();
            state.merge(held.incident());
            let merged = Note { memo: text(&state), held_until: None, ..note };
            if self.store.put_note(&merged).await.map_err(|error| failed(&error))? {
                absorbed.push(before);
            }
        }
        Ok(absorbed)
    }

    /// Keeps what is remembered, and goes on holding the note. Fails when somebody else has it now.
    pub(super) async fn save<T: Remembered>(&self, held: &mut Held<T>) -> Result<(), SinkError> {
        let until = Some(later((self.now)(), self.lasts));
        self.put(held, until).await
    }

    /// Keeps what is remembered and lets go. What was told is told, so a failure is only logged: the hold expires.
    pub(super) async fn release<T: Remembered>(&self, mut held: Held<T>) {
        if let Err(error) = self.put(&mut held, None).await {
            let (sink, incident) = (&self.sink, &held.note.incident);
            tracing::warn!(sink, incident, %error, "what was said about an incident was not remembered");
        }
    }

    async fn put<T: Remembered>(&self, held: &mut Held<T>, until: Option<Timestamp>) -> Result<(), SinkError> {
        let note = Note { memo: text(&held.state), held_until: until, ..held.note.clone() };
        if !self.store.put_note(&note).await.map_err(|error| failed(&error))? {
            return Err(SinkError::alert("another worker has taken over the incident", false));
        }
        held.note = Note { version: note.version.saturating_add(1), ..note };
        Ok(())
    }

    async fn notes(&self, ids: &[String]) -> Result<Vec<Note>, SinkError> {
        self.store.notes(&self.sink, ids).await.map_err(|error| failed(&error))
    }

    fn blank(&self, incident: &str) -> Note {
        Note {
            sink: self.sink.clone(),
            incident: incident.to_owned(),
            version: 0,
            held_until: None,
            memo: "{}".to_owned(),
        }
    }
}

fn text(state: &impl Serialize) -> String {
    serde_json::to_string(state).unwrap_or_default()
}

/// The store failed; nothing was sent.
fn failed(error: &StoreError) -> SinkError {
    SinkError::alert(&format!("the store does not say what was told of the incident: {error}"), false)
}
