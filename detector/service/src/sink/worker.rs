//! One worker a sink: claims what is due from the store, has it told, and settles it.
//!
//! What waits is in the store, never here: the worker holds only what is being told at the moment. So a sink may be
//! down for days and cost no memory, and nothing is lost with the process. When a sink as a whole fails, one delivery
//! at a time finds out whether it works again, each time another one, so that one bad alert cannot block the others.
//! The order of one alert's revisions is kept because the store lets nobody claim an alert that is held.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Confirmations, Sink, Telling,
    attempt::{Attempt, Done},
    counters::Counters,
    health::Health,
    pace::{Backoff, Bucket},
};
use crate::{
    config::delivery::Pace,
    incident::Gatherer,
    routing::ActiveSilences,
    status::Status,
    store::{Claim, Store},
};

/// Deliveries claimed at once at most.
pub(super) const CLAIMS_MAX: usize = 32;
/// Requests of one telling at most; a sink that needs more says how far it came.
pub(super) const REQUESTS_PER_TELLING_MAX: u32 = 8;
/// A claim outlives the longest telling by this much, to be settled.
pub(super) const SETTLE_MARGIN: Duration = Duration::from_secs(30);
/// A worker looks again after this time even if nobody called it: a command beside the daemon, which resolves an alert
/// or revives dead letters in the store, cannot call it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The shortest time between two looks when something is due but held by somebody else.
const HELD_AGAIN: Duration = Duration::from_millis(250);
/// Pause after the store failed.
const STORE_AGAIN: Duration = Duration::from_secs(1);
/// Reminders are looked for at least this often.
const REMIND_EVERY_MAX: Duration = Duration::from_secs(60);
/// At a shutdown, what is being told is cut off so long before the end, to be settled.
const CUT_MARGIN: Duration = Duration::from_millis(500);

/// Tells what time it is; given from outside so that tests decide.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a worker is made of.
pub struct Parts {
    /// The sink.
    pub sink: Arc<dyn Sink>,
    /// How fast and how patiently it is told.
    pub pace: Pace,
    /// Where deliveries wait.
    pub store: Arc<dyn Store>,
    /// Who holds the claims; unique to this process.
    pub owner: String,
    /// The time.
    pub now: Now,
    /// Where lasting trouble is reported.
    pub status: Status,
    /// What nobody is reminded of for now.
    pub silences: ActiveSilences,
    /// Asks AWS before the first word about a job; `None` asks nothing.
    pub confirmations: Option<Confirmations>,
    /// Finds the incident of an alert; `None` finds none.
    pub incidents: Option<Gatherer>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("sink", &self.sink).field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// Until when a worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Tell what is due, then end; by this time at the latest.
    Draining(Instant),
}

/// The worker's side that others hold.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) nudge: Arc<Notify>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) counters: Arc<Counters>,
}

/// A worker.
pub(super) struct Worker {
    parts: Parts,
    bucket: Bucket,
    health: Arc<Health>,
    counters: Arc<Counters>,
    nudge: Arc<Notify>,
    phase: watch::Receiver<Phase>,
    /// Cancelled when what is being told must be cut off.
    cut: CancellationToken,
    tasks: JoinSet<Done>,
    remind_at: Instant,
}

/// When to look again.
enum Next {
    At(Instant),
    /// Nothing is due.
    Idle(Instant),
}

impl Worker {
    pub(super) fn new(parts: Parts) -> (Self, Handle) {
        let now = Instant::now();
        let nudge = Arc::new(Notify::new());
        let counters = Arc::new(Counters::default());
        let (phase, watched) = watch::channel(Phase::Running);
        let (name, kind) = (parts.sink.name().to_owned(), parts.sink.kind());
        let health = Arc::new(Health::new(&name, Backoff::new(&parts.pace), parts.status.clone()));
        let handle = Handle { name, kind, nudge: Arc::clone(&nudge), phase, counters: Arc::clone(&counters) };
        let bucket = Bucket::new(parts.pace.per_minute, now);
        let (cut, tasks) = (CancellationToken::new(), JoinSet::new());
        (Self { parts, bucket, health, counters, nudge, phase: watched, cut, tasks, remind_at: now }, handle)
    }

