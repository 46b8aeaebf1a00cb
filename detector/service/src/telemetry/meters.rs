//! What parts of the service measure of themselves while they work, other than the loop, whose report says it.
//!
//! Everything here is a handful of numbers with fixed labels; nothing waits and nothing can fail.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::histogram::{LAG, Shared, WORK};
use crate::store::StoreError;

/// A number that only grows, or one that is set.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

/// Lines of the log that were left out because the same was said too often. The log is the process's, not a daemon's.
pub static LOG_SUPPRESSED: Number = Number(AtomicU64::new(0));

impl Number {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Replaces it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Reads it.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of telemetry of one kind.
#[derive(Debug, Default)]
pub struct Sent {
    /// Taken by the receiver.
    pub exported: Number,
    /// Thrown away because the queue was full.
    pub dropped: Number,
    /// Thrown away because the receiver did not take them.
    pub failed: Number,
}

/// Everything that is measured beside the loop.
#[derive(Debug)]
pub struct Meters {
    /// From a batch's order until it is stored, retries included.
    pub stage_store: Shared,
    /// One telling, until the sink answered or failed.
    pub stage_tell: Shared,
    /// One commit.
    pub store_commit: Shared,
    /// Keeping the engine's memory.
    pub store_snapshot: Shared,
    /// Asking what is to be told.
    pub store_claim: Shared,
    /// Saying how a delivery went.
    pub store_settle: Shared,
    /// Operations of these that failed.
    pub store_failed: Number,
    /// Times that records of a stream may have been lost, because they were no longer kept when they were to be read.
    pub stream_lost: Number,
    /// From the sending of a canary to its return.
    pub canary: Shared,
    /// Shards that this worker holds.
    pub leases_held: Number,
    /// Shards that it came to hold.
    pub leases_gained: Number,
    /// Shards that it held no longer.
    pub leases_lost: Number,
    /// Spans.
    pub spans: Sent,
    /// Sets of metrics.
    pub metrics: Sent,
}

impl Meters {
    /// Measures an operation of the store.
    pub async fn store<T>(
        &self,
        operation: &Shared,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = answer.await;
        operation.record(began.elapsed());
        if answer.is_err() {
            self.store_failed.add(1);
        }
        answer
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            stage_store: Shared::new(&WORK),
            stage_tell: Shared::new(&WORK),
            store_commit: Shared::new(&WORK),
            store_snapshot: Shared::new(&WORK),
            store_claim: Shared::new(&WORK),
            store_settle: Shared::new(&WORK),
            store_failed: Number::default(),
            stream_lost: Number::default(),
            canary: Shared::new(&LAG),
            leases_held: Number::default(),
            leases_gained: Number::default(),
            leases_lost: Number::default(),
            spans: Sent::default(),
            metrics: Sent::default(),
        }
    }
}
