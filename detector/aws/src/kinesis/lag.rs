//! How far behind each shard is read, and what its reader met: for `/readyz` and for metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::failure::Meaning;

/// What is known of every shard that is being read, by its name as a source. Clones are the same; whoever reads a shard
/// that others read too needs its own.
#[derive(Debug, Clone, Default)]
pub struct Lags {
    shards: Arc<Mutex<BTreeMap<String, ShardLag>>>,
}

/// What is known of a shard that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardLag {
    /// How far behind the newest record the reader was when Kinesis told it last (MillisBehindLatest).
    pub behind: Duration,
    /// When that was; while a reader is held back or refused, it falls behind without being told.
    pub told: Instant,
    /// When the newest record that was handed over arrived at the stream.
    pub newest_arrival: Option<Timestamp>,
    /// What was met since the start.
    pub counters: ReadCounters,
}

/// What a reader met since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounters {
    /// Kinesis records.
    pub records: u64,
    /// Their bytes, as they came.
    pub bytes: u64,
    /// Kinesis records that the producer library had packed.
    pub aggregates: u64,
    /// User records in such that belong to another shard since a reshard, which gives them too.
    pub foreign: u64,
    /// How often records may have been lost: the position was older than what the stream keeps.
    pub lost: u64,
    /// Calls refused because there were too many.
    pub throttled: u64,
    /// Iterators that had expired.
    pub expired: u64,
    /// Other calls that failed.
    pub failed: u64,
}

impl ShardLag {
    /// How far behind it is by now, at most.
    #[must_use]
    pub fn at(&self, now: Instant) -> Duration {
        self.behind.saturating_add(now.saturating_duration_since(self.told))
    }

    fn begun() -> Self {
        let counters = ReadCounters::default();
        Self { behind: Duration::ZERO, told: Instant::now(), newest_arrival: None, counters }
    }
}

impl Lags {
    /// Every shard that is being read.
    #[must_use]
    pub fn read(&self) -> BTreeMap<String, ShardLag> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reading a shard begins.
    pub(super) fn begin(&self, source: &str) {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.insert(source.to_owned(), ShardLag::begun());
    }

    /// A shard is not read any more.
    pub(super) fn end(&self, source: &str) {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// Kinesis said how far behind the reader is; it does not always.
    pub(super) fn told(&self, source: &str, behind_ms: Option<i64>) {
        let behind = Duration::from_millis(behind_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default());
        self.change(source, |lag| (lag.behind, lag.told) = (behind, Instant::now()));
    }

    /// A record that arrived then was handed over.
    pub(super) fn arrived(&self, source: &str, arrived: Option<Timestamp>) {
        self.change(source, |lag| lag.newest_arrival = lag.newest_arrival.max(arrived));
    }

    /// Something was met.
    pub(super) fn count(&self, source: &str, met: &ReadCounters) {
        self.change(source, |lag| lag.counters.add(met));
    }

    /// A call failed.
    pub(super) fn failed(&self, source: &str, meaning: Meaning) {
        let mut met = ReadCounters::default();
        match meaning {
            Meaning::Throttled => met.throttled = 1,
            Meaning::Expired => met.expired = 1,
            _ => met.failed = 1,
        }
        self.count(source, &met);
    }

    fn change(&self, source: &str, change: impl FnOnce(&mut ShardLag)) {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lag) = shards.get_mut(source) {
            change(lag);
        }
    }
}

impl ReadCounters {
    /// Adds what else was met.
    pub(super) const fn add(&mut self, other: &Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.aggregates = self.aggregates.saturating_add(other.aggregates);
        self.foreign = self.foreign.saturating_add(other.foreign);
        self.lost = self.lost.saturating_add(other.lost);
        self.throttled = self.throttled.saturating_add(other.throttled);
        self.expired = self.expired.saturating_add(other.expired);
        self.failed = self.failed.saturating_add(other.failed);
    }
}
