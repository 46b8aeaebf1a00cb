//! Runs the protocol: a task of its own that asks the table and the stream, and tells whoever runs the work.
//!
//! Nothing here waits for the work: events are handed over without waiting, and asking goes on whatever becomes of them.
//! So a worker that is busy keeps its leases, and only one that stands still loses them.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_service::status::Status;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    protocol::{Answer, Ask, Event, Millis, Request, Settings, Worker},
    row::{Checkpoint, Row, ShardInfo},
    table::{LeaseTable, Written},
};

/// How long the table or the stream may take to answer; beyond it nothing is known.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long listing shards may take.
const SHARDS_WITHIN: Duration = Duration::from_secs(30);
/// Events that wait for whoever runs the work before more are kept aside.
const EVENTS: usize = 256;
/// The longest sleep.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// What the status calls it.
const STATUS: &str = "leases";

/// What the coordinator works with.
#[derive(Debug)]
pub struct Parts {
    /// The table.
    pub table: Arc<dyn LeaseTable>,
    /// The stream.
    pub shards: Arc<dyn ListShards>,
    /// How it behaves.
    pub settings: Settings,
    /// Where it says what does not work.
    pub status: Status,
    /// Where its task runs.
    pub tracker: TaskTracker,
}

/// A stream, as far as leases are concerned.
#[async_trait]
pub trait ListShards: fmt::Debug + Send + Sync + 'static {
    /// Every shard that the stream still has, closed ones too; the error says what went wrong.
    async fn list(&self) -> Result<Vec<ShardInfo>, String>;
}

/// A shard that this worker has.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The shard.
    pub shard: String,
    /// Grows with each time the shard is gained, by whomever.
    pub epoch: u64,
    /// Up to where it was read when it was gained.
    pub checkpoint: Checkpoint,
    /// Cancelled when the lease is lost.
    pub lost: CancellationToken,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum LeaseEvent {
    /// The shard is this worker's from now on.
    Gained(Lease),
    /// It no longer is: the work on it stops at once.
    Lost {
        /// The shard.
        shard: String,
        /// As in the lease.
        epoch: u64,
    },
}

/// The lease is somebody else's by now, or nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease of {0} is lost")]
pub struct LeaseLost(
    /// The shard.
    pub String,
);

/// The way to a running coordinator. Clones are the same.
#[derive(Debug, Clone)]
pub struct Coordinator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    stop: CancellationToken,
    ended: CancellationToken,
    begun: Instant,
}

#[derive(Debug)]
struct State {
    worker: Worker,
    leases: BTreeMap<String, Lease>,
    waiting: Vec<Waiting>,
    /// Events for which there was no room.
    aside: VecDeque<LeaseEvent>,
}

#[derive(Debug)]
struct Waiting {
    shard: String,
    epoch: u64,
    /// `None` waits for the lease to be given back.
    checkpoint: Option<Checkpoint>,
    done: oneshot::Sender<()>,
}

