//! What a build with AWS adds to the daemon: the seam that `bedrock-watch-aws` fills.
//!
//! Deliberately no SDK type and no AWS call here. A build without AWS passes none and names what it lacks.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    canary::Canaries,
    config::{Config, SinkConfig, SourceConfig, aws::DynamoDbStore},
    evidence::archive::Archive,
    sink::{Confirm, Sink, payload::Context},
    source::Intake,
    status::Status,
    store::Store,
    units::Cluster,
};

/// What a part of AWS could not be set up for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CloudError(
    /// What went wrong, where, and what to do; without secrets.
    pub String,
);

/// What a source of AWS is attached to.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Where batches go; sources with several positions name each (`Intake::named`).
    pub intake: Intake,
    /// Up to where the engine remembers, by source name; a source goes on from there.
    pub positions: BTreeMap<String, String>,
    /// Up to where alerts are stored, where that is further: up to there records are a repeat.
    pub ahead: BTreeMap<String, String>,
    /// What does not work.
    pub status: Status,
    /// Where tasks run that the daemon waits for when it ends.
    pub tracker: TaskTracker,
    /// The source ends when this is cancelled.
    pub stop: CancellationToken,
}

/// What works beside the sources: inventory, the canary.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Where observations go (`Intake::ask` with `Kept::Nowhere`).
    pub intake: Intake,
    /// Canaries that come back.
    pub canaries: Canaries,
    /// What does not work.
    pub status: Status,
    /// Where tasks run.
    pub tracker: TaskTracker,
    /// They end when this is cancelled.
    pub stop: CancellationToken,
}

/// What a worker joins others with.
#[derive(Debug, Clone)]
pub struct Joining {
    /// What does not work.
    pub status: Status,
    /// Where tasks run; the daemon does not wait for them, since they serve units to the last.
    pub tracker: TaskTracker,
    /// No further shard is taken once this is cancelled; each unit then gives its own back.
    pub stop: CancellationToken,
}

/// Everything that only a build with AWS can do.
#[async_trait]
pub trait Cloud: fmt::Debug + Send + Sync + 'static {
    /// Opens the store in DynamoDB, and makes its table if there is none.
    async fn store(&self, config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError>;

    /// Makes a sink of kind [`crate::config::SinkKind::Aws`].
    fn sink(&self, config: &SinkConfig, context: &Arc<Context>) -> Result<Arc<dyn Sink>, CloudError>;

    /// Starts a source of AWS; it runs on the tracker until its end or its stop.
    fn attach(&self, source: &SourceConfig, attached: Attached) -> Result<(), CloudError>;

    /// Joins the workers that share streams, as `[leases]` says.
    async fn cluster(&self, config: &Config, joining: Joining) -> Result<Cluster, CloudError>;

    /// The archive of evidence in a bucket, under keys that begin with `prefix`.
    fn evidence(&self, bucket: &str, prefix: &str) -> Arc<dyn Archive>;

    /// What asks AWS about jobs, and puts the answers into `intake`, before an alert about them is first told.
    fn confirm(&self, _intake: Intake) -> Option<Arc<dyn Confirm>> {
        None
    }

    /// Starts what the configuration asks for beside sources: inventory, the canary.
    fn start_beside(&self, config: &Config, beside: Beside) -> Result<(), CloudError>;
}
