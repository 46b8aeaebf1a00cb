//! The units of one worker: starts and ends them as shards come and go, and speaks for all of them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bedrock_watch_engine::{Settings, Summary};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    Cluster, Turn, Unit, UnitError,
    unit::{End, Inbox, Means, live},
};
use crate::{
    canary::Canaries,
    live_rules::LiveRules,
    pipeline::{Clock, Question, Report, Told},
    routing::{ActiveSilences, Router},
    source::{Batch, Intake},
    status::Status,
    telemetry::Meters,
};

/// The pause before a unit that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Questions to one loop that may wait.
const QUESTIONS_MAX: usize = 4;
/// How often the counters of all units are added up.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// The name under which a unit that failed appears in `/readyz`.
const UNIT: &str = "unit";
/// The name under which it appears that nobody says any more which shards are this worker's.
const LEASES: &str = "leases";

/// What the units of a worker share.
pub struct Common {
    /// The rules in force.
    pub rules: LiveRules,
    /// The engines' settings; limits are those of each.
    pub settings: Settings,
    /// Says what time it is.
    pub clock: Clock,
    /// A record this much later than the clock, in seconds, is put aside.
    pub future_s: u32,
    /// Batches that may wait for one unit.
    pub queue_batches_max: usize,
    /// Says which sinks hear of an alert.
    pub router: Router,
    /// What sinks do not hear of for now.
    pub silences: ActiveSilences,
    /// Says that sinks have something to do.
    pub nudge: Arc<dyn Fn() + Send + Sync>,
    /// Where stored changes are told.
    pub told: broadcast::Sender<Arc<Told>>,
    /// How often a unit's memory is kept.
    pub snapshot_every: Duration,
    /// The canaries that are waited for.
    pub canaries: Canaries,
    /// How long the sources of a unit may take to end.
    pub sources_grace: Duration,
    /// What does not work.
    pub status: Status,
}

impl fmt::Debug for Common {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Common").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The units of a worker.
#[derive(Debug)]
pub struct Units {
    means: Means,
    turns: mpsc::Receiver<Turn>,
    /// What every unit should know and no shard carries.
    shared: mpsc::Receiver<Batch>,
    questions: mpsc::Receiver<Question>,
    reports: watch::Sender<Report>,
    stop: CancellationToken,
    running: BTreeMap<String, Running>,
    tasks: JoinSet<Result<End, UnitError>>,
    /// Answers that are being gathered from all units.
    asking: JoinSet<()>,
    /// A batch that is being handed to all units.
    sharing: JoinSet<()>,
    failed: Option<UnitError>,
    /// What was counted by units that are no longer there.
    former: Report,
}

/// A unit that runs, or is about to.
#[derive(Debug)]
struct Running {
    unit: Arc<Unit>,
    task: AbortHandle,
    drain: CancellationToken,
    intake: Intake,
    questions: mpsc::Sender<Question>,
    reports: watch::Receiver<Report>,
    turns: Arc<AtomicBool>,
}

impl Units {
    /// The units of a worker, of which there are none yet. They hear of everything in `shared`; counters are published
    /// to `reports`; all units are given back when `stop` is cancelled.
    #[must_use]
    pub fn new(
        common: Common,
        cluster: Cluster,
        shared: mpsc::Receiver<Batch>,
        questions: mpsc::Receiver<Question>,
        reports: watch::Sender<Report>,
        stop: CancellationToken,
    ) -> Self {
        let Cluster { turns, leases, scopes, feed } = cluster;
        Self {
            means: Means { common: Arc::new(common), leases, scopes, feed },
            turns,
            shared,
            questions,
            reports,
            stop,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            asking: JoinSet::new(),
            sharing: JoinSet::new(),
            failed: None,
            former: Report::default(),
        }
    }

    /// Runs units as shards come and go, until the stop; then gives all of them back.
    ///
    /// # Errors
    /// When a unit could not be ended in order; its shard is taken by others once the lease has run out.
    pub async fn run(mut self) -> Result<(), UnitError> {
        let mut stopping = false;
        let mut has_turns = true;
        let mut every = tokio::time::interval(REPORT_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !stopping || !self.tasks.is_empty() {
            let can_share = self.sharing.is_empty() && self.running.values().any(Running::turns);
            tokio::select! {
                turn = self.turns.recv(), if has_turns => match turn {
                    Some(Turn::Gained(unit)) if !stopping => {
                        self.meters().leases_gained.add(1);
                        self.start(Arc::new(unit), Duration::ZERO);
                    }
                    Some(Turn::Gained(unit)) => self.give_back(unit),
                    Some(Turn::Lost { shard, epoch }) => self.lose(&shard, epoch),
                    None => {
                        has_turns = false;
                        if !stopping {
                            tracing::error!("nobody says any more which shards are held here");
                            self.means.common.status.set(LEASES, "nobody says which shards are held; restart it");
                        }
                    }
                },
                Some(ended) = self.tasks.join_next_with_id() => self.note_end(ended, stopping),
                Some(question) = self.questions.recv() => self.answer(question),
                Some(_) = self.asking.join_next() => {}
                Some(_) = self.sharing.join_next() => {}
                Some(batch) = self.shared.recv(), if can_share => self.share(batch),
                _ = every.tick() => self.report(),
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.running.values().for_each(|running| running.drain.cancel());
                }
            }
        }
        self.means.leases.left().await;
        self.failed.map_or(Ok(()), Err)
    }

