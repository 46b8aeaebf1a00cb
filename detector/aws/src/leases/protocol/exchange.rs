//! What the protocol asks, what it is answered, and what it tells whoever runs the work. Deliberately only data.

use super::super::row::{Change, Checkpoint, Row, ShardInfo};

use super::Millis;

/// What the table, or the stream, is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// All rows.
    Scan,
    /// The stream's shards.
    Shards,
    /// One row.
    Read(String),
    /// A new row, if the shard has none.
    Create(Row),
    /// A change of a shard's row, if it has this counter.
    Update(String, u64, Change),
    /// Removal of a shard's row, if it has this counter.
    Remove(String, u64),
}

/// Something to ask. Each is answered once, if only by [`Answer::Failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Goes back with the answer.
    pub id: u64,
    /// What.
    pub ask: Ask,
    /// It is not worth sending after this time.
    pub not_after: Millis,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All rows.
    Rows(Vec<Row>),
    /// All shards.
    Shards(Vec<ShardInfo>),
    /// The row that was asked for.
    Row(Option<Row>),
    /// It was written.
    Done,
    /// It was not, because the row is not as expected but so.
    Refused(Option<Row>),
    /// Nothing is known: it may have been done, or be done yet.
    Failed,
}

/// What whoever runs the work must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The shard is this worker's from now on.
    Gained {
        /// The shard.
        shard: String,
        /// Grows with each time the shard is gained, by whomever.
        epoch: u64,
        /// Up to where it was read.
        checkpoint: Checkpoint,
    },
    /// It no longer is.
    Lost {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
    },
    /// A checkpoint is in the table; after `ShardEnd` the lease is over.
    Stored {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
        /// Up to where.
        checkpoint: Checkpoint,
    },
    /// The lease was given back.
    Released {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
    },
}
