//! The loop: batches of records, the engine's wake-ups, the state file and shutdown, all handled by one owner.
//!
//! There is one engine and no lock around it. The order is always the same: a record is judged, the changes it causes
//! are queued for every sink, and only then does its source's position count as judged.

mod clock;
mod report;
mod told;
mod view;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_watch_engine::{Engine, alert::AlertChange};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use report::{Report, ServiceCounters};
pub use told::Told;
pub use view::AlertView;

use crate::{
    event_time::event_time,
    sink::SinkHandle,
    source::{Batch, Outcome},
    state_file::{State, StateError, StateFile},
    status::Status,
};

/// Rejected records that are logged one by one; beyond that, only each time their number doubles.
const REJECTED_LOGGED_MAX: u64 = 20;
/// The name under which trouble with the state file appears in `/readyz`.
const STATE: &str = "state file";

/// What the loop is made of.
#[derive(Debug)]
pub struct Parts {
    /// Judges the records.
    pub engine: Engine,
    /// Says what time it is.
    pub clock: Clock,
    /// A record this much later than the clock, in seconds, is put aside.
    pub future_s: u32,
    /// Where batches arrive.
    pub intake: mpsc::Receiver<Batch>,
    /// Questions whether the loop turns.
    pub pings: mpsc::Receiver<oneshot::Sender<()>>,
    /// Where alerts go.
    pub sinks: Vec<SinkHandle>,
    /// What others see of the alerts.
    pub view: AlertView,
    /// Where counters are published.
    pub reports: watch::Sender<Report>,
    /// Where memory is kept.
    pub state: Arc<StateFile>,
    /// Up to where each source was judged when the memory was kept.
    pub positions: BTreeMap<String, String>,
    /// How often memory is kept.
    pub save_every: Duration,
    /// What does not work.
    pub status: Status,
    /// No further batches are taken once this is cancelled; those in the queue still are.
    pub stop: CancellationToken,
}

/// The loop.
#[derive(Debug)]
pub struct Pipeline {
    parts: Parts,
    counters: ServiceCounters,
    save_at: Instant,
    saving: Option<JoinHandle<Result<(), StateError>>>,
    /// Whether anything happened since memory was last kept.
    changed: bool,
}

impl Pipeline {
    /// The loop, not yet turning.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let save_at = Instant::now() + parts.save_every;
        let pipeline = Self { parts, counters: ServiceCounters::default(), save_at, saving: None, changed: true };
        pipeline.publish();
        pipeline
    }

    /// Turns until every source has ended or the stop is cancelled, then judges what is queued and keeps the memory.
    ///
    /// # Errors
    /// When the memory cannot be kept at the end.
    pub async fn run(mut self) -> Result<(), StateError> {
        let stop = self.parts.stop.clone();
        let mut stopping = false;
        loop {
            let wakeup = self.parts.engine.next_wakeup().and_then(|at| self.parts.clock.until(at));
            tokio::select! {
                batch = self.parts.intake.recv() => match batch {
                    Some(batch) => self.judge(batch).await,
                    None => break,
                },
                Some(ping) = self.parts.pings.recv() => ping.send(()).unwrap_or_default(),
                () = sleep_or_never(wakeup) => self.let_time_pass().await,
                () = tokio::time::sleep_until(self.save_at) => self.keep_memory(),
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.parts.intake.close();
                }
            }
        }
        self.keep_memory_finally().await
    }

    async fn judge(&mut self, batch: Batch) {
        let mut outcome = Outcome::default();
        for reason in &batch.records.rejected {
            outcome.rejected = outcome.rejected.saturating_add(1);
            self.counters.unreadable = self.counters.unreadable.saturating_add(1);
            self.log_rejected(&batch.source, reason);
        }
        for record in batch.records.iter() {
            let time = event_time(record);
            if self.parts.clock.see(time, self.parts.future_s).is_err() {
                outcome.rejected = outcome.rejected.saturating_add(1);
                self.counters.future = self.counters.future.saturating_add(1);
                self.log_rejected(&batch.source, "its event time lies in the future");
                continue;
            }
            match self.parts.engine.judge(record, self.parts.clock.now()) {
                Ok(changes) => {
                    outcome.accepted = outcome.accepted.saturating_add(1);
                    self.tell(changes).await;
                }
                Err(error) => {
                    outcome.rejected = outcome.rejected.saturating_add(1);
                    self.log_rejected(&batch.source, &error.to_string());
                }
            }
        }
        if let Some(position) = batch.position {
            self.parts.positions.insert(batch.source.to_string(), position);
        }
        self.counters.batches = self.counters.batches.saturating_add(1);
        self.counters.bytes = self.counters.bytes.saturating_add(batch.records.bytes().try_into().unwrap_or(u64::MAX));
        self.changed = true;
        self.publish();
        if let Some(reply) = batch.reply {
            // Whoever asked may have gone away meanwhile; the records are judged all the same.
            reply.send(outcome).unwrap_or_default();
        }
    }

    async fn let_time_pass(&mut self) {
        let changes = self.parts.engine.tick(self.parts.clock.now());
        self.changed = true;
        self.tell(changes).await;
        self.publish();
    }

    async fn tell(&mut self, changes: Vec<AlertChange>) {
        for change in changes {
            tracing::debug!(
                alert = change.alert.id,
                rule = change.alert.rule,
                severity = change.alert.severity.as_str(),
                status = change.alert.status.as_str(),
                account = change.alert.account,
                "alert"
            );
            self.counters.changes = self.counters.changes.saturating_add(1);
            let change = Arc::new(change);
            self.parts.view.apply(&change);
            for sink in &self.parts.sinks {
                sink.send(Arc::clone(&change)).await;
            }
        }
        self.parts.view.prune(&self.parts.engine);
    }

    fn log_rejected(&self, source: &str, reason: &str) {
        let rejected = self.parts.engine.stats().rejected;
        let total = rejected.saturating_add(self.counters.unreadable).saturating_add(self.counters.future);
        if total <= REJECTED_LOGGED_MAX || total.is_power_of_two() {
            tracing::warn!(source, reason = %crate::format::visible(reason), total, "record rejected");
        }
    }

    fn publish(&self) {
        self.parts.reports.send_replace(Report {
            stats: self.parts.engine.stats().clone(),
            service: self.counters.clone(),
            routing: crate::routing::RoutingCounters::default(),
            now: self.parts.clock.now(),
        });
    }

    /// Writes the memory in the background, unless the last write has not ended yet.
    fn keep_memory(&mut self) {
        self.save_at = Instant::now() + self.parts.save_every;
        if !self.changed || self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return;
        }
        self.changed = false;
        let state = self.memory();
        let (file, status) = (Arc::clone(&self.parts.state), self.parts.status.clone());
        self.saving = Some(tokio::task::spawn_blocking(move || {
            let saved = file.save(&state);
            match &saved {
                Ok(()) => status.clear(STATE),
                Err(error) => {
                    tracing::error!(%error, "memory not kept");
                    status.set(STATE, &error.to_string());
                }
            }
            saved
        }));
    }

    async fn keep_memory_finally(mut self) -> Result<(), StateError> {
        if let Some(saving) = self.saving.take() {
            // Its error was logged, and the write below says whether it matters.
            saving.await.map(drop).unwrap_or_default();
        }
        let (state, file) = (self.memory(), Arc::clone(&self.parts.state));
        tokio::task::spawn_blocking(move || file.save(&state)).await.unwrap_or(Ok(()))
    }

    fn memory(&self) -> State {
        State { positions: self.parts.positions.clone(), snapshot: self.parts.engine.snapshot() }
    }
}

async fn sleep_or_never(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
