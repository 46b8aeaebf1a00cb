//! What must survive: alerts with their history, who was told of them, silences, positions, the journal and the
//! engine's snapshots.
//!
//! One trait, so that a single node needs nothing but a file (`sqlite`) and several can share a table in the cloud.
//! Every store passes the same conformance tests. Deliberately no rules and no routing here: the caller says what an
//! alert has become and which sinks should hear of it, and the store answers what that changed.

mod alert;
mod delivery;
mod digest;
mod error;
pub mod life;
mod note;
mod silence;
mod snapshot;
pub mod sqlite;

use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    evidence::{Chain, Fact},
    incident::Link,
};

pub use alert::{AlertFilter, Change, Page, Recorded, Resolution, Revision, StoredAlert};
pub use delivery::{Claim, DeadLetter, Destination, Sent, Settlement, Waiting};
pub use digest::{DIGEST_BYTES, digest};
pub use error::StoreError;
pub use note::{Note, Reach};
pub use silence::{Matcher, Silence};
pub use snapshot::{JournalEntry, Snapshot};

/// What one or several judged batches changed; stored as a whole or not at all where the engine of the store can.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Records of sources that cannot be read again, in the order in which they were judged.
    pub journal: Vec<JournalEntry>,
    /// Up to where sources have been judged, by source.
    pub positions: BTreeMap<String, String>,
    /// What became of alerts, in order.
    pub changes: Vec<Change>,
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The number of the last journal entry there is; a snapshot taken now contains all up to it.
    pub journal_through: u64,
    /// For each change of the commit, in order: what it was to the store.
    pub recorded: Vec<Recorded>,
}

