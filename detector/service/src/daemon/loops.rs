//! What the daemon runs: one loop that answers for every account or, where workers share streams, one for each shard
//! that this worker holds.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    RunError, StartError,
    sources::{Attachment, repeating},
    sources_grace,
};
use crate::{
    canary::Canaries,
    cloud::{Cloud, Joining},
    config::Config,
    live_rules::LiveRules,
    pipeline::{self, Clock, Ownership, Parts, Pipeline, Question, Report, Restored, Told},
    routing::{ActiveSilences, Router},
    source::{Batch, Intake},
    status::Status,
    store::Store,
    units::{Common, Units},
};

/// What runs.
#[derive(Debug)]
pub(super) enum Loop {
    /// One loop for everything.
    One(Box<Pipeline>),
    /// One for each shard held.
    Many(Box<Units>),
}

impl Loop {
    /// Runs until it is stopped or every source has ended.
    pub(super) async fn run(self) -> Result<(), RunError> {
        match self {
            Self::One(pipeline) => Ok(pipeline.run().await.map(drop)?),
            Self::Many(units) => Ok(units.run().await?),
        }
    }
}

/// What loops are made of, however many there are.
pub(super) struct Shell {
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: LiveRules,
    pub(super) clock: Clock,
    pub(super) router: Router,
    pub(super) silences: ActiveSilences,
    pub(super) nudge: Arc<dyn Fn() + Send + Sync>,
    pub(super) told: broadcast::Sender<Arc<Told>>,
    pub(super) canaries: Canaries,
    pub(super) status: Status,
    pub(super) cloud: Option<Arc<dyn Cloud>>,
    /// Where what is not of a shard comes in.
    pub(super) intake: Intake,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) reports: watch::Sender<Report>,
    pub(super) sources: TaskTracker,
    pub(super) stop_sources: CancellationToken,
    pub(super) stop_loop: CancellationToken,
    pub(super) chores: TaskTracker,
}

impl fmt::Debug for Shell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shell").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The memory of the one loop; units restore their own when they start.
pub(super) async fn remember(
    config: &Config,
    store: &Arc<dyn Store>,
    rules: &LiveRules,
) -> Result<Option<Restored>, StartError> {
    if config.leases.enabled {
        return Ok(None);
    }
    Ok(Some(pipeline::restore(&**store, rules.current(), config.engine.clone()).await?))
}

impl Shell {
    /// Attaches the sources and makes what runs.
    pub(super) async fn start(self, config: &Config, remembered: Option<Restored>) -> Result<Loop, StartError> {
        match (remembered, self.cloud.clone()) {
            (Some(restored), _) => self.one(config, restored),
            (None, Some(cloud)) => self.many(config, &*cloud).await,
            (None, None) => Err(StartError::NoCloud("[leases]".to_owned())),
        }
    }

    fn one(self, config: &Config, restored: Restored) -> Result<Loop, StartError> {
        let attachment = Attachment {
            intake: &self.intake,
            positions: &restored.positions,
            ahead: &restored.ahead,
            tracker: &self.sources,
            stop: &self.stop_sources,
            status: &self.status,
            cloud: self.cloud.as_deref(),
        };
        config.sources.iter().try_for_each(|source| attachment.attach(source))?;
        let nudge = self.nudge;
        let parts = Parts {
            repeating: repeating(&config.sources, &restored.ahead),
            restored,
            rules: self.rules,
            clock: self.clock,
            future_s: config.pipeline.future_s,
            intake: self.batches,
            questions: self.questions,
            store: self.store,
            owns: Ownership::All,
            holds: Arc::new(|| true),
            committed: watch::channel(std::collections::BTreeMap::new()).0,
            router: self.router,
            silences: self.silences,
            nudge: Box::new(move || nudge()),
            told: self.told,
            reports: self.reports,
            snapshot_every: Duration::from_secs(config.store.snapshot_interval_s),
            canaries: self.canaries,
            status: self.status,
            stop: self.stop_loop,
        };
        Ok(Loop::One(Box::new(Pipeline::new(parts))))
    }

    async fn many(self, config: &Config, cloud: &dyn Cloud) -> Result<Loop, StartError> {
        let joining =
            Joining { status: self.status.clone(), tracker: self.chores.clone(), stop: self.stop_sources.clone() };
        let cluster = cloud.cluster(config, joining).await?;
        let common = Common {
            rules: self.rules,
            settings: config.engine.clone(),
            clock: self.clock,
            future_s: config.pipeline.future_s,
            queue_batches_max: config.pipeline.queue_batches_max,
            router: self.router,
            silences: self.silences,
            nudge: self.nudge,
            told: self.told,
            snapshot_every: Duration::from_secs(config.store.snapshot_interval_s),
            canaries: self.canaries,
            sources_grace: sources_grace(Duration::from_secs(config.shutdown_grace_s)),
            status: self.status,
        };
        let stop = self.stop_sources;
        Ok(Loop::Many(Box::new(Units::new(common, cluster, self.batches, self.questions, self.reports, stop))))
    }
}
