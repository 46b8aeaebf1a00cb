//! The loop: batches of records, the engine's wake-ups, snapshots and shutdown, all handled by one owner.
//!
//! There is one engine and no lock around it. The order is always the same: a record is judged, the changes it causes
//! are stored with the sources' positions, and only then is a batch accepted. The loop itself never waits for the disk
//! unless its writer's queue is full; then it takes no further batch, and sources are held back.

mod catch_up;
mod clock;
mod inherit;
mod judging;
mod ownership;
mod question;
mod report;
mod shadow;
mod silenced;
mod snapshots;
mod timings;
mod traces;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bedrock_watch_engine::Engine;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    catch_up::CatchUp,
    silenced::Silenced,
    snapshots::Snapshots,
    traces::BatchesOfEvents,
    writer::{Order, Writer},
};
pub use catch_up::{RestoreError, Restored, restore};
pub use clock::Clock;
pub use inherit::{Parent, inherit};
pub use ownership::{HashRange, NoHashKey, Ownership};
pub use question::Question;
pub use report::{Report, ServiceCounters};
pub(crate) use timings::between;
pub use timings::{ByRule, Timings};
pub use writer::Told;

use crate::{
    canary::Canaries,
    live_rules::LiveRules,
    routing::{ActiveSilences, Router},
    source::Batch,
    status::Status,
    store::{Store, StoreError},
};

/// Bytes in the journal at which nothing further is taken until memory was kept.
const JOURNAL_BYTES_STOP: u64 = 1 << 30;
/// The name under which catching up appears in `/readyz`.
const CATCHING_UP: &str = "catching up";

/// What the loop is made of.
pub struct Parts {
    /// Judges the records; as the store remembers it.
    pub restored: Restored,
    /// The rules in force.
    pub rules: LiveRules,
    /// Says what time it is.
    pub clock: Clock,
    /// A record this much later than the clock, in seconds, is put aside.
    pub future_s: u32,
    /// Where batches arrive.
    pub intake: mpsc::Receiver<Batch>,
    /// The sources that repeat what they were committed at, and say when they are past it.
    pub repeating: BTreeSet<String>,
    /// Questions to the loop.
    pub questions: mpsc::Receiver<Question>,
    /// Where everything is kept that must survive.
    pub store: Arc<dyn Store>,
    /// The accounts this loop answers for.
    pub owns: Ownership,
    /// Whether this loop still holds what it reads: nothing is stored once it does not.
    pub holds: Holds,
    /// Where it is told up to where each source's alerts are stored.
    pub committed: watch::Sender<BTreeMap<String, String>>,
    /// Says which sinks hear of an alert.
    pub router: Router,
    /// What sinks do not hear of for now.
    pub silences: ActiveSilences,
    /// Canaries that come back.
    pub canaries: Canaries,
    /// Says that sinks have something to do.
    pub nudge: Box<dyn Fn() + Send + Sync>,
    /// Where stored changes are told.
    pub told: broadcast::Sender<Arc<Told>>,
    /// Where counters are published.
    pub reports: watch::Sender<Report>,
    /// How often memory is kept.
    pub snapshot_every: Duration,
    /// What does not work.
    pub status: Status,
    /// No further batches are taken once this is cancelled; those in the queue still are.
    pub stop: CancellationToken,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Says whether something is still held, at the moment at which it is asked.
pub type Holds = Arc<dyn Fn() -> bool + Send + Sync>;

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether the memory was kept at the end. It is not in the middle of catching up.
    pub kept: bool,
}

/// Why the loop did not end well.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The memory was not kept at the end. Nothing is lost: the next start judges the journal again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer failed.
    #[error("the writer of the store failed: {0}")]
    Writer(#[from] JoinError),
    /// Somebody else has what this loop reads.
    #[error("it was taken over by another worker; nothing further is stored here")]
    TakenOver,
    /// The writer ended before the loop.
    #[error("the writer of the store ended early")]
    WriterEnded,
}

/// Room for one order in the writer's queue.
type Permit = mpsc::OwnedPermit<Order>;

