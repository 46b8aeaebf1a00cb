//! Workers that share one activity stream: the coordinator of leases says which shards are this worker's, and each
//! becomes a unit of the service, fed by its shard and by every stream of state.
//!
//! ```text
//! lease table <-> coordinator -> turns -> units (service)
//!                      ^                    |  feed: the shard's reader, and all of state
//!                      +---- checkpoints ---+
//! ```
//!
//! Deliberately no protocol and no reading here; those are `leases` and `kinesis`.

mod feed;
mod held;
mod shards;

use std::sync::Arc;

use bedrock_watch_service::{
    cloud::{CloudError, Joining},
    config::{
        Config, SourceConfig,
        aws::{Carries, KinesisSource, KinesisStart},
    },
    store::Store,
    units::{Cluster, Scopes, Turn},
};
use tokio::sync::mpsc;

use self::{
    feed::ShardFeed,
    held::HeldLeases,
    shards::{Found, Known},
};
use crate::{
    Aws,
    dynamodb::DynamoStore,
    kinesis::Stream,
    leases::{Checkpoint, Coordinator, DynamoLeases, LeaseEvent, Parts, protocol::Settings},
};

/// Turns that may wait for the service.
const TURNS_MAX: usize = 64;

#[derive(Debug)]
struct StoreScopes(DynamoStore);

impl Scopes for StoreScopes {
    fn scoped(&self, scope: &str, epoch: u64) -> Arc<dyn Store> {
        Arc::new(self.0.scoped(scope, epoch))
    }
}

/// Joins the workers that share the configured streams.
pub(crate) async fn join(aws: &Aws, config: &Config, joining: Joining) -> Result<Cluster, CloudError> {
    let said = |what: &str| CloudError(format!("{what}, which leases need"));
    let (activity, state) = streams(config);
    let activity = activity.ok_or_else(|| said("there is no activity stream"))?;
    let store = config.store.dynamodb.as_ref().ok_or_else(|| said("there is no shared store"))?;
    let store = DynamoStore::open(aws.own(), store).await.map_err(|error| CloudError(error.to_string()))?;
    let table = DynamoLeases::open(aws.own(), &config.leases.table).await;
    let table = table.map_err(|error| CloudError(error.to_string()))?;
    let known = Known::new(Stream::new(aws.own(), &activity.stream));
    let worker = unique(config.leases.worker.as_deref());
    tracing::info!(worker, stream = activity.stream, table = config.leases.table, "joining the workers");
    let first = match activity.start {
        KinesisStart::TrimHorizon => Checkpoint::TrimHorizon,
        KinesisStart::Latest => Checkpoint::Latest,
    };
    let (coordinator, mut events) = Coordinator::start(Parts {
        table: Arc::new(table),
        shards: Arc::new(known.clone()),
        settings: Settings { worker, failover_ms: config.leases.failover_ms, first },
        status: joining.status.clone(),
        tracker: joining.tracker.clone(),
    });
    let leases = Arc::new(HeldLeases::new(coordinator.clone(), known.clone(), joining.status.clone()));
    let feed = ShardFeed::new(aws.clone(), activity, state, known.clone());
    let (turns, turns_out) = mpsc::channel(TURNS_MAX);
    let (held, tracker, table) = (Arc::clone(&leases), joining.tracker.clone(), coordinator.clone());
    joining.tracker.spawn(async move {
        while let Some(event) = events.recv().await {
            let turn = match event {
                LeaseEvent::Gained(lease) => match known.unit(&lease, held.hold(&lease), &table.rows()).await {
                    Found::Unit(unit) => Turn::Gained(unit),
                    Found::Missing => {
                        // That takes a while, and the next turn does not wait for it.
                        let held = Arc::clone(&held);
                        tracker.spawn(async move { held.end_if_gone(&lease).await });
                        continue;
                    }
                    Found::Lost => {
                        held.give_up(&lease).await;
                        continue;
                    }
                },
                LeaseEvent::Lost { shard, epoch } => {
                    held.forget(&shard, epoch);
                    Turn::Lost { shard, epoch }
                }
            };
            if turns.send(turn).await.is_err() {
                return;
            }
        }
    });
    let stop = joining.stop;
    joining.tracker.spawn(async move {
        stop.cancelled().await;
        coordinator.drain();
    });
    Ok(Cluster { turns: turns_out, leases, scopes: Arc::new(StoreScopes(store)), feed: Arc::new(feed) })
}

/// The stream that is shared, and those that every unit reads.
fn streams(config: &Config) -> (Option<KinesisSource>, Vec<KinesisSource>) {
    let kinesis = config.sources.iter().filter_map(|source| match source {
        SourceConfig::Kinesis(kinesis) => Some(kinesis.clone()),
        _ => None,
    });
    let (mut activity, state): (Vec<_>, Vec<_>) = kinesis.partition(|source| source.carries == Carries::Activity);
    (activity.pop(), state)
}

/// A name that no other worker ever had, not even one that was configured alike: a worker that meets leases of its own
/// name in the table takes them for its own.
fn unique(name: Option<&str>) -> String {
    let host = || std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
    format!("{}-{:08x}", name.map_or_else(host, str::to_owned), fastrand::u32(..))
}