/// Something that keeps what must survive.
///
/// Times are wall-clock times and always given by the caller, so that tests decide what time it is.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Stores what judged batches changed. When this returns, it survives the process and the machine's power.
    ///
    /// A change that leaves its alert as it is already stored (the same digest) is no change: no revision, nobody is
    /// told, unless it fires and is silenced no longer. So the same history may be judged again after a crash. What a change becomes otherwise is `life::next`'s to
    /// say: the first change stored of an alert fires it, or tells that it fired and is over; withdrawing what was never
    /// stored is nothing.
    async fn commit(&self, commit: Commit, now: Timestamp) -> Result<Committed, StoreError>;

    /// Up to where each source had been judged when its alerts were stored.
    async fn positions(&self) -> Result<BTreeMap<String, String>, StoreError>;

    /// Journal entries after the one numbered `after`, at most `limit`, in order.
    async fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError>;

    /// Keeps a snapshot in place of the former one, and then forgets the journal entries that it contains.
    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError>;

    /// The last snapshot kept.
    async fn load_snapshot(&self) -> Result<Option<Snapshot>, StoreError>;

    /// One alert.
    async fn alert(&self, id: &str) -> Result<Option<StoredAlert>, StoreError>;

    /// Alerts by filter, newest first (first event time, then id, both descending).
    async fn alerts(&self, filter: &AlertFilter) -> Result<Page, StoreError>;

    /// Every revision that is kept of an alert, oldest first.
    async fn history(&self, id: &str) -> Result<Vec<Revision>, StoreError>;

    /// A person says that an alert is over. `None` when there is no such alert; resolving twice changes nothing.
    ///
    /// Sinks that were told of it, or will be, are told of the resolution. A later change of kind `Updated` is stored
    /// but leaves it resolved, unless its severity rises; `Fired` opens it again.
    async fn resolve(&self, id: &str, by: &Resolution, now: Timestamp) -> Result<Option<StoredAlert>, StoreError>;

    /// Claims deliveries for one sink: those that wait, are due and that nobody else holds, each by compare-and-swap;
    /// the most severe first, then those that wait longest; at most `limit`. The claim holds until `until`.
    async fn claim(
        &self,
        sink: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Says how a claimed delivery went. `false` when the claim had expired and somebody else has it now; nothing is
    /// changed then.
    async fn settle(&self, claim: &Claim, settlement: &Settlement, now: Timestamp) -> Result<bool, StoreError>;

    /// When the next delivery for a sink falls due, however far off; `None` when nothing waits.
    async fn next_due(&self, sink: &str) -> Result<Option<Timestamp>, StoreError>;

    /// How much waits for a sink.
    async fn waiting(&self, sink: &str) -> Result<Waiting, StoreError>;

    /// Makes a sink hear again of alerts that still fire and of which it was last told before `told_before`; returns
    /// how many.
    async fn remind(&self, sink: &str, told_before: Timestamp, now: Timestamp) -> Result<u64, StoreError>;

    /// Deliveries that were given up, newest first, at most `limit`.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;

    /// Puts given-up deliveries back, of one sink or of all; returns how many.
    async fn redrive(&self, sink: Option<&str>, now: Timestamp) -> Result<u64, StoreError>;

    /// The ties (`incident::links`) of alerts as they are stored, each alert's written with it: for each reach the
    /// earliest ones, at most `limit`, by first event time and id.
    async fn links(&self, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, StoreError>;

    /// The alerts of these ids that there are, in any order.
    async fn alerts_by_id(&self, ids: &[String]) -> Result<Vec<StoredAlert>, StoreError>;

    /// Those of these alerts, each named once, that are stored in another revision than the one given, 0 for none, in any
    /// order. A store that can find that out without reading the alerts does.
    async fn changed_alerts(&self, known: &[(String, u32)]) -> Result<Vec<StoredAlert>, StoreError> {
        let ids: Vec<String> = known.iter().map(|(id, _)| id.clone()).collect();
        let known: BTreeMap<&str, u32> = known.iter().map(|(id, revision)| (id.as_str(), *revision)).collect();
        let mut changed = self.alerts_by_id(&ids).await?;
        changed.retain(|stored| known.get(stored.alert.id.as_str()) != Some(&stored.revision));
        Ok(changed)
    }

    /// What a sink remembers of these incidents, where it remembers anything, in any order.
    async fn notes(&self, sink: &str, incidents: &[String]) -> Result<Vec<Note>, StoreError>;

    /// Keeps a note if it is still the version that was read (0: if there is none), by compare-and-swap; `false` when
    /// somebody else was first. Its version is one more then.
    async fn put_note(&self, note: &Note) -> Result<bool, StoreError>;

    /// Adds a silence, or replaces the one with its id.
    async fn put_silence(&self, silence: Silence, now: Timestamp) -> Result<(), StoreError>;

    /// Every silence that ends after `now`, and, with `ended`, also those that ended within the last 30 days; by start.
    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError>;

    /// Ends a silence now; `false` when there is none with this id that still holds.
    async fn end_silence(&self, id: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Forgets alerts last changed before `before` that are resolved or withdrawn, or that nothing ever resolves
    /// (`life::never_resolves`), with their history, deliveries, ties, and the notes of incidents that begin with them;
    /// returns how many. Evidence is not touched.
    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Adds what happened outside of the store to the evidence, in this order. What the store itself does, it adds by
    /// itself, in the transaction that does it (`evidence::of_change` and its like say what).
    async fn attest(&self, facts: Vec<Fact>, now: Timestamp) -> Result<(), StoreError>;

    /// The chains of evidence that have a line, this process's own among them.
    async fn chains(&self) -> Result<Vec<Chain>, StoreError>;

    /// Lines of a chain after the one numbered `after`, at most `limit`, in order; without line feeds. Those that were
    /// archived need not be there.
    async fn evidence(&self, worker: &str, after: u64, limit: usize) -> Result<Vec<String>, StoreError>;

    /// The chain is archived up to this line, and the store may forget what was archived. The last line of all stays.
    async fn archived(&self, worker: &str, through: u64) -> Result<(), StoreError>;
}
