//! Several workers share the shards of a stream: one engine a shard, which moves from worker to worker.
//!
//! A *unit* is a shard that this worker holds: an engine of its own, a loop of its own, its own part of the store. It
//! reads its shard and, whole, what every unit must know. So moving a shard moves exactly one engine: its last memory,
//! then the records since. Alerts, deliveries, silences, sinks and the console are shared by all units.
//!
//! Who holds which shard is decided elsewhere, see [`Turn`] and [`Leases`]; deliberately nothing here knows of DynamoDB
//! or Kinesis.
//!
//! What two workers can both do at once (one that was frozen does not know yet that it lost a shard) is harmless: ids
//! follow from what happened, the store takes the same alert once, what is told is claimed there, and an older holder's
//! memory never replaces a newer one's.

mod unit;
mod worker;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

pub use unit::UnitError;
pub use worker::{Common, Units};

use crate::{
    cloud::{Attached, CloudError},
    pipeline::{HashRange, Holds},
    store::Store,
};

/// A shard that this worker has come to hold.
#[derive(Clone)]
pub struct Unit {
    /// The shard's id; it is also the name of the unit's part of the store.
    pub shard: String,
    /// What its source is called in positions.
    pub source: String,
    /// The accounts it answers for.
    pub range: HashRange,
    /// The closed shards whose records this one continues.
    pub parents: Vec<UnitParent>,
    /// A number that grows with every holder of the shard.
    pub epoch: u64,
    /// Whether this worker still holds it, at the moment of asking and by this machine's clock alone.
    pub holds: Holds,
}

impl fmt::Debug for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unit").field("shard", &self.shard).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// A shard that was split or merged into a unit's shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitParent {
    /// Its id.
    pub shard: String,
    /// What its source was called.
    pub source: String,
    /// The accounts it answered for.
    pub range: HashRange,
}

/// What happens to the shards of this worker.
#[derive(Debug)]
pub enum Turn {
    /// This worker holds one more.
    Gained(Unit),
    /// Another worker has it, or may have it.
    Lost {
        /// The shard's id.
        shard: String,
        /// Since when this worker had it.
        epoch: u64,
    },
}

/// Says to others how far this worker is with its shards. None of it can fail: whoever implements it tries again, or
/// lets the lease run out.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync + 'static {
    /// Up to here the shard is read and what follows from it is stored.
    async fn committed(&self, unit: &Unit, position: &str);

    /// The closed shard is read to its end and its memory is kept: its children may begin.
    async fn ended(&self, unit: &Unit);

    /// Nothing further is done with the shard here: another worker may have it at once.
    async fn released(&self, unit: &Unit);

    /// This worker is about to end: whatever is still its is given back.
    async fn left(&self);
}

/// Gives each unit its part of the store.
pub trait Scopes: fmt::Debug + Send + Sync + 'static {
    /// The store whose positions, journal and memory are those of `scope`; everything else is shared.
    fn scoped(&self, scope: &str, epoch: u64) -> Arc<dyn Store>;
}

/// Starts the sources of a unit.
pub trait Feed: fmt::Debug + Send + Sync + 'static {
    /// Starts reading the unit's shard, and whole what every unit reads. `ended` is told when the unit's shard was read
    /// to its end and all of it is handed over.
    ///
    /// # Errors
    /// When a source cannot be set up at all.
    fn attach(&self, unit: &Unit, attached: Attached, ended: oneshot::Sender<()>) -> Result<(), CloudError>;

    /// Whether one of the unit's sources has this name in positions.
    fn reads(&self, unit: &Unit, source: &str) -> bool;
}

/// Everything by which workers share a stream.
#[derive(Debug)]
pub struct Cluster {
    /// What happens to this worker's shards.
    pub turns: mpsc::Receiver<Turn>,
    /// How others hear of it.
    pub leases: Arc<dyn Leases>,
    /// The parts of the store.
    pub scopes: Arc<dyn Scopes>,
    /// The sources.
    pub feed: Arc<dyn Feed>,
}