    fn start(&mut self, unit: Arc<Unit>, after: Duration) {
        self.lose(&unit.shard, unit.epoch);
        let common = &self.means.common;
        let (intake, batches) = Intake::queue(&unit.source, common.queue_batches_max);
        let (questions_in, questions) = mpsc::channel(QUESTIONS_MAX);
        let (reports, reports_out) = watch::channel(Report::default());
        let (turns, drain) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let inbox = Inbox {
            intake: intake.clone(),
            batches,
            questions,
            reports,
            turns: Arc::clone(&turns),
            drain: drain.clone(),
        };
        let (means, lived) = (self.means.clone(), Arc::clone(&unit));
        let task = self.tasks.spawn(async move {
            tokio::time::sleep(after).await;
            live(means, lived, inbox).await
        });
        let shard = unit.shard.clone();
        let running = Running { unit, task, drain, intake, questions: questions_in, reports: reports_out, turns };
        self.running.insert(shard, running);
    }

    /// A shard has come that is not begun with any more.
    fn give_back(&mut self, unit: Unit) {
        let leases = Arc::clone(&self.means.leases);
        self.asking.spawn(async move { leases.released(&unit).await });
    }

    /// Another worker has the shard: whatever this one still does with it, as it came to it in this epoch or before,
    /// stops at once.
    fn lose(&mut self, shard: &str, epoch: u64) {
        if self.running.get(shard).is_some_and(|running| running.unit.epoch <= epoch)
            && let Some(running) = self.running.remove(shard)
        {
            tracing::info!(shard, epoch = running.unit.epoch, "unit lost");
            running.task.abort();
            self.remember(&running);
            self.meters().leases_lost.add(1);
            self.means.common.status.within(shard).clear_place();
        }
    }

    fn note_end(&mut self, ended: Result<(Id, Result<End, UnitError>), JoinError>, stopping: bool) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended),
            Err(error) => (error.id(), Err(UnitError::Loop(error))),
        };
        let shard = self.running.iter().find(|(_, running)| running.task.id() == id).map(|(shard, _)| shard.clone());
        // One that was lost is no longer there.
        let Some(running) = shard.and_then(|shard| self.running.remove(&shard)) else { return };
        self.remember(&running);
        let status = self.means.common.status.within(&running.unit.shard);
        status.clear_place();
        let (shard, epoch) = (&*running.unit.shard, running.unit.epoch);
        match ended {
            Ok(end) => tracing::info!(shard, epoch, ?end, "unit ended"),
            // Whoever decides about leases has not said so yet, but will.
            Err(error) if !(running.unit.holds)() => tracing::info!(shard, epoch, %error, "unit no longer held"),
            Err(error) if stopping => {
                tracing::error!(shard, epoch, %error, "unit not ended in order");
                self.failed.get_or_insert(error);
            }
            Err(error) => {
                tracing::error!(shard, epoch, %error, "unit failed; it is tried again");
                self.start(Arc::clone(&running.unit), RETRY);
                status.set(UNIT, &error.to_string());
            }
        }
    }

    /// Answers once every loop that turns has answered.
    fn answer(&mut self, question: Question) {
        let turning = self.running.values().filter(|running| running.turns());
        let loops: Vec<mpsc::Sender<Question>> = turning.map(|running| running.questions.clone()).collect();
        self.asking.spawn(async move {
            // Whoever asked may have gone away.
            match question {
                Question::Turns(reply) => {
                    gather(&loops, Question::Turns).await;
                    reply.send(()).unwrap_or_default();
                }
                Question::Knows(reply) => {
                    let mut all = Summary::default();
                    gather(&loops, Question::Knows).await.into_iter().for_each(|one| all.add(one));
                    reply.send(all).map_or_else(drop, drop);
                }
            }
        });
    }

    /// Hands a batch to every unit; the answer is that of the last.
    fn share(&mut self, batch: Batch) {
        let units: Vec<Intake> = self.running.values().map(|running| running.intake.named(&batch.source)).collect();
        self.sharing.spawn(async move {
            let mut answers = Vec::new();
            for unit in units {
                // A unit that was lost meanwhile need not know.
                answers.extend(unit.ask(batch.records.clone(), batch.kept.clone()).await);
            }
            let mut outcome = None;
            for answer in answers {
                outcome = answer.await.ok().or(outcome);
            }
            if let (Some(reply), Some(outcome)) = (batch.reply, outcome) {
                // Whoever asked may have gone away.
                reply.send(outcome).unwrap_or_default();
            }
        });
    }

    /// Keeps what a unit counted that is no longer there: counters never go back.
    fn remember(&mut self, running: &Running) {
        self.former.add(&running.reports.borrow().counters_alone());
    }

    fn meters(&self) -> &Meters {
        &self.means.common.status.telemetry().meters
    }

    fn report(&self) {
        let mut sum = self.former.clone();
        self.running.values().for_each(|running| sum.add(&running.reports.borrow()));
        self.reports.send_replace(sum);
        self.meters().leases_held.set(self.running.len().try_into().unwrap_or(u64::MAX));
    }
}

/// Asks every loop; a unit that was lost meanwhile need not answer.
async fn gather<T>(loops: &[mpsc::Sender<Question>], question: impl Fn(oneshot::Sender<T>) -> Question) -> Vec<T> {
    let mut answers = Vec::new();
    for questions in loops {
        let (reply, answer) = oneshot::channel();
        if questions.send(question(reply)).await.is_ok() {
            answers.extend(answer.await);
        }
    }
    answers
}

impl Running {
    fn turns(&self) -> bool {
        self.turns.load(Ordering::Relaxed)
    }
}
