//! The store of several workers: one table in DynamoDB, and the engine's snapshots in S3.
//!
//! What is atomic: a change of an alert, its revision and its deliveries; a claim; a settlement; entries of the journal
//! with their numbers. A commit as a whole is not. It writes alerts first, then the journal, then positions, so whatever
//! a crash leaves undone is judged again and found to be known.
//!
//! Alerts, deliveries and silences are shared by all workers. Positions, the journal and the snapshot belong to a scope:
//! all of it for a single worker, one shard where workers share the shards. A scope has an epoch that grows with every
//! owner, and an older one writes nothing.
//!
//! | partition | items |
//! |---|---|
//! | `alerts#N` | the head of each alert; `by_order` lists them, `by_due` those to be forgotten by when they changed |
//! | `alert#ID` | the revisions of an alert |
//! | `sink#NAME` | the sink's deliveries; `by_order` those that wait, were told or are dead, `by_due` those that wait |
//! | `tie#KEY` | the alerts with this key; `by_order` lists them by when they began |
//! | `note#INCIDENT` | what each sink remembers of the incident |
//! | `evidence#WORKER` | the lines of a chain of evidence, those of one transaction in an item |
//! | `chains` | how far each chain is archived |
//! | `sinks`, `silences`, `meta` | the names of sinks; silences; the table's format |
//! | `scope#NAME` | the scope's positions, its snapshot's pointer, the journal's counter |
//! | `journal#NAME`, `part#ID` | journal entries, and parts of those too long for an item |

mod claims;
mod delivery;
mod evidence;
mod failure;
mod head;
mod incidents;
mod item;
mod journal;
mod lists;
mod record;
mod schema;
mod silences;
mod snapshots;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use bedrock_watch_service::{
    config::aws::DynamoDbStore,
    evidence::{Chain, Fact},
    incident::Link,
    store::{
        AlertFilter, Claim, Commit, Committed, DeadLetter, JournalEntry, Note, Page, Reach, Resolution, Revision,
        Settlement, Silence, Snapshot, Store, StoreError, StoredAlert, Waiting,
    },
};
use jiff::Timestamp;
use tokio::sync::Mutex;

pub(crate) use self::table::{BY_DUE, BY_ORDER};
use self::{claims::Claimant, evidence::Evidence, failure::Failure, journal::Counter, snapshots::Bucket, table::Table};

/// Whose positions, journal and snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scope {
    name: String,
    epoch: u64,
}

impl Scope {
    fn partition(&self) -> String {
        format!("scope#{}", self.name)
    }

    /// Refuses to go on where somebody of a later epoch has written.
    fn check(&self, written: u64) -> Result<(), Failure> {
        if written > self.epoch { Err(Failure::Overtaken(self.to_string())) } else { Ok(()) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            formatter.write_str("the positions and the journal")
        } else {
            write!(formatter, "`{}`", self.name)
        }
    }
}

/// A store in a table, seen from one scope.
#[derive(Debug)]
pub struct DynamoStore {
    table: Table,
    bucket: Bucket,
    place: String,
    scope: Scope,
    /// Sinks known to be noted in the table.
    sinks: Arc<Mutex<BTreeSet<String>>>,
    counter: Mutex<Option<Counter>>,
    /// This process's evidence, whatever the scope.
    evidence: Evidence,
}

impl DynamoStore {
    /// Opens the table, and makes it if there is none. The scope is that of a single worker: no name, epoch 0.
    ///
    /// # Errors
    /// When the table cannot be made or read, or is of another program or version.
    pub async fn open(sdk: &SdkConfig, config: &DynamoDbStore) -> Result<Self, StoreError> {
        let table = Table::new(aws_sdk_dynamodb::Client::new(sdk), &config.table);
        let place = format!("the DynamoDB table {}", config.table);
        schema::establish(&table).await.map_err(|failure| failure.at("open", &place))?;
        // A snapshot is larger than any other answer.
        let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let timeouts = timeouts.operation_timeout(snapshots::TRANSFER_TIMEOUT).build();
        // Emulators and private endpoints have no name for each bucket.
        let is_elsewhere = sdk.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(sdk).timeout_config(timeouts).force_path_style(is_elsewhere).build();
        let bucket = Bucket {
            client: aws_sdk_s3::Client::from_conf(s3),
            name: config.snapshot_bucket.clone(),
            prefix: config.snapshot_prefix.clone(),
        };
        let scope = Scope { name: String::new(), epoch: 0 };
        let (sinks, counter, evidence) = (Arc::default(), Mutex::default(), Evidence::begin());
        Ok(Self { table, bucket, place, scope, sinks, counter, evidence })
    }

    /// The same store for another scope. `epoch` must grow with each owner of the scope; one that is older than that of
    /// the last writer reads, but its writes fail with [`StoreError::Overtaken`].
    #[must_use]
    pub fn scoped(&self, name: &str, epoch: u64) -> Self {
        Self {
            table: self.table.clone(),
            bucket: self.bucket.clone(),
            place: self.place.clone(),
            scope: Scope { name: name.to_owned(), epoch },
            sinks: Arc::clone(&self.sinks),
            counter: Mutex::default(),
            evidence: self.evidence.clone(),
        }
    }

    async fn commit_parts(&self, commit: &Commit, now: Timestamp) -> Result<Committed, Failure> {
        self.note_sinks(commit).await?;
        let recorded = record::record((&self.table, &self.evidence), &commit.changes, now).await?;
        let journal_through = if commit.journal.is_empty() {
            journal::last(&self.table, &self.scope, &self.counter).await?
        } else {
            journal::add(&self.table, &self.scope, &self.counter, &commit.journal).await?
        };
        journal::set_positions(&self.table, &self.scope, &commit.positions).await?;
        Ok(Committed { journal_through, recorded })
    }

