//! Leases on real tables: what moto and dynalite make of the conditional writes, and workers that share shards there.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bedrock_watch_aws::leases::{
    Change, Checkpoint, Coordinator, DynamoLeases, Lease, LeaseEvent, LeaseTable as _, ListShards, Parts, Row,
    ShardInfo, protocol::Settings,
};
use bedrock_watch_service::status::Status;
use bedrock_watch_tests::emulators::{self, Emulator};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::task::TaskTracker;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
/// Short, so that tests are; long enough for a slow machine to renew in time.
const FAILOVER: Duration = Duration::from_secs(3);
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

fn shard(id: &str, parents: &[&str], is_open: bool) -> ShardInfo {
    let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
    ShardInfo { id: id.to_owned(), parents, is_open, hash_keys: Some(("0".to_owned(), "9".to_owned())) }
}

async fn open(emulator: &Emulator, table: &str) -> DynamoLeases {
    DynamoLeases::open(emulator.aws().await.own(), table).await.unwrap()
}

fn sequence(text: &str) -> Checkpoint {
    Checkpoint::Sequence(text.to_owned())
}

/// The model of the exploration and the table do the same.
async fn writes_are_conditional(emulator: &Emulator) {
    let table = open(emulator, "rows").await;
    assert_eq!(table.scan().await.unwrap(), []);
    let mut row = Row::new(&shard("shard-1", &["shard-0"], true), Checkpoint::TrimHorizon, 5);
    assert_eq!(table.create(&row).await.unwrap(), Ok(()));
    assert_eq!(table.create(&Row { counter: 9, ..row.clone() }).await.unwrap(), Err(Some(row.clone())));
    assert_eq!(table.update("unknown", 1, &Change::Renew).await.unwrap(), Err(None), "nothing is made by changing it");
    let take = |switches: bool| Change::Take { owner: "me".to_owned(), switches };
    let changes = [
        take(false),
        Change::Renew,
        Change::Checkpoint(sequence("49590338271490256608559692538361571095921575989136588898")),
        take(true),
        Change::Release,
        take(false),
        Change::End(vec!["shard-2".to_owned(), "shard-3".to_owned()]),
    ];
    for change in changes {
        let before = row.counter;
        assert_eq!(table.update("shard-1", before, &change).await.unwrap(), Ok(()), "{change:?}");
        change.apply(&mut row);
        assert_eq!(table.read("shard-1").await.unwrap().as_ref(), Some(&row), "{change:?}");
        assert_eq!(table.update("shard-1", before, &change).await.unwrap(), Err(Some(row.clone())), "{change:?}");
    }
    assert_eq!(table.scan().await.unwrap(), [row.clone()]);
    assert_eq!(table.remove("shard-1", 1).await.unwrap(), Err(Some(row.clone())));
    assert_eq!(table.remove("shard-1", row.counter).await.unwrap(), Ok(()));
    assert_eq!(table.read("shard-1").await.unwrap(), None);
}

#[tokio::test]
async fn rows_in_moto() {
    writes_are_conditional(&emulators::aws(SCRATCH).await.unwrap()).await;
}

#[tokio::test]
async fn rows_in_dynalite() {
    writes_are_conditional(&emulators::dynalite(SCRATCH).await.unwrap()).await;
}

