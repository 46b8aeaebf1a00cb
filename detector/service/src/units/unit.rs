//! One unit, from the moment its shard is held until it is lost, ended or given back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Feed, Leases, Scopes, Unit, worker::Common};
use crate::{
    cloud::{Attached, CloudError},
    pipeline::{
        Ended, Ownership, Parent, Parts, Pipeline, PipelineError, Question, Report, RestoreError, Restored, inherit,
    },
    source::{Batch, Intake},
    status::Status,
};

/// How often others are told up to where a shard is stored. It is for those who watch the table of leases: whoever takes
/// the shard over reads the position in the store.
const COMMITTED_EVERY: Duration = Duration::from_secs(5);

/// Why a unit cannot go on; it is tried again for as long as the shard is held.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// The memory cannot be used.
    #[error(transparent)]
    Memory(#[from] RestoreError),
    /// The loop failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A source cannot be set up.
    #[error(transparent)]
    Source(#[from] CloudError),
    /// The loop ended while its sources did not.
    #[error("the loop ended by itself")]
    Ended,
    /// Nobody reads the shard any more, and it has not ended.
    #[error("the shard is no longer read")]
    NotRead,
    /// The memory of a shard that has ended was not kept.
    #[error("the shard has ended, and its memory was not kept; its children wait for it")]
    NotKept,
    /// A task failed.
    #[error("the loop failed: {0}")]
    Loop(#[from] JoinError),
}

/// Why a unit is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its shard was read to its end.
    ShardEnd,
    /// It was given back.
    Released,
}

/// What the worker talks to a unit through.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) intake: Intake,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) reports: watch::Sender<Report>,
    /// Whether the loop turns, and so answers questions.
    pub(super) turns: Arc<AtomicBool>,
    /// The unit is given back when this is cancelled.
    pub(super) drain: CancellationToken,
}

/// What all units are made with.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) common: Arc<Common>,
    pub(super) leases: Arc<dyn Leases>,
    pub(super) scopes: Arc<dyn Scopes>,
    pub(super) feed: Arc<dyn Feed>,
}

/// A unit whose loop turns.
struct Turning {
    looping: JoinSet<Result<Ended, PipelineError>>,
    sources: TaskTracker,
    stop_sources: CancellationToken,
    stop_loop: CancellationToken,
    shard_ended: oneshot::Receiver<()>,
    reports: watch::Receiver<Report>,
    committed: watch::Receiver<BTreeMap<String, String>>,
}

impl Drop for Turning {
    fn drop(&mut self) {
        // Where the unit is lost, its tasks end with it; the loop is aborted with the set it is in.
        self.stop_sources.cancel();
    }
}

/// Lives until the shard has ended or is given back. When it is lost, this is aborted, and nothing further is stored.
pub(super) async fn live(means: Means, unit: Arc<Unit>, inbox: Inbox) -> Result<End, UnitError> {
    let status = means.common.status.within(&unit.shard);
    let (turns, drain) = (Arc::clone(&inbox.turns), inbox.drain.clone());
    let began = tokio::time::Instant::now();
    let mut turning = start(&means, &unit, inbox, &status).await?;
    turns.store(true, Ordering::Relaxed);
    tracing::info!(shard = unit.shard, epoch = unit.epoch, took = ?began.elapsed(), "unit started");
    let end = turning.until_the_end(&means, &unit, &drain).await;
    turns.store(false, Ordering::Relaxed);
    let end = end?;
    let patience = means.common.sources_grace;
    let kept = turning.wind_down(patience).await?.kept;
    match end {
        End::ShardEnd if kept => means.leases.ended(&unit).await,
        End::ShardEnd => return Err(UnitError::NotKept),
        End::Released => means.leases.released(&unit).await,
    }
    Ok(end)
}