/// The loop.
pub struct Pipeline {
    engine: Engine,
    rules: LiveRules,
    /// Alerts that were told before their rule became a shadow; sinks hear how they end.
    still_told: BTreeSet<String>,
    positions: BTreeMap<String, String>,
    clock: Clock,
    future_s: u32,
    intake: mpsc::Receiver<Batch>,
    questions: mpsc::Receiver<Question>,
    router: Router,
    owns: Ownership,
    silences: ActiveSilences,
    canaries: Canaries,
    silenced: Silenced,
    reports: watch::Sender<Report>,
    status: Status,
    stop: CancellationToken,
    orders: mpsc::Sender<Order>,
    writing: JoinSet<Result<(), PipelineError>>,
    counters: ServiceCounters,
    catch_up: Option<CatchUp>,
    snapshots: Snapshots,
    batches: BatchesOfEvents,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pipeline").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// The loop, not yet turning; its writer runs.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (orders, receiver) = mpsc::channel(writer::WAITING_MAX);
        let Restored { engine, positions, held, silenced, journal_bytes, journal_through, has_snapshot, .. } =
            parts.restored;
        let writer = Writer {
            store: parts.store,
            orders: receiver,
            told: parts.told,
            nudge: parts.nudge,
            status: parts.status.clone(),
            journal_through,
            holds: parts.holds,
            committed: parts.committed,
        };
        let mut writing = JoinSet::new();
        writing.spawn(writer.run());
        if !parts.repeating.is_empty() {
            let sources = parts.repeating.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let reason = format!("reading again what was judged before the restart: {sources}");
            tracing::info!(sources, "catching up");
            parts.status.set(CATCHING_UP, &reason);
        }
        let mut pipeline = Self {
            engine,
            rules: parts.rules,
            still_told: BTreeSet::new(),
            positions,
            clock: parts.clock,
            future_s: parts.future_s,
            intake: parts.intake,
            questions: parts.questions,
            router: parts.router,
            owns: parts.owns,
            silences: parts.silences,
            canaries: parts.canaries,
            silenced,
            reports: parts.reports,
            status: parts.status,
            stop: parts.stop,
            orders,
            writing,
            counters: ServiceCounters { journal_bytes, ..ServiceCounters::default() },
            catch_up: Some(CatchUp::new(parts.repeating, held)),
            snapshots: Snapshots::new(parts.snapshot_every, has_snapshot),
            batches: BatchesOfEvents::default(),
        };
        // They may have changed since the memory was restored.
        let rules = pipeline.rules.current();
        if !Arc::ptr_eq(pipeline.engine.rules(), &rules) {
            pipeline.exchange_rules(rules);
        }
        pipeline.publish();
        pipeline
    }

    /// Turns until every source has ended or the stop is cancelled, then judges what is queued and keeps the memory.
    ///
    /// # Errors
    /// When the memory cannot be kept at the end.
    pub async fn run(mut self) -> Result<Ended, PipelineError> {
        let stop = self.stop.clone();
        let mut stopping = false;
        self.end_catching_up().await;
        loop {
            let patience = self.catch_up.as_ref().map(|catch_up| catch_up.until);
            // While catching up, time does not pass: what it would change was told before.
            let wakeup = self.engine.next_wakeup().filter(|_| self.catch_up.is_none());
            let wakeup = wakeup.and_then(|at| self.clock.until(at));
            let (orders, can_take) = (self.orders.clone(), self.counters.journal_bytes < JOURNAL_BYTES_STOP);
            tokio::select! {
                (permit, batch) = with_room(&orders, self.intake.recv()), if can_take => match batch {
                    Some(batch) => self.judge(batch, permit),
                    None => break,
                },
                rules = self.rules.changed() => self.exchange_rules(rules),
                Some(question) = self.questions.recv() => self.answer(question),
                (permit, ()) = with_room(&orders, sleep_or_never(wakeup)) => self.let_time_pass(permit),
                (permit, event) = with_room(&orders, self.snapshots.next()) => self.keep_memory(event, permit),
                (permit, ()) = with_room(&orders, tokio::time::sleep_until(self.silenced.look_at)) => {
                    self.end_silences(permit);
                }
                () = sleep_until_or_never(patience) => self.end_catching_up().await,
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.intake.close();
                }
                Some(ended) = self.writing.join_next() => {
                    ended??;
                    return Err(PipelineError::WriterEnded);
                }
            }
        }
        self.end().await
    }

    /// Everything is judged: stores what was held back, keeps the memory and lets the writer end.
    async fn end(mut self) -> Result<Ended, PipelineError> {
        // In the middle of catching up the memory lacks what is still to be repeated, and what is held back is not yet
        // as it was. The next start begins from the same memory again.
        let kept = self.catch_up.is_none();
        if kept {
            let (done, _) = oneshot::channel();
            let order = Order::Snapshot { bytes: self.engine.snapshot(), positions: self.positions, done };
            if self.orders.send(order).await.is_err() {
                // Its own error is told where it is waited for.
                tracing::error!("the writer of the store has ended early");
            }
        }
        drop(self.orders);
        while let Some(ended) = self.writing.join_next().await {
            ended??;
        }
        Ok(Ended { kept })
    }

    fn answer(&self, question: Question) {
        match question {
            Question::Turns(reply) => reply.send(()).unwrap_or_default(),
            Question::Knows(reply) => reply.send(self.engine.summary(self.clock.now())).map_or_else(drop, drop),
        }
    }

    fn publish(&self) {
        self.reports.send_replace(Report {
            stats: self.engine.stats().clone(),
            service: self.counters.clone(),
            now: self.clock.now(),
            catching_up: self.catch_up.is_some(),
        });
    }
}

/// Waits for `event` with room in the writer's queue in hand.
async fn with_room<T>(orders: &mpsc::Sender<Order>, event: impl Future<Output = T>) -> (Permit, T) {
    match orders.clone().reserve_owned().await {
        Ok(permit) => (permit, event.await),
        // The writer has ended, which the loop hears of elsewhere.
        Err(_) => std::future::pending().await,
    }
}

async fn sleep_or_never(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until_or_never(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