impl Shared {
    fn now(&self) -> Millis {
        Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coordinator {
    /// Starts; what happens comes through the receiver.
    #[must_use]
    pub fn start(parts: Parts) -> (Self, mpsc::Receiver<LeaseEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let Parts { table, shards, settings, status, tracker } = parts;
        let state = State {
            worker: Worker::new(settings, fastrand::u64(..), 0),
            leases: BTreeMap::new(),
            waiting: Vec::new(),
            aside: VecDeque::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            begun: Instant::now(),
        });
        let driver = Driver { shared: Arc::clone(&shared), table, shards, status, events, asked: JoinSet::new() };
        tracker.spawn(driver.run());
        (Self { shared }, receiver)
    }

    /// Whether the lease is held, at this moment.
    #[must_use]
    pub fn is_held(&self, lease: &Lease) -> bool {
        self.shared.state().worker.is_held(&lease.shard, lease.epoch, self.shared.now())
    }

    /// Notes up to where the shard was read; returns when it is in the table. One that lies before what is noted changes
    /// nothing.
    ///
    /// # Errors
    /// When the lease is lost.
    pub async fn checkpoint(&self, lease: &Lease, checkpoint: Checkpoint) -> Result<(), LeaseLost> {
        let wanted = checkpoint.clone();
        let now = self.shared.now();
        self.wait_for(lease, Some(checkpoint), |worker| worker.checkpoint(&lease.shard, lease.epoch, wanted, now)).await
    }

    /// Notes that the shard was read to its end, and makes rows for the shards that it became, which may then begin. The
    /// lease is over afterwards. `children` are those that name it as a parent; without any, it is noted as ended only
    /// if the stream no longer has it, which the caller must know: a shard that only seems to have ended would be lost.
    ///
    /// # Errors
    /// When the lease is lost.
    pub async fn ended(&self, lease: &Lease, children: Vec<ShardInfo>) -> Result<(), LeaseLost> {
        let now = self.shared.now();
        let end = |worker: &mut Worker| worker.end(&lease.shard, lease.epoch, children, now);
        self.wait_for(lease, Some(Checkpoint::ShardEnd), end).await
    }

    /// Gives the lease back, so that another worker takes it at once; the work on it must have stopped. Returns when it
    /// is given back, or lost anyway.
    pub async fn release(&self, lease: &Lease) {
        let release = |worker: &mut Worker| {
            worker.release(&lease.shard, lease.epoch);
            worker.working().any(|(shard, epoch)| shard == lease.shard && epoch == lease.epoch)
        };
        // It is not this worker's in either case.
        self.wait_for(lease, None, release).await.unwrap_or_default();
    }

    /// Takes nothing more; what is held is kept until it is released.
    pub fn drain(&self) {
        self.shared.state().worker.drain();
        self.shared.changed.notify_one();
    }

    /// Ends it. What is still held expires.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.ended.cancelled().await;
    }

    /// The table as last seen.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.shared.state().worker.rows().to_vec()
    }

    async fn wait_for(
        &self,
        lease: &Lease,
        checkpoint: Option<Checkpoint>,
        order: impl FnOnce(&mut Worker) -> bool,
    ) -> Result<(), LeaseLost> {
        let (done, waiting) = oneshot::channel();
        let lost = || LeaseLost(lease.shard.clone());
        {
            let mut state = self.shared.state();
            if !order(&mut state.worker) {
                return Err(lost());
            }
            state.waiting.push(Waiting { shard: lease.shard.clone(), epoch: lease.epoch, checkpoint, done });
        }
        self.shared.changed.notify_one();
        waiting.await.map_err(|_| lost())
    }
}

struct Driver {
    shared: Arc<Shared>,
    table: Arc<dyn LeaseTable>,
    shards: Arc<dyn ListShards>,
    status: Status,
    events: mpsc::Sender<LeaseEvent>,
    asked: JoinSet<(u64, Answer)>,
}

impl Driver {
    async fn run(mut self) {
        while !self.shared.stop.is_cancelled() {
            let (requests, wake_at) = self.step();
            for request in requests {
                self.ask(request);
            }
            let longest = Instant::now().checked_add(SLEEP_MAX);
            let wake = self.shared.begun.checked_add(Duration::from_millis(wake_at)).or(longest);
            let wake = wake.zip(longest).map_or_else(Instant::now, |(wake, longest)| wake.min(longest));
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = self.shared.changed.notified() => {}
                () = sleep_until(wake) => {}
                Some(Ok((id, answer))) = self.asked.join_next() => {
                    let now = self.shared.now();
                    self.shared.state().worker.answer(id, answer, now);
                }
                Ok(permit) = self.events.reserve(), if !self.shared.state().aside.is_empty() => {
                    let next = self.shared.state().aside.pop_front();
                    if let Some(next) = next {
                        permit.send(next);
                    }
                }
            }
        }
        let mut state = self.shared.state();
        for lease in std::mem::take(&mut state.leases).into_values() {
            lease.lost.cancel();
        }
        state.waiting.clear();
        drop(state);
        self.shared.ended.cancel();
    }

    /// Lets the protocol go on: what to ask, and when it wants to be woken.
    fn step(&self) -> (Vec<Request>, Millis) {
        let mut state = self.shared.state();
        let mut requests = Vec::new();
        // What an event leads to may have to be asked at once.
        requests.extend(state.worker.poll(self.shared.now()));
        for event in state.worker.events() {
            state.take_in(event);
        }
        while let Some(event) = state.aside.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    state.aside.push_front(event);
                    break;
                }
                // Nobody listens any more.
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
        let wake_at = state.worker.wake_at();
        (requests, wake_at)
    }

    fn ask(&mut self, request: Request) {
        let (shared, table, shards) = (Arc::clone(&self.shared), Arc::clone(&self.table), Arc::clone(&self.shards));
        let status = self.status.clone();
        self.asked.spawn(async move {
            let Request { id, ask, not_after } = request;
            if shared.now() > not_after {
                // The process stood still in between.
                return (id, Answer::Failed);
            }
            let within = if ask == Ask::Shards { SHARDS_WITHIN } else { ANSWER_WITHIN };
            let answer = match timeout(within, answer(&*table, &*shards, ask)).await {
                Ok(Ok(answer)) => {
                    status.clear(STATUS);
                    answer
                }
                Ok(Err(reason)) => failed(&status, &reason),
                Err(_) => failed(&status, &format!("no answer within {} s", within.as_secs())),
            };
            (id, answer)
        });
    }
}

