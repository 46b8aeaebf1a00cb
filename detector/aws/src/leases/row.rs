//! A lease as a row of the table, in the words of the Kinesis Client Library 2.x.

use std::{cmp::Ordering, fmt};

/// Up to where a shard was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkpoint {
    /// Nothing: it begins with the oldest record that is kept.
    TrimHorizon,
    /// Nothing: it begins with what comes.
    Latest,
    /// Up to the record with this sequence number.
    Sequence(String),
    /// To its end; its children may begin.
    ShardEnd,
}

impl Checkpoint {
    /// The checkpoint in an attribute.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "TRIM_HORIZON" => Self::TrimHorizon,
            // Where a time was asked for, nothing was read yet either, and nothing must be left out.
            "AT_TIMESTAMP" => Self::TrimHorizon,
            "LATEST" => Self::Latest,
            "SHARD_END" => Self::ShardEnd,
            sequence => Self::Sequence(sequence.to_owned()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::TrimHorizon | Self::Latest => 0,
            Self::Sequence(_) => 1,
            Self::ShardEnd => 2,
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
            Self::Sequence(sequence) => sequence,
            Self::ShardEnd => "SHARD_END",
        })
    }
}

impl Ord for Checkpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Sequence numbers are decimal and have up to 56 digits.
            (Self::Sequence(one), Self::Sequence(other)) => {
                let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                one.len().cmp(&other.len()).then_with(|| one.cmp(other))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Checkpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A shard of the stream, as far as leases are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Its id.
    pub id: String,
    /// The shards it came from: one after a split, two after a merge.
    pub parents: Vec<String>,
    /// Whether records are still written to it.
    pub is_open: bool,
    /// The first and the last hash key it holds, as decimal text.
    pub hash_keys: Option<(String, String)>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The shard.
    pub shard: String,
    /// Who holds it; `None` when it is free.
    pub owner: Option<String>,
    /// Grows with every write: whoever read it and finds it unchanged may write.
    pub counter: u64,
    /// How often it changed hands since its last checkpoint.
    pub switches: u64,
    /// Up to where it was read.
    pub checkpoint: Checkpoint,
    /// See [`ShardInfo::parents`].
    pub parents: Vec<String>,
    /// The shards that it became; written together with its end.
    pub children: Vec<String>,
    /// See [`ShardInfo::hash_keys`].
    pub hash_keys: Option<(String, String)>,
}

impl Row {
    /// A row for a shard that has none. Its counter begins with the time, in milliseconds since 1970, so that it grows
    /// even over a row that was deleted.
    #[must_use]
    pub fn new(shard: &ShardInfo, checkpoint: Checkpoint, counter: u64) -> Self {
        Self {
            shard: shard.id.clone(),
            owner: None,
            counter,
            switches: 0,
            checkpoint,
            parents: shard.parents.clone(),
            children: Vec::new(),
            hash_keys: shard.hash_keys.clone(),
        }
    }

    /// Whether the shard was read to its end.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.checkpoint == Checkpoint::ShardEnd
    }
}

/// A change of a row; it is made only if the counter is as expected, and raises it by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes it.
    Take {
        /// Who.
        owner: String,
        /// Whether another owner had it before.
        switches: bool,
    },
    /// Says that its owner lives.
    Renew,
    /// Notes up to where it was read.
    Checkpoint(Checkpoint),
    /// Notes its end and the shards that it became, and frees it.
    End(Vec<String>),
    /// Frees it.
    Release,
}

impl Change {
    /// What it makes of a row.
    pub fn apply(&self, row: &mut Row) {
        row.counter = row.counter.saturating_add(1);
        match self {
            Self::Take { owner, switches } => {
                row.owner = Some(owner.clone());
                row.switches = row.switches.saturating_add(u64::from(*switches));
            }
            Self::Renew => {}
            Self::Checkpoint(checkpoint) => {
                row.checkpoint = checkpoint.clone();
                row.switches = 0;
            }
            Self::End(children) => {
                row.checkpoint = Checkpoint::ShardEnd;
                row.children.clone_from(children);
                row.switches = 0;
                row.owner = None;
            }
            Self::Release => row.owner = None,
        }
    }
}
