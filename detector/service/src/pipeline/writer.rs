//! The loop's writer: stores what batches changed, and only then says that they were accepted.
//!
//! It takes whatever waits into one commit, so that under load many batches cost one flush. When the store fails it
//! tries again, for as long as it takes: meanwhile its queue fills, the loop takes no further batches, and sources are
//! held back. Nothing is dropped and nothing is acknowledged that is not stored. Once another worker has what this loop
//! reads, nothing further is stored: what it would say is no longer true.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_watch_engine::alert::ChangeKind;
use jiff::Timestamp;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{Holds, PipelineError, between, traces::Trace};
use crate::{
    source::Outcome,
    status::Status,
    store::{Change, Commit, Recorded, Snapshot, Store, StoreError, StoredAlert},
};

/// Judged batches that may wait for the writer.
pub(super) const WAITING_MAX: usize = 64;
/// Bytes of journal after which a commit takes no further batch.
const COMMIT_BYTES_MAX: usize = 8 << 20;
/// The first pause after a failed commit.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The name under which trouble with the store appears in `/readyz`.
const STORE: &str = "store";
/// The name under which trouble with snapshots appears there.
const SNAPSHOT: &str = "snapshot";

/// A change that is stored.
#[derive(Debug, Clone)]
pub struct Told {
    /// What happened.
    pub kind: ChangeKind,
    /// The alert since then.
    pub alert: StoredAlert,
}

/// What a batch, or the passing of time, changed.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) commit: Commit,
    /// Whoever waits for the batch to be accepted.
    pub(super) reply: Option<(oneshot::Sender<Outcome>, Outcome)>,
    /// When it was judged, if it is a batch.
    pub(super) judged_at: Option<Timestamp>,
    /// What is to be traced of it.
    pub(super) trace: Option<Box<Trace>>,
}

/// Batches that are stored together.
#[derive(Debug, Default)]
struct Group {
    commit: Commit,
    replies: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    judged_at: Vec<Timestamp>,
    /// Each with the place of its first change.
    traces: Vec<(usize, Box<Trace>)>,
}

impl Group {
    fn add(&mut self, judged: Judged) {
        self.judged_at.extend(judged.judged_at);
        self.traces.extend(judged.trace.map(|trace| (self.commit.changes.len(), trace)));
        self.commit.journal.extend(judged.commit.journal);
        self.commit.positions.extend(judged.commit.positions);
        self.commit.changes.extend(judged.commit.changes);
        self.replies.extend(judged.reply);
    }
}

/// What the writer is asked to do, in order.
#[derive(Debug)]
pub(super) enum Order {
    /// Store it.
    Commit(Judged),
    /// Keep the engine's memory, which contains everything ordered before.
    Snapshot {
        /// The engine's bytes.
        bytes: Vec<u8>,
        /// Up to where each source is contained.
        positions: BTreeMap<String, String>,
        /// Where it is said whether that worked.
        done: oneshot::Sender<bool>,
    },
}

/// The writer.
pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) told: broadcast::Sender<Arc<Told>>,
    /// Says that sinks have something to do.
    pub(super) nudge: Box<dyn Fn() + Send + Sync>,
    pub(super) status: Status,
    /// The number of the last journal entry there is.
    pub(super) journal_through: u64,
    /// Whether this loop still holds what it reads.
    pub(super) holds: Holds,
    /// Where it is told up to where each source's alerts are stored.
    pub(super) committed: watch::Sender<BTreeMap<String, String>>,
}

impl Writer {
    /// Follows orders until there are no more; the error is that of the last snapshot.
    pub(super) async fn run(mut self) -> Result<(), PipelineError> {
        let mut saving: JoinSet<Result<(), StoreError>> = JoinSet::new();
        let mut saved = Ok(());
        let mut next = None;
        while let Some(order) = self.order(next.take()).await {
            match order {
                Order::Commit(judged) => next = self.group(judged).await?,
                Order::Snapshot { bytes, positions, done } => {
                    self.check_held()?;
                    let snapshot = Snapshot { positions, journal: self.journal_through, bytes };
                    let (store, status) = (Arc::clone(&self.store), self.status.clone());
                    // One after the other, so that an older one never replaces a newer one.
                    while let Some(ended) = saving.join_next().await {
                        saved = ended.unwrap_or(Ok(()));
                    }
                    saving.spawn(async move {
                        let meters = &status.telemetry().meters;
                        let saved = meters.store(&meters.store_snapshot, store.save_snapshot(snapshot)).await;
                        match &saved {
                            Ok(()) => status.clear(SNAPSHOT),
                            Err(error) => {
                                tracing::error!(%error, "the engine's memory was not kept; the journal grows meanwhile");
                                status.set(SNAPSHOT, &error.to_string());
                            }
                        }
                        // The loop may have ended.
                        done.send(saved.is_ok()).unwrap_or_default();
                        saved
                    });
                }
            }
            while let Some(ended) = saving.try_join_next() {
                saved = ended.unwrap_or(Ok(()));
            }
        }
        while let Some(ended) = saving.join_next().await {
            saved = ended.unwrap_or(Ok(()));
        }
        Ok(saved?)
    }