fn failed(status: &Status, reason: &str) -> Answer {
    tracing::warn!(reason, "leases could not be looked after; it is tried again");
    status.set(STATUS, reason);
    Answer::Failed
}

async fn answer(table: &dyn LeaseTable, shards: &dyn ListShards, ask: Ask) -> Result<Answer, String> {
    let written = |written: Written| match written {
        Ok(()) => Answer::Done,
        Err(row) => Answer::Refused(row),
    };
    match ask {
        Ask::Shards => return shards.list().await.map(Answer::Shards),
        Ask::Scan => table.scan().await.map(Answer::Rows),
        Ask::Read(shard) => table.read(&shard).await.map(Answer::Row),
        Ask::Create(row) => {
            let counter = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
            table.create(&Row { counter, ..row }).await.map(written)
        }
        Ask::Update(shard, counter, change) => table.update(&shard, counter, &change).await.map(written),
        Ask::Remove(shard, counter) => table.remove(&shard, counter).await.map(written),
    }
    .map_err(|error| error.to_string())
}

impl State {
    fn take_in(&mut self, event: Event) {
        match event {
            Event::Gained { shard, epoch, checkpoint } => {
                tracing::info!(shard, epoch, %checkpoint, "a shard was gained");
                let lease = Lease { shard: shard.clone(), epoch, checkpoint, lost: CancellationToken::new() };
                self.leases.insert(shard, lease.clone());
                self.aside.push_back(LeaseEvent::Gained(lease));
            }
            Event::Lost { shard, epoch } => {
                tracing::warn!(shard, epoch, "a shard was lost");
                self.over(&shard, epoch);
                self.aside.push_back(LeaseEvent::Lost { shard, epoch });
            }
            Event::Released { shard, epoch } => {
                tracing::info!(shard, epoch, "a shard was given back");
                self.answer(&shard, epoch, |wanted| wanted.is_none());
                self.over(&shard, epoch);
            }
            Event::Stored { shard, epoch, checkpoint } => {
                self.answer(&shard, epoch, |wanted| wanted.is_some_and(|wanted| *wanted <= checkpoint));
                if checkpoint == Checkpoint::ShardEnd {
                    tracing::info!(shard, epoch, "a shard was read to its end");
                    self.over(&shard, epoch);
                }
            }
        }
    }

    /// Answers those who wait for what has happened.
    fn answer(&mut self, shard: &str, epoch: u64, has_happened: impl Fn(Option<&Checkpoint>) -> bool) {
        let waiting = std::mem::take(&mut self.waiting);
        for one in waiting {
            if one.shard == shard && one.epoch == epoch && has_happened(one.checkpoint.as_ref()) {
                // Whoever waited may have gone away.
                one.done.send(()).unwrap_or_default();
            } else {
                self.waiting.push(one);
            }
        }
    }

    /// The lease is over; who still waits is told so by the end of the channel.
    fn over(&mut self, shard: &str, epoch: u64) {
        self.waiting.retain(|one| one.shard != shard || one.epoch != epoch);
        if let Some(lease) = self.leases.get(shard).filter(|lease| lease.epoch == epoch) {
            lease.lost.cancel();
            self.leases.remove(shard);
        }
    }
}
