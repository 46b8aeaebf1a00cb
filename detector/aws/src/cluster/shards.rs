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
    leases::{Lease, ListShards, ShardInfo},
};

/// The pause before Kinesis is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is asked about a shard that it does not list.
const ASKED_MAX: u32 = 5;

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

    /// The unit of a lease; `None` where Kinesis knows no such shard any more, or the lease was lost meanwhile.
    pub(super) async fn unit(&self, lease: &Lease, holds: Holds) -> Option<Unit> {
        let mut asked: u32 = 0;
        while !lease.lost.is_cancelled() {
            match self.refresh().await {
                Ok(shards) => {
                    if let Some(shard) = shards.get(&lease.shard) {
                        return Some(self.describe(shard, &shards, lease, holds));
                    }
                    asked = asked.saturating_add(1);
                    if asked >= ASKED_MAX {
                        tracing::error!(shard = lease.shard, "there is a lease on a shard that is not in the stream");
                        return None;
                    }
                }
                Err(error) => tracing::warn!(shard = lease.shard, error, "the shard cannot be looked up yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
        None
    }

    fn describe(&self, shard: &Shard, shards: &Shards, lease: &Lease, holds: Holds) -> Unit {
        // A parent whose records are no longer kept is not listed; whoever read it kept its memory, of which this shard
        // has its own by then.
        let parents = shard.parents.iter().filter_map(|parent| shards.get(parent));
        Unit {
            shard: shard.id.clone(),
            source: self.source(&shard.id),
            range: range(shard),
            parents: parents
                .map(|parent| UnitParent {
                    shard: parent.id.clone(),
                    source: self.source(&parent.id),
                    range: range(parent),
                })
                .collect(),
            epoch: lease.epoch,
            holds,
        }
    }

    /// The shards that came of one that is read to its end; they may take a moment to be listed.
    pub(super) async fn children(&self, id: &str) -> Vec<ShardInfo> {
        for _ in 0..ASKED_MAX {
            match self.refresh().await {
                Ok(shards) => {
                    let children = shards.children(id);
                    if !children.is_empty() {
                        return children.iter().map(info).collect();
                    }
                }
                Err(error) => tracing::warn!(shard = id, error, "its children cannot be looked up yet"),
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

fn info(shard: &Shard) -> ShardInfo {
    ShardInfo {
        id: shard.id.clone(),
        parents: shard.parents.clone(),
        is_open: !shard.is_closed,
        hash_keys: Some((shard.hash_keys.start().to_string(), shard.hash_keys.end().to_string())),
    }
}