/// The attributes are those that tools of the Kinesis Client Library read.
#[tokio::test]
async fn attributes_are_those_of_the_kinesis_client_library() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let table = open(&emulator, "names").await;
    let row = Row::new(&shard("shard-1", &["shard-0"], true), Checkpoint::TrimHorizon, 5);
    table.create(&row).await.unwrap().unwrap();
    table.update("shard-1", 5, &Change::Take { owner: "me".to_owned(), switches: true }).await.unwrap().unwrap();
    let client = aws_sdk_dynamodb::Client::new(emulator.aws().await.own());
    let items = client.scan().table_name("names").send().await.unwrap().items.unwrap();
    let found: BTreeMap<&String, String> = items[0].iter().map(|(name, value)| (name, format!("{value:?}"))).collect();
    let expected = [
        ("checkpoint", r#"S("TRIM_HORIZON")"#),
        ("checkpointSubSequenceNumber", r#"N("0")"#),
        ("endingHashKey", r#"S("9")"#),
        ("leaseCounter", r#"N("6")"#),
        ("leaseKey", r#"S("shard-1")"#),
        ("leaseOwner", r#"S("me")"#),
        ("ownerSwitchesSinceCheckpoint", r#"N("1")"#),
        ("parentShardId", r#"Ss(["shard-0"])"#),
        ("startingHashKey", r#"S("0")"#),
    ];
    let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, expected);
}

/// A stream whose shards the test decides.
#[derive(Debug, Default)]
struct Stream(Mutex<Vec<ShardInfo>>);

#[async_trait::async_trait]
impl ListShards for Stream {
    async fn list(&self) -> Result<Vec<ShardInfo>, String> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A worker that notes what it holds.
struct Member {
    coordinator: Coordinator,
    tracker: TaskTracker,
    held: Arc<Mutex<BTreeMap<String, Lease>>>,
    listening: JoinHandle<()>,
}

impl Member {
    async fn join(emulator: &Emulator, stream: &Arc<Stream>, name: &str) -> Self {
        let tracker = TaskTracker::new();
        let table = open(emulator, "shared").await;
        let failover_ms = u64::try_from(FAILOVER.as_millis()).unwrap();
        let settings = Settings { worker: name.to_owned(), failover_ms, first: Checkpoint::TrimHorizon };
        let shards: Arc<dyn ListShards> = Arc::<Stream>::clone(stream);
        let parts =
            Parts { table: Arc::new(table), shards, settings, status: Status::default(), tracker: tracker.clone() };
        let (coordinator, events) = Coordinator::start(parts);
        let held = Arc::<Mutex<BTreeMap<String, Lease>>>::default();
        let listening = tokio::spawn(listen(events, Arc::clone(&held)));
        Self { coordinator, tracker, held, listening }
    }

    fn shards(&self) -> BTreeSet<String> {
        let held = self.held.lock().unwrap();
        held.values().filter(|lease| self.coordinator.is_held(lease)).map(|lease| lease.shard.clone()).collect()
    }

    fn lease(&self, shard: &str) -> Lease {
        self.held.lock().unwrap()[shard].clone()
    }

    /// Gives everything back, as at a shutdown.
    async fn leave(self) {
        self.coordinator.drain();
        let leases: Vec<Lease> = self.held.lock().unwrap().values().cloned().collect();
        for lease in leases {
            self.coordinator.release(&lease).await;
        }
        self.coordinator.stop().await;
        self.tracker.close();
        self.tracker.wait().await;
        self.listening.await.unwrap();
    }
}

async fn listen(mut events: mpsc::Receiver<LeaseEvent>, held: Arc<Mutex<BTreeMap<String, Lease>>>) {
    while let Some(event) = events.recv().await {
        let mut held = held.lock().unwrap();
        match event {
            LeaseEvent::Gained(lease) => held.insert(lease.shard.clone(), lease),
            LeaseEvent::Lost { shard, .. } => held.remove(&shard),
        };
    }
}

/// Waits until the members hold so many shards, each one shard at most once.
async fn until(members: &[&Member], wanted: &[usize], what: &str) {
    let holds = async {
        loop {
            let held: Vec<BTreeSet<String>> = members.iter().map(|member| member.shards()).collect();
            let counts: Vec<usize> = held.iter().map(BTreeSet::len).collect();
            let all: BTreeSet<&String> = held.iter().flatten().collect();
            assert_eq!(all.len(), counts.iter().sum::<usize>(), "{what}: a shard has two workers: {held:?}");
            if counts == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(PATIENCE, holds).await;
    assert!(found.is_ok(), "{what}: {:?}", members.iter().map(|member| member.shards()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_share_a_stream() {
    let emulator = emulators::dynalite(SCRATCH).await.unwrap();
    let stream = Arc::new(Stream(Mutex::new((0..4).map(|n| shard(&format!("shard-{n}"), &[], true)).collect())));
    let one = Member::join(&emulator, &stream, "one").await;
    until(&[&one], &[4], "one worker takes all").await;
    let lease = one.lease("shard-0");
    one.coordinator.checkpoint(&lease, sequence("7")).await.unwrap();
    one.coordinator.checkpoint(&lease, sequence("5")).await.unwrap();

    let other = Member::join(&emulator, &stream, "other").await;
    until(&[&one, &other], &[2, 2], "another one gets its share").await;
    let rows = open(&emulator, "shared").await.scan().await.unwrap();
    assert_eq!(rows[0].checkpoint, sequence("7"), "it does not go back");

    // A shard splits: its children begin only when it has ended, wherever it is.
    let holder = if one.shards().contains("shard-0") { &one } else { &other };
    let lease = holder.lease("shard-0");
    let children = [shard("shard-4", &["shard-0"], true), shard("shard-5", &["shard-0"], true)];
    {
        let mut shards = stream.0.lock().unwrap();
        shards[0].is_open = false;
        shards.extend(children.clone());
    }
    holder.coordinator.ended(&lease, children.to_vec()).await.unwrap();
    assert!(!holder.coordinator.is_held(&lease) && lease.lost.is_cancelled());
    let late = holder.coordinator.checkpoint(&lease, sequence("9")).await;
    assert_eq!(late.unwrap_err().to_string(), "the lease of shard-0 is lost");
    let all = async {
        while one.shards().len() + other.shards().len() < 5 || one.shards().len().abs_diff(other.shards().len()) > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, all).await.is_ok(), "{:?} {:?}", one.shards(), other.shards());

    // What is given back is taken at once; what is not, after the failover time.
    other.leave().await;
    until(&[&one], &[5], "one takes over what was given back").await;
    one.coordinator.stop().await;
    assert!(one.lease("shard-4").lost.is_cancelled());
    let third = Member::join(&emulator, &stream, "third").await;
    until(&[&third], &[5], "a third takes over what nobody renews").await;
    assert_eq!(third.lease("shard-4").checkpoint, Checkpoint::TrimHorizon);
    third.leave().await;
    let rows = open(&emulator, "shared").await.scan().await.unwrap();
    assert!(rows.iter().all(|row| row.owner.is_none()), "{rows:?}");
}
