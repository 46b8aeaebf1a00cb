//! Workers that share the shards of a [`Log`] over one store, and the coordinator that the test leads: it takes shards
//! from one worker and gives them to another, at any moment and with any delay.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_engine::{Settings, rule::RuleSet};
use bedrock_watch_service::{
    canary::Canaries,
    config::RoutingConfig,
    pipeline::{Clock, Report},
    routing::{ActiveSilences, Router},
    source::Intake,
    status::Status,
    store::Store,
    units::{Cluster, Common, Leases, Scopes, Turn, Unit, UnitError, UnitParent, Units},
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::log::{Log, source};
use crate::receivers::memory_store::MemoryStore;

/// Turns that may wait for a worker.
const TURNS_MAX: usize = 64;

/// The store's parts.
#[derive(Debug)]
struct Parts(Arc<MemoryStore>);

impl Scopes for Parts {
    fn scoped(&self, scope: &str, epoch: u64) -> Arc<dyn Store> {
        Arc::new(self.0.scoped(scope, epoch))
    }
}

/// The shards of which a worker has said that they are read to their end.
#[derive(Debug, Default)]
struct Said {
    ended: Mutex<BTreeSet<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Leases for Said {
    async fn committed(&self, _: &Unit, _: &str) {}

    async fn ended(&self, unit: &Unit) {
        assert!((unit.holds)(), "a worker that holds a shard no longer does not end it");
        locked(&self.ended).insert(unit.shard.clone());
    }

    async fn left(&self) {}

    async fn released(&self, _: &Unit) {}
}

/// Who holds a shard.
#[derive(Debug)]
struct Holding {
    worker: usize,
    epoch: u64,
    valid: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Worker {
    turns: mpsc::Sender<Turn>,
    stop: CancellationToken,
    task: JoinSet<Result<(), UnitError>>,
}

/// Everybody.
#[derive(Debug)]
pub struct Crew {
    /// The stream.
    pub log: Log,
    /// The store.
    pub store: Arc<MemoryStore>,
    rules: Arc<RuleSet>,
    said: Arc<Said>,
    workers: BTreeMap<usize, Worker>,
    next_worker: usize,
    held: BTreeMap<String, Holding>,
    epochs: BTreeMap<String, u64>,
}

impl Crew {
    /// Nobody yet.
    #[must_use]
    pub fn new(log: Log, rules: Arc<RuleSet>) -> Self {
        Self {
            log,
            rules,
            store: Arc::default(),
            said: Arc::default(),
            workers: BTreeMap::new(),
            next_worker: 0,
            held: BTreeMap::new(),
            epochs: BTreeMap::new(),
        }
    }

    /// Starts a worker.
    pub fn hire(&mut self) -> usize {
        let (turns, turns_out) = mpsc::channel(TURNS_MAX);
        let stop = CancellationToken::new();
        let common = Common {
            rules: Arc::clone(&self.rules).into(),
            settings: Settings::standard(),
            clock: Clock::event(),
            future_s: 300,
            queue_batches_max: 4,
            router: Router::new(&RoutingConfig::default(), &[]),
            silences: ActiveSilences::default(),
            nudge: Arc::new(|| {}),
            told: broadcast::channel(1).0,
            snapshot_every: Duration::from_millis(80),
            canaries: Canaries::default(),
            sources_grace: Duration::from_secs(10),
            status: Status::default(),
        };
        let leases = Arc::<Said>::clone(&self.said);
        let (scopes, feed) = (Arc::new(Parts(Arc::clone(&self.store))), Arc::new(self.log.clone()));
        let cluster = Cluster { turns: turns_out, leases, scopes, feed };
        let (_, shared) = Intake::queue("inventory", 1);
        let (_, questions) = mpsc::channel(1);
        let units = Units::new(common, cluster, shared, questions, watch::channel(Report::default()).0, stop.clone());
        let mut task = JoinSet::new();
        task.spawn(units.run());
        let number = self.next_worker;
        self.next_worker += 1;
        self.workers.insert(number, Worker { turns, stop, task });
        number
    }

    /// The workers there are.
    #[must_use]
    pub fn workers(&self) -> Vec<usize> {
        self.workers.keys().copied().collect()
    }

    /// The shards that a worker holds.
    #[must_use]
    pub fn held_by(&self, worker: usize) -> Vec<String> {
        let held = self.held.iter().filter(|(_, holding)| holding.worker == worker);
        held.map(|(shard, _)| shard.clone()).collect()
    }

    /// Gives a shard to a worker. Whoever had it may no longer store anything, and is told of it `late`.
    pub async fn give(&mut self, shard: &str, worker: usize, late: Duration) {
        if let Some(former) = self.held.remove(shard) {
            let epoch = former.epoch;
            former.valid.store(false, Ordering::SeqCst);
            if let Some(former) = self.workers.get_mut(&former.worker) {
                let (turns, shard, former_epoch) = (former.turns.clone(), shard.to_owned(), epoch);
                former.task.spawn(async move {
                    tokio::time::sleep(late).await;
                    drop(turns.send(Turn::Lost { shard, epoch: former_epoch }).await);
                    Ok(())
                });
            }
        }
        let epoch = self.epochs.entry(shard.to_owned()).or_default();
        *epoch += 1;
        let (epoch, valid) = (*epoch, Arc::new(AtomicBool::new(true)));
        let held = Arc::clone(&valid);
        let parents = self.log.parents(shard).into_iter();
        let parents =
            parents.map(|parent| UnitParent { source: source(&parent), range: self.log.range(&parent), shard: parent });
        let unit = Unit {
            shard: shard.to_owned(),
            source: source(shard),
            range: self.log.range(shard),
            parents: parents.collect(),
            epoch,
            holds: Arc::new(move || held.load(Ordering::SeqCst)),
        };
        self.held.insert(shard.to_owned(), Holding { worker, epoch, valid });
        self.workers[&worker].turns.send(Turn::Gained(unit)).await.expect("the worker is there");
    }

    /// A worker is gone at once, as with `kill -9`. Returns the shards that nobody holds now.
    pub fn kill(&mut self, worker: usize) -> Vec<String> {
        let orphans = self.held_by(worker);
        // What it has spawned ends with it.
        self.workers.remove(&worker);
        orphans.iter().for_each(|shard| drop(self.held.remove(shard)));
        orphans
    }

    /// A worker gives back what it holds and ends, in order. Returns the shards that nobody holds now.
    pub async fn drain(&mut self, worker: usize) -> Vec<String> {
        let mut gone = self.workers.remove(&worker).expect("it is there");
        gone.stop.cancel();
        while let Some(ended) = gone.task.join_next().await {
            ended.expect("it does not panic").expect("it ends in order");
        }
        let orphans = self.held_by(worker);
        orphans.iter().for_each(|shard| drop(self.held.remove(shard)));
        orphans
    }

    /// Whether the present holder of a shard has said that it is read to its end.
    #[must_use]
    pub fn has_ended(&self, shard: &str) -> bool {
        locked(&self.said.ended).contains(shard)
    }

    /// What of the stream is not judged and stored yet: of every open shard, and of what all read. Empty in the end.
    pub async fn to_do(&self) -> Vec<String> {
        let mut to_do = Vec::new();
        for shard in self.log.open() {
            let store = self.store.scoped(&shard, 0);
            let positions = store.positions().await.unwrap();
            let kept = store.load_snapshot().await.unwrap().map(|snapshot| snapshot.positions).unwrap_or_default();
            for read in [&*shard, super::log::STATE] {
                let name = source(read);
                let (end, kept, position) = (self.log.end(read), kept.get(&name), positions.get(&name));
                // What a shard has of its parents is in its memory alone. Whoever still reads again what was judged
                // before has older memory than that.
                let is_done = kept == end.as_ref() && position.is_none_or(|position| Some(position) == end.as_ref());
                if end.is_some() && !is_done {
                    let holder = self.held.get(&shard).map(|holding| (holding.worker, holding.epoch));
                    to_do.push(format!("{read} for {shard}: {position:?} and {kept:?} of {end:?}, held by {holder:?}"));
                }
            }
        }
        to_do
    }
}
