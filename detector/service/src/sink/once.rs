//! Tells the alerts of a recording once: what `replay --notify` does.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{StartError, Surroundings, start_all};
use crate::{
    config::delivery::{RoutingConfig, SinkConfig},
    store::{Change, Commit, Store, StoreError},
};

/// How often it is asked whether all is told.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What became of the deliveries to one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The sink.
    pub sink: String,
    /// Deliveries that reached it.
    pub told: u64,
    /// Deliveries that did not within the time given.
    pub waiting: u64,
    /// Deliveries that it refused for good.
    pub dead: u64,
}

/// Why alerts were not told.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// A sink cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells `changes` to the sinks they name, through `store`, which should be a temporary one, and waits until all are
/// told or `patience` is over.
///
/// # Errors
/// When a sink cannot be made from its configuration or the store fails; a sink that does not answer is no error but
/// shows in the answer.
pub async fn deliver_all(
    changes: Vec<Change>,
    (configs, routing): (&[SinkConfig], &RoutingConfig),
    store: &Arc<dyn Store>,
    surroundings: Surroundings,
    patience: Duration,
) -> Result<Vec<Delivered>, OnceError> {
    let now = (surroundings.now)();
    store.commit(Commit { changes, ..Commit::default() }, now).await?;
    let workers = start_all(configs, routing, store, surroundings)?;
    let end = Instant::now().checked_add(patience);
    loop {
        let mut waiting = 0_u64;
        for config in configs {
            waiting = waiting.saturating_add(store.waiting(&config.name).await?.alerts);
        }
        if waiting == 0 || end.is_none_or(|end| Instant::now() >= end) {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    workers.drain(Duration::from_secs(2)).await;
    let mut delivered = Vec::new();
    for report in workers.counters() {
        let left = store.waiting(&report.name).await?;
        delivered.push(Delivered {
            sink: report.name,
            told: report.counted.told,
            waiting: left.alerts,
            dead: left.dead,
        });
    }
    Ok(delivered)
}
