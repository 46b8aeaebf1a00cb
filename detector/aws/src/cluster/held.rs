//! Tells the coordinator how far this worker is with the shards it holds.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bedrock_watch_service::{
    pipeline::Holds,
    status::Status,
    units::{Leases, Unit},
};

use super::shards::Known;
use crate::leases::{Checkpoint, Coordinator, Lease, ShardInfo};

/// The leases that this worker holds.
pub(super) struct HeldLeases {
    coordinator: Coordinator,
    known: Known,
    status: Status,
    held: Mutex<BTreeMap<(String, u64), Lease>>,
}

impl fmt::Debug for HeldLeases {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeldLeases").finish_non_exhaustive()
    }
}

impl HeldLeases {
    pub(super) fn new(coordinator: Coordinator, known: Known, status: Status) -> Self {
        Self { coordinator, known, status, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(String, u64), Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a lease; says whether it is still held whenever that is asked.
    pub(super) fn hold(&self, lease: &Lease) -> Holds {
        self.held().insert((lease.shard.clone(), lease.epoch), lease.clone());
        let (coordinator, lease) = (self.coordinator.clone(), lease.clone());
        Arc::new(move || coordinator.is_held(&lease))
    }

    /// A lease is no longer held.
    pub(super) fn forget(&self, shard: &str, epoch: u64) {
        self.held().remove(&(shard.to_owned(), epoch));
    }

    /// Gives a lease back with which nothing was done.
    pub(super) async fn give_up(&self, lease: &Lease) {
        self.forget(&lease.shard, lease.epoch);
        self.coordinator.release(lease).await;
    }

    /// Deals with a lease whose shard the stream does not list. Where nobody read for longer than the stream keeps
    /// records, it is gone: its end is told, so that the shards that came of it begin. Otherwise the lease is given back.
    pub(super) async fn end_if_gone(&self, lease: &Lease) {
        if lease.lost.run_until_cancelled(self.known.is_gone(&lease.shard)).await != Some(true) {
            self.give_up(lease).await;
            return;
        }
        let (shard, checkpoint) = (&lease.shard, &lease.checkpoint);
        if self.end(lease, self.known.children(shard)).await {
            self.status.telemetry().meters.stream_lost.add(1);
            tracing::error!(
                shard,
                %checkpoint,
                "the stream does not have the shard any more: what nobody read after the checkpoint is lost; \
                 keep records for longer than workers may be away"
            );
        }
    }

    /// Says that a shard is over, and who goes on; false if that is no longer this worker's to tell.
    async fn end(&self, lease: &Lease, children: Vec<ShardInfo>) -> bool {
        let told = self.coordinator.ended(lease, children).await;
        if told.is_err() {
            tracing::warn!(shard = lease.shard, "its end is no longer this worker's to tell; whoever has it will");
        }
        self.forget(&lease.shard, lease.epoch);
        told.is_ok()
    }

    fn lease(&self, unit: &Unit) -> Option<Lease> {
        self.held().get(&(unit.shard.clone(), unit.epoch)).cloned()
    }
}

#[async_trait]
impl Leases for HeldLeases {
    async fn committed(&self, unit: &Unit, position: &str) {
        // Only sequence numbers mean something to others that read the table; the end is told when memory is kept.
        if !position.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let Some(lease) = self.lease(unit) else { return };
        if self.coordinator.checkpoint(&lease, Checkpoint::Sequence(position.to_owned())).await.is_err() {
            tracing::debug!(shard = unit.shard, "its position is no longer this worker's to tell");
        }
    }

    async fn ended(&self, unit: &Unit) {
        let children = self.known.children_in_time(&unit.shard).await;
        let Some(lease) = self.lease(unit) else { return };
        let is_gone = self.known.shard(&unit.shard).is_none();
        if children.is_empty() && !is_gone {
            tracing::error!(shard = unit.shard, "the shard has ended, and no shard that came of it is listed yet");
            self.give_up(&lease).await;
            return;
        }
        self.end(&lease, children).await;
    }

    async fn released(&self, unit: &Unit) {
        if let Some(lease) = self.lease(unit) {
            self.give_up(&lease).await;
        }
    }

    async fn left(&self) {
        let rest: Vec<Lease> = self.held().values().cloned().collect();
        for lease in rest {
            self.give_up(&lease).await;
        }
        self.coordinator.stop().await;
    }
}