    fn check_held(&self) -> Result<(), PipelineError> {
        if (self.holds)() { Ok(()) } else { Err(PipelineError::TakenOver) }
    }

    async fn order(&mut self, next: Option<Order>) -> Option<Order> {
        match next {
            Some(order) => Some(order),
            None => self.orders.recv().await,
        }
    }

    /// Commits a batch with everything that waits behind it; returns the order that is none of these.
    async fn group(&mut self, first: Judged) -> Result<Option<Order>, PipelineError> {
        let mut bytes = journal_bytes(&first.commit);
        let mut group = Group::default();
        group.add(first);
        let mut other = None;
        while bytes < COMMIT_BYTES_MAX
            && let Ok(order) = self.orders.try_recv()
        {
            let Order::Commit(judged) = order else {
                other = Some(order);
                break;
            };
            bytes = bytes.saturating_add(journal_bytes(&judged.commit));
            group.add(judged);
        }
        self.commit(group).await?;
        Ok(other)
    }

    async fn commit(&mut self, group: Group) -> Result<(), PipelineError> {
        let Group { commit, replies, judged_at, traces } = group;
        let is_empty = commit.journal.is_empty() && commit.positions.is_empty() && commit.changes.is_empty();
        let recorded = if is_empty { Vec::new() } else { self.persist(&commit).await? };
        let stored = Timestamp::now();
        let telemetry = self.status.telemetry();
        for judged in judged_at {
            telemetry.meters.stage_store.record(between(judged, stored));
        }
        for (first, trace) in traces {
            let changes = commit.changes.iter().zip(&recorded).skip(first).take(trace.changes());
            trace.stored(telemetry, changes, stored);
        }
        for (reply, outcome) in replies {
            // Whoever asked may have gone away meanwhile; the records are stored all the same.
            reply.send(outcome).unwrap_or_default();
        }
        if recorded.iter().any(|recorded| matches!(recorded, Recorded::Revision(_))) {
            (self.nudge)();
            self.tell(&commit.changes, &recorded).await;
        }
        if !commit.positions.is_empty() {
            self.committed.send_modify(|positions| positions.extend(commit.positions));
        }
        Ok(())
    }

    /// Stores it, however often that must be tried.
    async fn persist(&mut self, commit: &Commit) -> Result<Vec<Recorded>, PipelineError> {
        let mut pause = BACKOFF_MIN;
        loop {
            self.check_held()?;
            let meters = &self.status.telemetry().meters;
            match meters.store(&meters.store_commit, self.store.commit(commit.clone(), Timestamp::now())).await {
                Ok(committed) => {
                    self.journal_through = committed.journal_through;
                    self.status.clear(STORE);
                    return Ok(committed.recorded);
                }
                Err(StoreError::Overtaken { .. }) => return Err(PipelineError::TakenOver),
                Err(error) => {
                    tracing::error!(%error, "nothing is accepted until the store works again");
                    self.status.set(STORE, &error.to_string());
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// Tells whoever listens what was stored, as it is stored: a person may have had the last word.
    async fn tell(&self, changes: &[Change], recorded: &[Recorded]) {
        if self.told.receiver_count() == 0 {
            return;
        }
        for (change, recorded) in changes.iter().zip(recorded) {
            if *recorded == Recorded::Known {
                continue;
            }
            if let Ok(Some(alert)) = self.store.alert(&change.alert.id).await {
                // Listeners may have gone away since.
                drop(self.told.send(Arc::new(Told { kind: change.kind, alert })));
            }
        }
    }
}

fn journal_bytes(commit: &Commit) -> usize {
    commit.journal.iter().map(|entry| entry.records.len()).fold(0, usize::saturating_add)
}