/// Restores the engine, attaches sources and lets the loop turn.
async fn start(means: &Means, unit: &Unit, inbox: Inbox, status: &Status) -> Result<Turning, UnitError> {
    let common = &means.common;
    let store = means.scopes.scoped(&unit.shard, unit.epoch);
    let restored = restore(means, unit, &*store).await?;
    let reads = |source: &String| means.feed.reads(unit, source);
    let repeating: BTreeSet<String> = restored.ahead.keys().filter(|source| reads(source)).cloned().collect();
    let (sources, stop_sources, stop_loop) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
    let (ended, shard_ended) = oneshot::channel();
    let (committed, committed_out) = watch::channel(BTreeMap::new());
    let attached = Attached {
        intake: inbox.intake,
        positions: restored.positions.clone(),
        ahead: restored.ahead.clone(),
        status: status.clone(),
        tracker: sources.clone(),
        stop: stop_sources.clone(),
    };
    let reports = inbox.reports.subscribe();
    let nudge = Arc::clone(&common.nudge);
    let pipeline = Pipeline::new(Parts {
        restored,
        rules: common.rules.clone(),
        clock: common.clock,
        future_s: common.future_s,
        intake: inbox.batches,
        repeating,
        questions: inbox.questions,
        store,
        owns: Ownership::Range(unit.range),
        holds: Arc::clone(&unit.holds),
        committed,
        router: common.router.clone(),
        silences: common.silences.clone(),
        nudge: Box::new(move || nudge()),
        told: common.told.clone(),
        reports: inbox.reports,
        snapshot_every: common.snapshot_every,
        canaries: common.canaries.clone(),
        status: status.clone(),
        stop: stop_loop.clone(),
    });
    let mut looping = JoinSet::new();
    looping.spawn(pipeline.run());
    let turning = Turning { looping, sources, stop_sources, stop_loop, shard_ended, reports, committed: committed_out };
    means.feed.attach(unit, attached, ended)?;
    Ok(turning)
}

async fn restore(means: &Means, unit: &Unit, store: &dyn crate::store::Store) -> Result<Restored, RestoreError> {
    let parents: Vec<Parent> = unit
        .parents
        .iter()
        .map(|parent| Parent {
            store: means.scopes.scoped(&parent.shard, 0),
            owns: Ownership::Range(parent.range),
            source: parent.source.clone(),
        })
        .collect();
    let engine = (means.common.rules.current(), means.common.settings.clone());
    inherit(store, &parents, Ownership::Range(unit.range), engine).await
}

impl Turning {
    /// Waits until the shard has ended and everything of it was judged for good, or the unit is to be given back.
    async fn until_the_end(
        &mut self,
        means: &Means,
        unit: &Arc<Unit>,
        drain: &CancellationToken,
    ) -> Result<End, UnitError> {
        let mut every = tokio::time::interval(COMMITTED_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut said = None;
        let mut saying = JoinSet::new();
        let mut has_ended = false;
        loop {
            tokio::select! {
                // In the middle of catching up its memory lacks what is still to be repeated.
                Ok(()) = caught_up(&mut self.reports), if has_ended => return Ok(End::ShardEnd),
                ended = &mut self.shard_ended, if !has_ended => {
                    has_ended = true;
                    ended.map_err(|_| UnitError::NotRead)?;
                }
                () = drain.cancelled() => return Ok(End::Released),
                Some(ended) = self.looping.join_next() => {
                    ended??;
                    return Err(UnitError::Ended);
                }
                Some(_) = saying.join_next() => {}
                _ = every.tick(), if saying.is_empty() => {
                    let position = self.committed.borrow().get(&unit.source).cloned();
                    if let Some(position) = position.filter(|position| said.as_ref() != Some(position)) {
                        said = Some(position.clone());
                        let (leases, unit) = (Arc::clone(&means.leases), Arc::clone(unit));
                        saying.spawn(async move { leases.committed(&unit, &position).await });
                    }
                }
            }
        }
    }

    /// Lets the sources end, judges what they handed over and keeps the memory.
    async fn wind_down(&mut self, patience: Duration) -> Result<Ended, UnitError> {
        self.stop_sources.cancel();
        self.sources.close();
        if tokio::time::timeout(patience, self.sources.wait()).await.is_err() {
            tracing::warn!("a source has not ended in time and is left behind");
        }
        self.stop_loop.cancel();
        let ended = self.looping.join_next().await.ok_or(UnitError::Ended)?;
        Ok(ended??)
    }
}

/// Waits until everything is judged again that was judged before.
async fn caught_up(reports: &mut watch::Receiver<Report>) -> Result<(), watch::error::RecvError> {
    reports.wait_for(|report| !report.catching_up).await.map(drop)
}
