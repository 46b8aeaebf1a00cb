//! Catching up after a crash: what was judged before is judged again, so that the engine remembers it, and not told
//! again.
//!
//! Meanwhile changes are held back. When every source is past what it had been committed at, the alerts that changed are
//! stored as they stand; those that the store knows just so vanish there. What a crash kept from being stored is among
//! them and is told then. A source that takes too long is no longer waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bedrock_watch_engine::{
    Engine, SnapshotError,
    alert::{Alert, AlertChange, ChangeKind, Status},
    rule::RuleSet,
};
use jiff::Timestamp;
use tokio::time::Instant;

use super::silenced::Silenced;
use crate::store::{Commit, JournalEntry, Store, StoreError};

/// How long sources may take to repeat what they were committed at.
const PATIENCE: Duration = Duration::from_secs(60);
/// Journal entries read at a time.
const ENTRIES: usize = 64;

/// Why the engine could not be given back its memory.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot is not one this version can read.
    #[error("the memory beside the store cannot be used: {0}")]
    Snapshot(#[from] SnapshotError),
}

/// An engine with its memory, and what is known of how it came to it.
#[derive(Debug)]
pub struct Restored {
    /// The engine, as of the last record of the journal.
    pub engine: Engine,
    /// Up to where the engine remembers each source.
    pub positions: BTreeMap<String, String>,
    /// Up to where each source's alerts are stored, where that is further.
    pub ahead: BTreeMap<String, String>,
    pub(super) held: BTreeMap<String, AlertChange>,
    pub(super) silenced: Silenced,
    pub(super) journal_bytes: u64,
    pub(super) journal_through: u64,
    pub(super) has_snapshot: bool,
}

/// Restores the engine from its snapshot and judges the journal again, telling nobody.
///
/// # Errors
/// When the store fails, or the snapshot cannot be read.
pub async fn restore(
    store: &dyn Store,
    rules: Arc<RuleSet>,
    settings: bedrock_watch_engine::Settings,
) -> Result<Restored, RestoreError> {
    let snapshot = store.load_snapshot().await?;
    let has_snapshot = snapshot.is_some();
    let (engine, positions, journal) = match snapshot {
        Some(snapshot) => (Engine::restore(rules, settings, &snapshot.bytes)?, snapshot.positions, snapshot.journal),
        None => (Engine::new(rules, settings), BTreeMap::new(), 0),
    };
    let mut ahead = store.positions().await?;
    ahead.retain(|source, position| positions.get(source) != Some(position));
    let mut restored = Restored {
        engine,
        positions,
        ahead,
        held: BTreeMap::new(),
        silenced: Silenced::of_store(store).await?,
        journal_bytes: 0,
        journal_through: store.commit(Commit::default(), Timestamp::now()).await?.journal_through,
        has_snapshot,
    };
    let mut after = journal;
    loop {
        let entries = store.journal(after, ENTRIES).await?;
        let Some((last, _)) = entries.last() else { break };
        after = *last;
        for (_, entry) in &entries {
            restored.judge_again(entry);
        }
    }
    Ok(restored)
}

impl Restored {
    fn judge_again(&mut self, entry: &JournalEntry) {
        self.journal_bytes = self.journal_bytes.saturating_add(u64::try_from(entry.records.len()).unwrap_or(u64::MAX));
        let mut start: usize = 0;
        for end in &entry.ends {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let record = entry.records.get(start..end).unwrap_or_default();
            start = end;
            // It was judged before; should it be refused now, it was counted when it was.
            for change in self.engine.judge_recorded(record).unwrap_or_default() {
                self.held.insert(change.alert.id.clone(), change);
            }
        }
    }
}

/// The state of catching up.
#[derive(Debug)]
pub(super) struct CatchUp {
    behind: BTreeSet<String>,
    held: BTreeMap<String, AlertChange>,
    /// When waiting ends.
    pub(super) until: Instant,
}

impl CatchUp {
    /// Waits for `behind`; `held` is what the journal caused.
    pub(super) fn new(behind: BTreeSet<String>, held: BTreeMap<String, AlertChange>) -> Self {
        let now = Instant::now();
        Self { behind, held, until: now.checked_add(PATIENCE).unwrap_or(now) }
    }

    /// Keeps a change from being told for now.
    pub(super) fn hold(&mut self, change: AlertChange) {
        self.held.insert(change.alert.id.clone(), change);
    }

    /// A source is past what it was committed at.
    pub(super) fn passed(&mut self, source: &str) {
        self.behind.remove(source);
    }

    /// Whether nobody is waited for any more.
    pub(super) fn is_over(&self) -> bool {
        self.behind.is_empty() || self.until <= Instant::now()
    }

    /// The sources that are waited for.
    pub(super) const fn behind(&self) -> &BTreeSet<String> {
        &self.behind
    }

    /// What was held back, as it stands now: `present` are the engine's alerts. What was told last on the way here need
    /// not be what was told before the restart, because growth is told at powers of two and records came in another
    /// order; the present is the same.
    pub(super) fn into_changes(self, present: Vec<Alert>) -> Vec<AlertChange> {
        let mut held = self.held;
        let mut changes = Vec::new();
        for alert in present {
            let Some(change) = held.remove(&alert.id) else { continue };
            let kind = match (alert.status, change.kind) {
                (Status::Firing, ChangeKind::Fired) => ChangeKind::Fired,
                (Status::Firing, _) => ChangeKind::Updated,
                (Status::Resolved, _) => ChangeKind::Resolved,
                (Status::Withdrawn, _) => ChangeKind::Withdrawn,
            };
            changes.push(AlertChange { kind, alert });
        }
        // The engine no longer has what was withdrawn.
        changes.extend(held.into_values());
        changes
    }
}
