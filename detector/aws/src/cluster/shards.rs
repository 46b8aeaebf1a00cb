//! What is known of the shared stream's shards: asked of Kinesis when a lease says too little.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_service::{
    pipeline::{HashRange, Holds},
    units::{Unit, UnitParent},
};

use crate::{
    kinesis::{Shard, Shards, Stream},
    leases::{Lease, ListShards, Row, ShardInfo},
};

/// The pause before Kinesis is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is asked about a shard that it does not list.
const ASKED_MAX: u32 = 5;

/// What there is to a lease that was gained.
#[derive(Debug)]
pub(super) enum Found {
    /// A unit.
    Unit(Unit),
    /// The stream does not list its shard.
    Missing,
    /// It was lost meanwhile.
    Lost,
}

/// The shards as they were last listed. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Known {
    stream: Stream,
    last: Arc<Mutex<Shards>>,
}

impl Known {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, last: Arc::default() }
    }

    /// A shard as it was last listed.
    pub(super) fn shard(&self, id: &str) -> Option<Shard> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// How many shards are open.
    pub(super) fn open(&self) -> usize {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|shard| !shard.is_closed).count()
    }

    /// What a source of the stream is called.
    pub(super) fn source(&self, shard: &str) -> String {
        self.stream.source(shard)
    }

    async fn refresh(&self) -> Result<Shards, String> {
        let shards = Shards::list(&self.stream).await.map_err(|failure| failure.to_string())?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = shards.clone();
        Ok(shards)
    }

    /// What there is to a lease; `rows` are those of the table.
    pub(super) async fn unit(&self, lease: &Lease, holds: Holds, rows: &[Row]) -> Found {
        while !lease.lost.is_cancelled() {
            match self.refresh().await {
                Ok(shards) => {
                    let shard = shards.get(&lease.shard);
                    return shard.map_or(Found::Missing, |shard| {
                        Found::Unit(self.describe(shard, &shards, lease, holds, rows))
                    });
                }
                Err(error) => tracing::warn!(shard = lease.shard, error, "the shard cannot be looked up yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
        Found::Lost
    }

    fn describe(&self, shard: &Shard, shards: &Shards, lease: &Lease, holds: Holds, rows: &[Row]) -> Unit {
        let parents = shard.parents.iter().filter_map(|parent| {
            let row = rows.iter().find(|row| row.shard == *parent);
            let range = match (shards.get(parent), row) {
                (Some(listed), _) => range(listed),
                // No record of it is kept, but its memory is: nobody removes its row before this shard has begun.
                (None, Some(row)) => range_of(row).unwrap_or_else(|| range(shard)),
                // It ended before anybody read here, or so long ago that this shard has its own memory.
                (None, None) => return None,
            };
            Some(UnitParent { shard: parent.clone(), source: self.source(parent), range })
        });
        Unit {
            shard: shard.id.clone(),
            source: self.source(&shard.id),
            range: range(shard),
            parents: parents.collect(),
            epoch: lease.epoch,
            holds,
        }
    }

    /// Whether the stream does not have a shard any more, as several listings say one after the other; false where that
    /// cannot be told.
    pub(super) async fn is_gone(&self, id: &str) -> bool {
        for _ in 0..ASKED_MAX {
            match self.refresh().await {
                // A stream always has shards.
                Ok(shards) if shards.get(id).is_some() || shards.iter().next().is_none() => return false,
                Ok(_) => tokio::time::sleep(RETRY).await,
                Err(error) => {
                    tracing::warn!(shard = id, error, "whether the shard is still there cannot be told yet");
                    return false;
                }
            }
        }
        true
    }

    /// The shards that came of one, as they were last listed.
    pub(super) fn children(&self, id: &str) -> Vec<ShardInfo> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).children(id).iter().map(info).collect()
    }

    /// The shards that came of one that is read to its end; they may take a moment to be listed.
    pub(super) async fn children_in_time(&self, id: &str) -> Vec<ShardInfo> {
        for _ in 0..ASKED_MAX {
            if let Err(error) = self.refresh().await {
                tracing::warn!(shard = id, error, "its children cannot be looked up yet");
            }
            let children = self.children(id);
            if !children.is_empty() {
                return children;
            }
            tokio::time::sleep(RETRY).await;
        }
        Vec::new()
    }
}

#[async_trait]
impl ListShards for Known {
    async fn list(&self) -> Result<Vec<ShardInfo>, String> {
        Ok(self.refresh().await?.iter().map(info).collect())
    }
}

fn range(shard: &Shard) -> HashRange {
    HashRange { start: *shard.hash_keys.start(), end: *shard.hash_keys.end() }
}

/// What a row says of its shard's hash keys; those that others made need not say it.
fn range_of(row: &Row) -> Option<HashRange> {
    let (start, end) = row.hash_keys.as_ref()?;
    Some(HashRange { start: start.parse().ok()?, end: end.parse().ok()? })
}

fn info(shard: &Shard) -> ShardInfo {
    ShardInfo {
        id: shard.id.clone(),
        parents: shard.parents.clone(),
        is_open: !shard.is_closed,
        hash_keys: Some((shard.hash_keys.start().to_string(), shard.hash_keys.end().to_string())),
    }
}
