//! What the loop tells about itself after each batch.

use bedrock_watch_engine::{Second, Stats};

use crate::routing::RoutingCounters;

/// Counters and the loop's time.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the engine counted.
    pub stats: Stats,
    /// What the loop counted.
    pub service: ServiceCounters,
    /// What time it was for the loop.
    pub now: Second,
}

/// What the loop counted since the service started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceCounters {
    /// Batches judged.
    pub batches: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// Pieces of input in which no record could be found.
    pub unreadable: u64,
    /// Records put aside because they lie in the future.
    pub future: u64,
    /// Canaries that came back, own ones and those of other workers.
    pub canaries: u64,
    /// Changes of alerts.
    pub changes: u64,
    /// Bytes in the journal that no snapshot contains yet.
    pub journal_bytes: u64,
    /// What became of the changes.
    pub routing: RoutingCounters,
}
