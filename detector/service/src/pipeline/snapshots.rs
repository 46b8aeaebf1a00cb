//! When the engine's memory is kept.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};

/// The pause after a snapshot that could not be kept.
const RETRY: Duration = Duration::from_secs(5);

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A snapshot is due.
    Due,
    /// One was kept.
    Kept {
        /// How many bytes of the journal it contains.
        bytes: u64,
    },
    /// One could not be kept.
    Failed,
}

/// One snapshot after the other, never two at once.
#[derive(Debug)]
pub(super) struct Snapshots {
    every: Duration,
    at: Instant,
    /// The one that is being kept, with the journal's bytes that it contains.
    saving: Option<(oneshot::Receiver<bool>, u64)>,
    /// Whether anything happened since memory was last kept.
    changed: bool,
}

impl Snapshots {
    /// The first one is due after an interval, or at once where there was none before.
    pub(super) fn new(every: Duration, has_one: bool) -> Self {
        let mut snapshots = Self { every, at: Instant::now(), saving: None, changed: true };
        if has_one {
            snapshots.after(every);
        }
        snapshots
    }

    /// Something happened that the last one does not contain.
    pub(super) const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Makes one due now.
    pub(super) fn hurry(&mut self) {
        self.after(Duration::ZERO);
    }

    /// It is due and cannot be made now.
    pub(super) fn postpone(&mut self) {
        self.after(self.every.min(RETRY));
    }

    /// Whether one is being kept.
    pub(super) const fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    fn after(&mut self, pause: Duration) {
        let now = Instant::now();
        self.at = now.checked_add(pause).unwrap_or(now);
    }

    /// Waits until one is due, or the one that is being kept was kept or not.
    pub(super) async fn next(&mut self) -> Event {
        let Some((kept, bytes)) = &mut self.saving else {
            tokio::time::sleep_until(self.at).await;
            return Event::Due;
        };
        let (kept, bytes) = (kept.await, *bytes);
        self.saving = None;
        if kept == Ok(true) {
            return Event::Kept { bytes };
        }
        self.changed = true;
        self.after(RETRY);
        Event::Failed
    }

    /// Begins one if there is reason to; it contains `bytes` of the journal.
    pub(super) fn begin(&mut self, bytes: u64) -> Option<oneshot::Sender<bool>> {
        self.after(self.every);
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let (done, kept) = oneshot::channel();
        self.saving = Some((kept, bytes));
        Some(done)
    }
}
