//! The store of a single node: a SQLite file, and beside it the engine's snapshot.
//!
//! One connection writes, on a thread of its own that takes everything that waits into one transaction; another reads;
//! a third moves what was committed into the database.
//! The daemon owns the file and holds a lock; commands may open it beside a running daemon. Deliberately no other
//! process in between and nothing over a network: SQLite's locks need a local file system.

mod alerts;
mod checkpoint;
mod deliveries;
mod evidence;
mod incidents;
mod journal;
mod lane;
mod schema;
mod silences;
mod values;

use std::{collections::BTreeMap, fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::{checkpoint::Checkpointer, lane::Lane};
use super::{
    AlertFilter, Claim, Commit, Committed, DeadLetter, JournalEntry, Note, Page, Reach, Resolution, Revision,
    Settlement, Silence, Snapshot, Store, StoreError, StoredAlert, Waiting,
};
use crate::{
    evidence::{Chain, Fact, of_silence, of_silence_end},
    incident::Link,
    state_file::{PRIVATE, StateError, StateFile, beside},
};

/// Why work failed, before it is known where.
#[derive(Debug)]
enum Failure {
    Sql(rusqlite::Error),
    Foreign(String),
    Damaged(String),
    Token,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    fn at(self, action: &'static str, place: &str) -> StoreError {
        let place = place.to_owned();
        let error = match self {
            Self::Foreign(reason) => return StoreError::Foreign { place, reason },
            Self::Damaged(reason) => return StoreError::Damaged { place, reason },
            Self::Token => return StoreError::Token(place),
            Self::Sql(error) => error,
        };
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign { place, reason },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { place, reason },
            // A value in it is not what this program wrote.
            None if !matches!(error, rusqlite::Error::InvalidPath(_)) => StoreError::Damaged { place, reason },
            _ => StoreError::Unavailable { action, place, reason },
        }
    }
}

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    place: String,
    snapshot: Arc<StateFile>,
    owner: bool,
    // The writing lane goes last: closing the last connection tidies the write-ahead log, which is the writer's.
    reader: Lane,
    _checkpointer: Option<Checkpointer>,
    writer: Lane,
}

impl SqliteStore {
    /// Opens the file as its owner, which must be the only one; it is created where it does not exist.
    ///
    /// Claims that a former owner held are void from now on, and their deliveries `unsettled`.
    ///
    /// # Errors
    /// When somebody else owns it, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        // Its lock is that of the whole store.
        let snapshot = StateFile::claim(&beside(path, SNAPSHOT)).map_err(|error| at_store(error, &place))?;
        create(path, &place)?;
        Self::connect(path, &place, snapshot, true)
    }

    /// Opens the file beside the daemon that owns it, or while no daemon runs. Snapshots cannot be kept this way.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be used.
    pub fn open_beside(path: &Path) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        if !path.exists() {
            let reason = "there is no such file; a daemon creates it when it starts".to_owned();
            return Err(StoreError::Unavailable { action: "open", place, reason });
        }
        Self::connect(path, &place, StateFile::unclaimed(&beside(path, SNAPSHOT)), false)
    }

    fn connect(path: &Path, place: &str, snapshot: StateFile, owner: bool) -> Result<Self, StoreError> {
        let failed = |failure: Failure| failure.at("open", place);
        let snapshot = Arc::new(snapshot);
        let open = |establish: bool| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(path, flags)?;
            schema::prepare(&connection)?;
            if establish {
                schema::establish(&mut connection, owner)?;
            }
            Ok(connection)
        };
        let writing = open(true).map_err(failed)?;
        if owner {
            deliveries::void_claims(&writing).map_err(failed)?;
            incidents::void_holds(&writing).map_err(failed)?;
            if let Some(snapshot) = snapshot.load().map_err(StoreError::from)? {
                journal::number_after(&writing, snapshot.journal).map_err(failed)?;
            }
        }
        let reading = open(false).map_err(failed)?;
        let checkpointer =
            if owner { Some(Checkpointer::start(place.to_owned(), open(false).map_err(failed)?)) } else { None };
        Ok(Self {
            place: place.to_owned(),
            snapshot: Arc::clone(&snapshot),
            owner,
            reader: Lane::reading(place.to_owned(), reading),
            _checkpointer: checkpointer,
            writer: Lane::writing(place.to_owned(), writing, snapshot),
        })
    }
}