    /// Works until it is drained.
    pub(super) async fn run(mut self) {
        loop {
            let phase = *self.phase.borrow_and_update();
            let next = match phase {
                Phase::Draining(end) if Instant::now() >= before(end) => break,
                _ => self.step().await,
            };
            let wake = match (next, phase) {
                (Next::Idle(_), Phase::Draining(_)) if self.tasks.is_empty() => break,
                (Next::Idle(at) | Next::At(at), Phase::Draining(end)) => at.min(before(end)),
                (Next::Idle(at) | Next::At(at), Phase::Running) => at,
            };
            tokio::select! {
                () = self.nudge.notified() => {}
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => self.reap(done),
                () = tokio::time::sleep_until(wake) => {}
                // The other side is gone: nobody can call or drain this worker any more.
                changed = self.phase.changed() => if changed.is_err() { break },
            }
            while let Some(done) = self.tasks.try_join_next() {
                self.reap(done);
            }
            self.counters.set_in_flight(self.tasks.len());
        }
        self.cut.cancel();
        while let Some(done) = self.tasks.join_next().await {
            self.reap(done);
        }
        self.counters.set_in_flight(0);
    }

    fn reap(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(done) if done.requests < done.reserved => {
                self.bucket.put_back(done.reserved.saturating_sub(done.requests))
            }
            Ok(done) => self.bucket.take(done.requests.saturating_sub(done.reserved)),
            // What it held comes back when the claim expires, marked as unsettled.
            Err(error) => tracing::error!(sink = self.parts.sink.name(), %error, "telling failed; it is tried again"),
        }
        self.counters.set_failing(self.health.failures());
    }

    /// Starts whatever may be started.
    async fn step(&mut self) -> Next {
        let now = Instant::now();
        if let Some(paused) = self.health.paused_until()
            && paused > now
        {
            // Draining does not wait for a sink that is down: what waits is safe in the store.
            return if self.tasks.is_empty() { Next::Idle(paused) } else { Next::At(paused) };
        }
        self.remind(now).await;
        let probing = self.health.failures() > 0;
        let sink = &self.parts.sink;
        let (slots, batch, pack) =
            if probing { (1, 1, 1) } else { (sink.concurrency(), sink.batch(), sink.alerts_per_telling()) };
        let free = slots.saturating_sub(self.tasks.len());
        if free == 0 {
            return Next::At(now + LOOK_AGAIN);
        }
        let available = self.bucket.available(now);
        let limit = free.saturating_mul(batch).min(available).saturating_mul(pack).min(CLAIMS_MAX.max(pack));
        if limit == 0 {
            return Next::At(self.bucket.next_at());
        }
        match self.claim(limit, available).await {
            Ok(tellings) if tellings.is_empty() => self.idle(now).await,
            Ok(tellings) => {
                let full = tellings.iter().map(|telling| telling.claims.len()).sum::<usize>() >= limit;
                self.start(tellings, batch);
                if full { Next::At(now) } else { self.idle(now).await }
            }
            Err(error) => {
                tracing::warn!(sink = self.parts.sink.name(), %error, "the store does not say what is to be told");
                Next::At(now + STORE_AGAIN)
            }
        }
    }

    /// Claims what is due and puts together what belongs together.
    async fn claim(&mut self, limit: usize, available: usize) -> Result<Vec<Telling>, crate::store::StoreError> {
        let mut claims = self.claim_at_most(limit).await?;
        if self.parts.sink.groups() && claims.iter().any(|claim| group_of(claim).is_some()) {
            claims.extend(self.claim_at_most(CLAIMS_MAX.saturating_sub(claims.len())).await?);
        }
        let now = (self.parts.now)();
        let pack = self.parts.sink.alerts_per_telling();
        if pack > 1 {
            return Ok(claims.chunks(pack).map(|claims| Telling::plain(claims.to_vec(), now)).collect());
        }
        let mut tellings: Vec<Telling> = Vec::new();
        for claim in claims {
            let mates = |telling: &&mut Telling| {
                telling
                    .claims
                    .first()
                    .is_some_and(|first| group_of(first).is_some() && group_of(first) == group_of(&claim))
            };
            match tellings.iter_mut().find(mates) {
                Some(telling) if self.parts.sink.groups() => telling.claims.push(claim),
                _ => tellings.push(Telling::plain(vec![claim], now)),
            }
        }
        // Looking for mates may have brought in more than may be told now.
        for claim in tellings.split_off(tellings.len().min(limit.min(available))).into_iter().flat_map(|one| one.claims)
        {
            self.attempt(now).release(&claim).await;
        }
        Ok(tellings)
    }

    async fn claim_at_most(&self, limit: usize) -> Result<Vec<Claim>, crate::store::StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = (self.parts.now)();
        // A batch is told one after the other, so its last one waits for all before it.
        let longest = self.telling_limit().saturating_mul(u32::try_from(self.parts.sink.batch()).unwrap_or(u32::MAX));
        let until = later(now, longest.saturating_add(SETTLE_MARGIN));
        let meters = &self.parts.status.telemetry().meters;
        let claim = self.parts.store.claim(self.parts.sink.name(), &self.parts.owner, now, until, limit);
        meters.store(&meters.store_claim, claim).await
    }

    fn telling_limit(&self) -> Duration {
        Duration::from_millis(self.parts.pace.timeout_ms).saturating_mul(REQUESTS_PER_TELLING_MAX)
    }

    fn start(&mut self, tellings: Vec<Telling>, batch: usize) {
        let mut tellings = tellings.into_iter();
        loop {
            let chunk: Vec<Telling> = tellings.by_ref().take(batch.max(1)).collect();
            let Ok(reserved @ 1..) = u32::try_from(chunk.len()) else { break };
            self.bucket.take(reserved);
            let attempt = self.attempt((self.parts.now)());
            self.tasks.spawn(attempt.run(chunk, reserved));
        }
        self.counters.set_in_flight(self.tasks.len());
    }

    fn attempt(&self, now: Timestamp) -> Attempt {
        Attempt {
            sink: Arc::clone(&self.parts.sink),
            store: Arc::clone(&self.parts.store),
            confirmations: self.parts.confirmations.clone(),
            incidents: self.parts.incidents.clone().filter(|_| self.parts.sink.tells_incidents()),
            silences: self.parts.silences.clone(),
            health: Arc::clone(&self.health),
            telemetry: self.parts.status.telemetry().clone(),
            counters: Arc::clone(&self.counters),
            backoff: Backoff::new(&self.parts.pace),
            limit: self.telling_limit(),
            now: Arc::clone(&self.parts.now),
            began: now,
            seen: self.health.see(),
            cut: self.cut.clone(),
        }
    }

    /// When the next delivery falls due.
    async fn idle(&self, now: Instant) -> Next {
        let latest = now + LOOK_AGAIN;
        let latest = if self.parts.pace.repeat_s.is_some() { latest.min(self.remind_at) } else { latest };
        match self.parts.store.next_due(self.parts.sink.name()).await {
            Ok(Some(due)) => {
                let wait = due.duration_since((self.parts.now)());
                let wait = Duration::try_from(wait).unwrap_or_default();
                let at = (now + wait.min(LOOK_AGAIN)).max(now + HELD_AGAIN).min(latest.max(now + HELD_AGAIN));
                Next::Idle(at)
            }
            Ok(None) => Next::Idle(latest),
            Err(_) => Next::At(now + STORE_AGAIN),
        }
    }

    async fn remind(&mut self, now: Instant) {
        let Some(repeat_s) = self.parts.pace.repeat_s else { return };
        if now < self.remind_at {
            return;
        }
        let repeat = Duration::from_secs(repeat_s);
        self.remind_at = now + REMIND_EVERY_MAX.min(repeat / 4).max(Duration::from_secs(1));
        let wall = (self.parts.now)();
        let told_before = wall.checked_sub(signed(repeat)).unwrap_or(Timestamp::MIN);
        match self.parts.store.remind(self.parts.sink.name(), told_before, wall).await {
            Ok(0) => {}
            Ok(alerts) => {
                tracing::debug!(sink = self.parts.sink.name(), alerts, "alerts that still fire are told again")
            }
            Err(error) => {
                tracing::warn!(sink = self.parts.sink.name(), %error, "the store does not say what still fires")
            }
        }
    }
}

/// The group in which a claim may be told: only what is new to the sink, still fires and may wait.
fn group_of(claim: &Claim) -> Option<&str> {
    let alert = &claim.alert.alert;
    let critical = alert.severity == bedrock_watch_engine::alert::Severity::Critical;
    let together = claim.is_first() && claim.memo.is_none() && !claim.is_over() && !critical;
    claim.group.as_deref().filter(|_| together)
}

fn before(end: Instant) -> Instant {
    end.checked_sub(CUT_MARGIN).unwrap_or(end)
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

pub(super) fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.checked_add(signed(duration)).unwrap_or(Timestamp::MAX)
}
