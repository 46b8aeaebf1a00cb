//! Where evidence is kept for good: files that are written once, and how a chain comes to lie there.
//!
//! A chain is cut into files that follow on each other: each begins with the entry after the last one that was archived,
//! holds entries of one day, and is called by worker, day and the number of its first entry. A file is never replaced.
//! So if a process ends between writing a file and noting so in the store, whoever comes next finds the file, sees that
//! it is the beginning of what is to be archived, and goes on behind it: nothing is lost, nothing lies there twice.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    Chain,
    chain::{Entry, read_line},
};
use crate::store::{Store, StoreError};

/// Entries in one file.
const FILE_ENTRIES_MAX: usize = 5_000;
/// Bytes in one file, from which on no further entry is added.
const FILE_BYTES_MAX: usize = 4 << 20;
/// The ending of files.
const ENDING: &str = ".jsonl";

/// Why evidence was not archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive does not answer.
    #[error("the evidence archive {place}: cannot {action}: {reason}")]
    Unavailable {
        /// The folder or bucket.
        place: String,
        /// What was tried.
        action: &'static str,
        /// Why not.
        reason: String,
    },
    /// What lies there is not what the store says.
    #[error(
        "the evidence archive {place}: {key} is not what was to be written there ({reason}); nothing further of {worker} \
         is archived: run `bedrock-watch evidence` to see what was changed"
    )]
    Different {
        /// The folder or bucket.
        place: String,
        /// The file.
        key: String,
        /// Whose chain.
        worker: String,
        /// What differs.
        reason: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A place where files are written once.
#[async_trait]
pub trait Archive: Debug + Send + Sync + 'static {
    /// The folder or bucket, for people.
    fn place(&self) -> String;

    /// Writes a file that is not there yet; `false` when there is one, which stays as it is.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<bool, ArchiveError>;

    /// Reads a file; `None` when there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ArchiveError>;

    /// Every file, in the order of their names.
    async fn list(&self) -> Result<Vec<String>, ArchiveError>;
}

/// What a file is called: `WORKER/2026-11-22/000000000001.jsonl`.
#[must_use]
pub fn key(worker: &str, at: Timestamp, first: u64) -> String {
    let day = at.to_zoned(TimeZone::UTC).date();
    format!("{worker}/{day}/{first:012}{ENDING}")
}

/// The worker, the day and the number of the first entry that a file's name says.
#[must_use]
pub fn read_key(key: &str) -> Option<(&str, jiff::civil::Date, u64)> {
    let (rest, first) = key.strip_suffix(ENDING)?.rsplit_once('/')?;
    let (worker, day) = rest.rsplit_once('/')?;
    Some((worker, day.parse().ok()?, first.parse().ok()?))
}

/// Archives what is not archived of a chain, and has the store forget what then lies there; returns how many entries.
///
/// # Errors
/// When the archive or the store does not answer, or a file is there that is not of this chain.
pub async fn archive(store: &dyn Store, archive: &dyn Archive, chain: &Chain) -> Result<u64, ArchiveError> {
    let mut through = chain.archived;
    while through < chain.seq {
        let lines = store.evidence(&chain.worker, through, FILE_ENTRIES_MAX).await?;
        let Some(file) = File::of(&lines, &chain.worker, through) else { break };
        if !archive.put(&file.key, file.bytes.clone()).await? {
            tracing::debug!(file = file.key, "evidence was archived before, and that was not noted");
        }
        // What is to be forgotten in the store must be there to be read.
        let last = file.check(archive, &lines).await?;
        store.archived(&chain.worker, last).await?;
        through = last;
    }
    Ok(through.saturating_sub(chain.archived))
}

/// Archives every chain that `wanted` says; what fails is returned, and keeps no other from being archived.
///
/// # Errors
/// With everything that failed.
pub async fn archive_all(
    store: &Arc<dyn Store>,
    to: &dyn Archive,
    wanted: impl Fn(&Chain) -> bool,
) -> Result<u64, Vec<ArchiveError>> {
    let chains = store.chains().await.map_err(|error| vec![ArchiveError::from(error)])?;
    let (mut archived, mut failed): (u64, Vec<ArchiveError>) = (0, Vec::new());
    for chain in chains.iter().filter(|chain| chain.archived < chain.seq && wanted(chain)) {
        match archive(&**store, to, chain).await {
            Ok(entries) => archived = archived.saturating_add(entries),
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() { Ok(archived) } else { Err(failed) }
}

/// A file to be written.
struct File {
    worker: String,
    key: String,
    bytes: Vec<u8>,
}

impl File {
    /// The file with the first of these lines, which come after entry `through`, and those of the same day after it.
    fn of(lines: &[String], worker: &str, through: u64) -> Option<Self> {
        let day = |entry: &Entry| entry.at.to_zoned(TimeZone::UTC).date();
        // It begins elsewhere where another worker has archived the chain meanwhile.
        let first = read_line(lines.first()?).ok().filter(|first| first.seq == through.saturating_add(1))?;
        let mut bytes = Vec::new();
        for line in lines {
            let same_day = read_line(line).is_ok_and(|entry| day(&entry) == day(&first));
            if !same_day || bytes.len() >= FILE_BYTES_MAX {
                break;
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        let key = key(worker, first.at, through.saturating_add(1));
        Some(Self { worker: worker.to_owned(), key, bytes })
    }

    /// Compares the file that lies there with the lines of the store; returns the number of its last entry.
    async fn check(&self, archive: &dyn Archive, lines: &[String]) -> Result<u64, ArchiveError> {
        let different = |reason: &str| ArchiveError::Different {
            place: archive.place(),
            key: self.key.clone(),
            worker: self.worker.clone(),
            reason: reason.to_owned(),
        };
        let found = archive.get(&self.key).await?.ok_or_else(|| different("it cannot be read"))?;
        let found = String::from_utf8(found).map_err(|_| different("it is no text"))?;
        let mut last = None;
        let mut known = lines.iter();
        for line in found.lines() {
            if known.next().map(String::as_str) != Some(line) {
                return Err(different("an entry in it is not that of the store"));
            }
            last = Some(line);
        }
        let last = last.filter(|_| found.ends_with('\n')).and_then(|line| read_line(line).ok());
        last.map(|entry| entry.seq).ok_or_else(|| different("it is cut off"))
    }
}