    async fn note_sinks(&self, commit: &Commit) -> Result<(), Failure> {
        let mut known = self.sinks.lock().await;
        for destination in commit.changes.iter().flat_map(|change| &change.destinations) {
            if !known.contains(&destination.sink) {
                claims::note_sink(&self.table, &destination.sink).await?;
                known.insert(destination.sink.clone());
            }
        }
        Ok(())
    }

    fn reading(&self, failure: Failure) -> StoreError {
        failure.at("read", &self.place)
    }

    fn writing(&self, failure: Failure) -> StoreError {
        failure.at("write to", &self.place)
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn commit(&self, commit: Commit, now: Timestamp) -> Result<Committed, StoreError> {
        self.commit_parts(&commit, now).await.map_err(|failure| self.writing(failure))
    }

    async fn positions(&self) -> Result<BTreeMap<String, String>, StoreError> {
        journal::positions(&self.table, &self.scope).await.map_err(|failure| self.reading(failure))
    }

    async fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        journal::read(&self.table, &self.scope, after, limit).await.map_err(|failure| self.reading(failure))
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let through = snapshot.journal;
        let saved = self.bucket.save(&self.table, &self.scope, snapshot).await;
        saved.map_err(|failure| failure.at("keep a snapshot beside", &self.place))?;
        journal::forget(&self.table, &self.scope, through).await.map_err(|failure| self.writing(failure))
    }

    async fn load_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let loaded = self.bucket.load(&self.table, &self.scope).await;
        loaded.map_err(|failure| failure.at("read the snapshot beside", &self.place))
    }

    async fn alert(&self, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        lists::one(&self.table, id).await.map_err(|failure| self.reading(failure))
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Page, StoreError> {
        lists::page(&self.table, filter).await.map_err(|failure| match failure {
            Failure::Token => StoreError::Token(filter.after.clone().unwrap_or_default()),
            failure => self.reading(failure),
        })
    }

    async fn history(&self, id: &str) -> Result<Vec<Revision>, StoreError> {
        lists::history(&self.table, id).await.map_err(|failure| self.reading(failure))
    }

    async fn resolve(&self, id: &str, by: &Resolution, now: Timestamp) -> Result<Option<StoredAlert>, StoreError> {
        record::resolve((&self.table, &self.evidence), id, by, now).await.map_err(|failure| self.writing(failure))
    }

    async fn claim(
        &self,
        sink: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        let claimant = Claimant { sink, owner, now, until };
        claims::claim(&self.table, claimant, limit).await.map_err(|failure| self.writing(failure))
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement, now: Timestamp) -> Result<bool, StoreError> {
        claims::settle((&self.table, &self.evidence), claim, settlement, now)
            .await
            .map_err(|failure| self.writing(failure))
    }

    async fn next_due(&self, sink: &str) -> Result<Option<Timestamp>, StoreError> {
        claims::next_due(&self.table, sink).await.map_err(|failure| self.reading(failure))
    }

    async fn waiting(&self, sink: &str) -> Result<Waiting, StoreError> {
        claims::waiting(&self.table, sink).await.map_err(|failure| self.reading(failure))
    }

    async fn remind(&self, sink: &str, told_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        claims::remind(&self.table, sink, told_before, now).await.map_err(|failure| self.writing(failure))
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        claims::dead_letters(&self.table, limit).await.map_err(|failure| self.reading(failure))
    }

    async fn redrive(&self, sink: Option<&str>, now: Timestamp) -> Result<u64, StoreError> {
        claims::redrive((&self.table, &self.evidence), sink, now).await.map_err(|failure| self.writing(failure))
    }

    async fn links(&self, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, StoreError> {
        incidents::within(&self.table, reaches, limit).await.map_err(|failure| self.reading(failure))
    }

    async fn alerts_by_id(&self, ids: &[String]) -> Result<Vec<StoredAlert>, StoreError> {
        incidents::alerts_by_id(&self.table, ids).await.map_err(|failure| self.reading(failure))
    }

    async fn notes(&self, sink: &str, incidents: &[String]) -> Result<Vec<Note>, StoreError> {
        incidents::notes(&self.table, sink, incidents).await.map_err(|failure| self.reading(failure))
    }

    async fn put_note(&self, note: &Note) -> Result<bool, StoreError> {
        incidents::put_note(&self.table, note).await.map_err(|failure| self.writing(failure))
    }

    async fn put_silence(&self, silence: Silence, now: Timestamp) -> Result<(), StoreError> {
        silences::put((&self.table, &self.evidence), &silence, now).await.map_err(|failure| self.writing(failure))
    }

    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError> {
        silences::list(&self.table, now, ended).await.map_err(|failure| self.reading(failure))
    }

    async fn end_silence(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        silences::end((&self.table, &self.evidence), id, now).await.map_err(|failure| self.writing(failure))
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        lists::forget(&self.table, before).await.map_err(|failure| self.writing(failure))
    }

    async fn attest(&self, facts: Vec<Fact>, now: Timestamp) -> Result<(), StoreError> {
        self.evidence.attest(&self.table, &facts, now).await.map_err(|failure| self.writing(failure))
    }

    async fn chains(&self) -> Result<Vec<Chain>, StoreError> {
        self.evidence.chains(&self.table).await.map_err(|failure| self.reading(failure))
    }

    async fn evidence(&self, worker: &str, after: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        evidence::read(&self.table, worker, after, limit).await.map_err(|failure| self.reading(failure))
    }

    async fn archived(&self, worker: &str, through: u64) -> Result<(), StoreError> {
        self.evidence.archived(&self.table, worker, through).await.map_err(|failure| self.writing(failure))
    }
}