/// What is added to the file's name for the snapshot beside it.
const SNAPSHOT: &str = ".snapshot";

impl From<StateError> for StoreError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Io { action, path, source } => {
                Self::Unavailable { action, place: path.display().to_string(), reason: source.to_string() }
            }
            StateError::InUse(path) => Self::InUse { place: path.display().to_string() },
            StateError::Foreign(path) => Self::Foreign {
                place: path.display().to_string(),
                reason: "it does not begin as a snapshot does".to_owned(),
            },
            StateError::Damaged { path, reason } => Self::Damaged { place: path.display().to_string(), reason },
        }
    }
}

/// What is said of the lock is said of the store.
fn at_store(error: StateError, place: &str) -> StoreError {
    match StoreError::from(error) {
        StoreError::InUse { .. } => StoreError::InUse { place: place.to_owned() },
        other => other,
    }
}

/// Creates an empty file, which SQLite takes as an empty database; the other files it makes have the same mode.
fn create(path: &Path, place: &str) -> Result<(), StoreError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path);
    opened.map(drop).map_err(|error| StoreError::Unavailable {
        action: "open",
        place: place.to_owned(),
        reason: error.to_string(),
    })
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, commit: Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let work = move |connection: &Connection| {
            journal::add(connection, &commit.journal)?;
            journal::set_positions(connection, &commit.positions)?;
            let recorded = commit.changes.iter().map(|change| alerts::record(connection, change, now));
            let recorded = recorded.collect::<Result<_, _>>()?;
            Ok(Committed { journal_through: journal::last(connection)?, recorded })
        };
        self.writer.run("write to", work).await
    }

    async fn positions(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.reader.run("read", journal::positions).await
    }

    async fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        self.reader.run("read", move |connection| journal::read(connection, after, limit)).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let unavailable = |reason: &str| StoreError::Unavailable {
            action: "keep a snapshot beside",
            place: self.place.clone(),
            reason: reason.to_owned(),
        };
        if !self.owner {
            return Err(unavailable("only the daemon that owns it may"));
        }
        let (file, through) = (Arc::clone(&self.snapshot), snapshot.journal);
        let saved = tokio::task::spawn_blocking(move || file.save(&snapshot)).await;
        saved.map_err(|error| unavailable(&error.to_string()))??;
        // Only now, when the file is on the disk, may the journal forget what it contains.
        while self.writer.run("write to", move |connection| journal::forget(connection, through)).await? {}
        Ok(())
    }

    async fn load_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let file = Arc::clone(&self.snapshot);
        let loaded = tokio::task::spawn_blocking(move || file.load()).await;
        loaded
            .map_err(|error| StoreError::Unavailable {
                action: "read the snapshot beside",
                place: self.place.clone(),
                reason: error.to_string(),
            })?
            .map_err(StoreError::from)
    }

    async fn alert(&self, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        let id = id.to_owned();
        self.reader.run("read", move |connection| alerts::one(connection, &id)).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Page, StoreError> {
        let wanted = filter.clone();
        let page = self.reader.run("read", move |connection| alerts::page(connection, &wanted)).await;
        page.map_err(|error| match error {
            StoreError::Token(_) => StoreError::Token(filter.after.clone().unwrap_or_default()),
            other => other,
        })
    }

    async fn history(&self, id: &str) -> Result<Vec<Revision>, StoreError> {
        let id = id.to_owned();
        self.reader.run("read", move |connection| alerts::revisions(connection, &id, (0, u32::MAX), false)).await
    }

    async fn resolve(&self, id: &str, by: &Resolution, now: Timestamp) -> Result<Option<StoredAlert>, StoreError> {
        let (id, by) = (id.to_owned(), by.clone());
        self.writer.run("write to", move |connection| alerts::resolve(connection, &id, &by, now)).await
    }

    async fn claim(
        &self,
        sink: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        let (sink, owner) = (sink.to_owned(), owner.to_owned());
        let work = move |connection: &Connection| deliveries::claim(connection, (&sink, &owner), (now, until), limit);
        self.writer.run("write to", work).await
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement, now: Timestamp) -> Result<bool, StoreError> {
        let (claim, settlement) = (claim.clone(), settlement.clone());
        let work = move |connection: &Connection| deliveries::settle(connection, &claim, &settlement, now);
        self.writer.run("write to", work).await
    }

    async fn next_due(&self, sink: &str) -> Result<Option<Timestamp>, StoreError> {
        let sink = sink.to_owned();
        self.reader.run("read", move |connection| deliveries::next_due(connection, &sink)).await
    }

    async fn waiting(&self, sink: &str) -> Result<Waiting, StoreError> {
        let sink = sink.to_owned();
        self.reader.run("read", move |connection| deliveries::waiting(connection, &sink)).await
    }

    async fn remind(&self, sink: &str, told_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let sink = sink.to_owned();
        let work = move |connection: &Connection| deliveries::remind(connection, &sink, told_before, now);
        self.writer.run("write to", work).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.reader.run("read", move |connection| deliveries::dead_letters(connection, limit)).await
    }

    async fn redrive(&self, sink: Option<&str>, now: Timestamp) -> Result<u64, StoreError> {
        let sink = sink.map(str::to_owned);
        let work = move |connection: &Connection| deliveries::redrive(connection, sink.as_deref(), now);
        self.writer.run("write to", work).await
    }

    async fn links(&self, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, StoreError> {
        let reaches = reaches.to_vec();
        self.reader.run("read", move |connection| incidents::within(connection, &reaches, limit)).await
    }

    async fn alerts_by_id(&self, ids: &[String]) -> Result<Vec<StoredAlert>, StoreError> {
        let ids = ids.to_vec();
        self.reader.run("read", move |connection| incidents::alerts_by_id(connection, &ids)).await
    }

    async fn changed_alerts(&self, known: &[(String, u32)]) -> Result<Vec<StoredAlert>, StoreError> {
        let known = known.to_vec();
        self.reader.run("read", move |connection| incidents::changed_alerts(connection, &known)).await
    }

    async fn notes(&self, sink: &str, incidents: &[String]) -> Result<Vec<Note>, StoreError> {
        let (sink, incidents) = (sink.to_owned(), incidents.to_vec());
        self.reader.run("read", move |connection| incidents::notes(connection, &sink, &incidents)).await
    }

    async fn put_note(&self, note: &Note) -> Result<bool, StoreError> {
        let note = note.clone();
        self.writer.run("write to", move |connection| incidents::put_note(connection, &note)).await
    }

    async fn put_silence(&self, silence: Silence, now: Timestamp) -> Result<(), StoreError> {
        let work = move |connection: &Connection| {
            silences::put(connection, &silence)?;
            evidence::add(connection, &[of_silence(&silence)], now)
        };
        self.writer.run("write to", work).await
    }

    async fn silences(&self, now: Timestamp, ended: bool) -> Result<Vec<Silence>, StoreError> {
        self.reader.run("read", move |connection| silences::list(connection, now, ended)).await
    }

    async fn end_silence(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let work = move |connection: &Connection| {
            let ended = silences::end(connection, &id, now)?;
            let facts = ended.then(|| of_silence_end(&id));
            evidence::add(connection, facts.as_slice(), now)?;
            Ok(ended)
        };
        self.writer.run("write to", work).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten: u64 = 0;
        loop {
            let some = self.writer.run("write to", move |connection| alerts::forget(connection, before)).await?;
            forgotten = forgotten.saturating_add(some);
            if some < alerts::FORGET_MAX {
                return Ok(forgotten);
            }
        }
    }

    async fn attest(&self, facts: Vec<Fact>, now: Timestamp) -> Result<(), StoreError> {
        self.writer.run("write to", move |connection| evidence::add(connection, &facts, now)).await
    }

    async fn chains(&self) -> Result<Vec<Chain>, StoreError> {
        Ok(self.reader.run("read", evidence::chain).await?.into_iter().collect())
    }

    async fn evidence(&self, worker: &str, after: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        let worker = worker.to_owned();
        self.reader.run("read", move |connection| evidence::read(connection, &worker, after, limit)).await
    }

    async fn archived(&self, worker: &str, through: u64) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.writer.run("write to", move |connection| evidence::archived(connection, &worker, through)).await?;
        while self.writer.run("write to", evidence::forget).await? {}
        Ok(())
    }
}
