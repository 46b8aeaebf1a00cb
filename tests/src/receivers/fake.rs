//! A sink without a network: it answers as a test says, at once or after a time, and remembers what it was told.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_service::{
    config::delivery::Pace,
    routing::ActiveSilences,
    sink::{Confirmations, Now, Parts, Sink, SinkError, Telling, Told, Workers, start_sinks},
    status::Status,
    store::Store,
};
use tokio::time::Instant;

use super::alerts::at;

/// What one call told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When, since the fake was made.
    pub after: Duration,
    /// The alerts' ids.
    pub alerts: Vec<String>,
    /// Up to which revision, of the first alert.
    pub revision: u32,
    /// Whether the first one may have been told before.
    pub unsettled: bool,
    /// Whether it was a reminder.
    pub reminder: bool,
    /// Whether the fake took it.
    pub taken: bool,
}

type Answer = dyn Fn(&Telling, Duration) -> Result<Told, SinkError> + Send + Sync;

/// The sink.
pub struct Fake {
    began: Instant,
    takes: Duration,
    groups: bool,
    answer: Box<Answer>,
    calls: Mutex<Vec<Call>>,
    busy: Mutex<(usize, usize)>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fake")
    }
}

impl Fake {
    /// A sink that takes `takes` for each call and then answers what `answer` says; it is given what is told, and how
    /// long ago the fake was made.
    pub fn new(
        takes: Duration,
        groups: bool,
        answer: impl Fn(&Telling, Duration) -> Result<Told, SinkError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (calls, busy) = (Mutex::default(), Mutex::default());
        Arc::new(Self { began: Instant::now(), takes, groups, answer: Box::new(answer), calls, busy })
    }

    /// A sink that takes everything.
    #[must_use]
    pub fn willing() -> Arc<Self> {
        Self::new(Duration::ZERO, false, |_, _| Ok(Told { requests: 1, ..Told::default() }))
    }

    /// What it was told, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it took, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.taken).collect()
    }

    /// How many calls ran at the same time at most.
    #[must_use]
    pub fn busiest(&self) -> usize {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn enter(&self, change: isize) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.0 = busy.0.saturating_add_signed(change);
        busy.1 = busy.1.max(busy.0);
    }
}

#[async_trait]
impl Sink for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn kind(&self) -> &'static str {
        "fake"
    }

    fn groups(&self) -> bool {
        self.groups
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        self.enter(1);
        tokio::time::sleep(self.takes).await;
        self.enter(-1);
        let after = self.began.elapsed();
        let answer = (self.answer)(telling, after);
        let first = telling.claims.first();
        let call = Call {
            after,
            alerts: telling.claims.iter().map(|claim| claim.alert.alert.id.clone()).collect(),
            revision: first.map_or(0, |claim| claim.alert.revision),
            unsettled: first.is_some_and(|claim| claim.unsettled),
            reminder: first.is_some_and(|claim| claim.reminder),
            taken: answer.is_ok(),
        };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        answer
    }
}

/// A clock that goes with the test's time, from the start of the tests' alerts.
#[must_use]
pub fn clock() -> Now {
    let began = Instant::now();
    Arc::new(move || {
        let passed = jiff::SignedDuration::try_from(began.elapsed()).unwrap_or_default();
        at(0).checked_add(passed).unwrap_or_else(|_| at(0))
    })
}

/// What the worker of a sink shares with the test.
#[derive(Clone)]
pub struct Shared {
    /// Where deliveries wait.
    pub store: Arc<dyn Store>,
    /// The time.
    pub now: Now,
    /// Where lasting trouble is reported.
    pub status: Status,
    /// What nobody is reminded of.
    pub silences: ActiveSilences,
    /// Asks AWS before the first word about a job.
    pub confirmations: Option<Confirmations>,
}

/// Starts a worker for a sink.
pub fn work(sink: Arc<dyn Sink>, pace: Pace, shared: &Shared) -> Workers {
    let Shared { store, now, status, silences, confirmations } = shared.clone();
    let owner = format!("test-{}", fastrand::u64(..));
    start_sinks(vec![Parts { sink, pace, store, owner, now, status, silences, confirmations, incidents: None }])
}

/// A pace that hinders nothing.
pub const BRISK: Pace =
    Pace { per_minute: 1_000_000, timeout_ms: 10_000, backoff_max_s: 60, give_up_s: 86_400, repeat_s: None };
