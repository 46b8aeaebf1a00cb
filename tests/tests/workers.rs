//! Two and three workers, real programs over kinesalite and moto, one of which is killed, frozen beyond its lease or
//! told to end, in the middle of bursts and of shards that split and merge: every alert is found and told, none as new
//! twice, and the shards end up spread evenly. DynamoDB and S3 are a moto each, because one is too slow for both.
//!
//! `BEDROCK_WATCH_SEED` repeats one run, `BEDROCK_WATCH_ROUNDS` sets how often each thing happens (20).

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::{primitives::Blob, types::PutRecordsRequestEntry};
use bedrock_watch_aws::dynamodb::DynamoStore;
use bedrock_watch_engine::{Engine, Second, Settings};
use bedrock_watch_service::{config::aws::DynamoDbStore, store::Store as _};
use bedrock_watch_tests::{
    emulators::{self, Emulator, REGION},
    kinesis::stream::{range_if_open, until_active},
    program::{DEADLINE, Daemon},
    receivers::{
        pagers::{self, PAGERDUTY},
        server::{Receiver, Request},
    },
    repository::{compiled, rule_pack},
};
use jiff::Timestamp;
use rand::{Rng, SeedableRng, prelude::IndexedRandom as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");
const CALL: &str = include_str!("../../rules/events/bedrock/InvokeModel.json");

const ACTIVITY: &str = "activity";
const STATE: &str = "state";
const LEASES: &str = "leases";
const TABLE: &str = "watch";
const BUCKET: &str = "memory";
const SHARDS: i32 = 4;
/// After how long without a sign of life a worker's leases are taken.
const FAILOVER: Duration = Duration::from_secs(1);
/// Accounts in which there is a burst in every round; their shards are all of them.
const ACCOUNTS: [&str; 8] = [
    "310000000001",
    "310000000002",
    "310000000003",
    "310000000004",
    "310000000005",
    "310000000006",
    "310000000007",
    "310000000008",
];
/// Calls of one burst; at 100 it is one.
const CALLS: u32 = 120;
/// Longer than what a killed worker had claimed for a sink stays claimed.
const TOLD_WITHIN: Duration = DEADLINE.saturating_mul(2);
/// Rounds on one set of emulators; moto looks through a whole table for each query, so that figures would soon be its.
const ROUNDS_AT_ONE_PLACE: u64 = 3;
/// Calls that are put into the stream at once.
const CALLS_AT_ONCE: u32 = 10;

fn config(receiver: &Receiver) -> String {
    let failover_ms = FAILOVER.as_millis();
    let pagers = pagers::config(receiver, "alert", &[]);
    format!(
        r#"
        [http]
        listen = "127.0.0.1:0"
        [aws]
        region = "{REGION}"
        [inventory]
        mode = "off"
        [store]
        kind = "dynamodb"
        table = "{TABLE}"
        snapshot_bucket = "{BUCKET}"
        snapshot_interval_s = 1
        [leases]
        enabled = true
        table = "{LEASES}"
        failover_ms = {failover_ms}
        [[source]]
        kind = "kinesis"
        stream = "{ACTIVITY}"
        carries = "activity"
        poll_ms = 200
        [[source]]
        kind = "kinesis"
        stream = "{STATE}"
        carries = "state"
        poll_ms = 200
        {pagers}
        "#
    )
}

/// The alerts of which both have heard as new.
fn told(requests: &[Request]) -> BTreeSet<String> {
    let (mut paged, mut posted) = (BTreeSet::new(), BTreeSet::new());
    for request in requests {
        if request.path == PAGERDUTY {
            paged.extend(request.body["dedup_key"].as_str().map(str::to_owned));
        } else {
            posted.extend(announced(request));
        }
    }
    paged.intersection(&posted).cloned().collect()
}

/// The alerts that a message to Slack announces; none where it is an answer to an earlier one.
fn announced(request: &Request) -> Vec<String> {
    if !request.path.ends_with("chat.postMessage") || request.body.get("thread_ts").is_some() {
        return Vec::new();
    }
    let ids = request.body["metadata"]["event_payload"]["alert_ids"].as_array().into_iter().flatten();
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Everything beside the workers.
struct Place {
    receiver: Receiver,
    kinesis: aws_sdk_kinesis::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    environment: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
    store: DynamoStore,
    /// What one engine says that hears everything.
    engine: Engine,
    made: u32,
    hired: u32,
    _emulators: [Emulator; 3],
}

impl Place {
    async fn new() -> Self {
        let (memory, table, streams) = (
            emulators::aws(SCRATCH).await.unwrap(),
            emulators::aws(SCRATCH).await.unwrap(),
            emulators::kinesalite(SCRATCH).await.unwrap(),
        );
        let kinesis = aws_sdk_kinesis::Client::new(streams.aws().await.own());
        for (stream, shards) in [(ACTIVITY, SHARDS), (STATE, 1)] {
            kinesis.create_stream().stream_name(stream).shard_count(shards).send().await.unwrap();
            until_active(&kinesis, stream).await;
        }
        let (aws, tables) = (memory.aws().await, table.aws().await);
        let s3 = aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build();
        let region = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(region).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let shared = DynamoDbStore {
            table: TABLE.to_owned(),
            snapshot_bucket: BUCKET.to_owned(),
            snapshot_prefix: String::new(),
        };
        let mut environment = memory.environment().to_vec();
        environment.push(("AWS_ENDPOINT_URL_KINESIS", streams.url.clone()));
        environment.push(("AWS_ENDPOINT_URL_DYNAMODB", table.url.clone()));
        let rules = compiled(&rule_pack().unwrap()).unwrap();
        Self {
            receiver: pagers::start().await.unwrap(),
            kinesis,
            dynamodb: aws_sdk_dynamodb::Client::new(tables.own()),
            environment,
            store: DynamoStore::open(tables.own(), &shared).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            engine: Engine::new(Arc::clone(&rules), Settings::standard()),
            made: 0,
            hired: 0,
            _emulators: [memory, table, streams],
        }
    }

    /// Starts a worker; waits until it listens.
    fn hire(&mut self) -> Worker {
        self.hired += 1;
        let name = format!("worker-{}", self.hired);
        let folder = self.folder.path().join(&name);
        std::fs::create_dir(&folder).unwrap();
        let config = config(&self.receiver).replace("[leases]", &format!("[leases]\nworker = \"{name}\""));
        let daemon = Daemon::start_with(&folder, &config, &self.environment);
        let address = daemon.address();
        println!("    {name} listens at {address}");
        Worker { name, daemon }
    }

    /// An event of now, in the account's shard or in the stream of state.
    async fn put(&mut self, stream: &str, account: &str, sample: &str, count: u32, change: impl Fn(&mut Value)) {
        let mut entries = Vec::new();
        for _ in 0..count {
            self.made += 1;
            let now = Second::from_unix(Timestamp::now().as_second()).unwrap();
            let mut event: Value = serde_json::from_str(&sample.replace("111122223333", account)).unwrap();
            event["eventTime"] = now.to_rfc3339().into();
            event["eventID"] = format!("00000000-0000-4000-8000-{:012}", self.made).into();
            change(&mut event);
            let bytes = event.to_string().into_bytes();
            self.engine.judge(&bytes, now).unwrap();
            let entry = PutRecordsRequestEntry::builder().partition_key(account).data(Blob::new(bytes));
            entries.push(entry.build().unwrap());
        }
        let put = self.kinesis.put_records().stream_name(stream).set_records(Some(entries));
        assert_eq!(put.send().await.unwrap().failed_record_count(), Some(0));
    }

    /// The open shards of the activity stream, by their hash keys.
    async fn open(&self) -> Vec<(u128, u128, String)> {
        let shards = self.kinesis.list_shards().stream_name(ACTIVITY).send().await.unwrap().shards.unwrap();
        let mut open: Vec<_> = shards.into_iter().filter_map(range_if_open).collect();
        open.sort_unstable();
        open
    }

    /// Splits a shard, or merges two neighbours if one was split before.
    async fn reshard(&self, round: usize) {
        until_active(&self.kinesis, ACTIVITY).await;
        let open = self.open().await;
        if open.len() > SHARDS as usize {
            let first = round % (open.len() - 1);
            let merge = self.kinesis.merge_shards().stream_name(ACTIVITY).shard_to_merge(&open[first].2);
            merge.adjacent_shard_to_merge(&open[first + 1].2).send().await.unwrap();
        } else {
            let (start, end, id) = &open[round % open.len()];
            let middle = (start + (end - start) / 2).to_string();
            let split = self.kinesis.split_shard().stream_name(ACTIVITY).shard_to_split(id);
            split.new_starting_hash_key(middle).send().await.unwrap();
        }
    }

    /// Puts a part of a round where it belongs.
    async fn happen(&mut self, round: usize, part: Part) {
        let (group, arn) = (format!("sg-{round:017}"), format!("model/{round:012}"));
        let of_the_job = ACCOUNTS[round % ACCOUNTS.len()];
        match part {
            Part::Reshard => self.reshard(round).await,
            Part::Calls(account) => {
                self.put(ACTIVITY, account, CALL, CALLS_AT_ONCE, |event| {
                    event["userIdentity"] = json!({ "type": "IAMUser", "accountId": account, "userName": "batch",
                        "arn": format!("arn:aws:iam::{account}:user/batch-{round}"),
                        "accessKeyId": "AKIAIOSFODNN7EXAMPLE" });
                })
                .await;
            }
            Part::Job => {
                self.put(STATE, of_the_job, JOB, 1, |event| {
                    event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!([group]);
                    let job = format!("arn:aws:bedrock:us-east-1:{of_the_job}:model-customization-job/{arn}");
                    event["responseElements"]["jobArn"] = job.into();
                })
                .await;
            }
            Part::GroupDeleted => {
                self.put(STATE, of_the_job, GROUP, 1, |event| {
                    event["requestParameters"]["groupId"] = group.clone().into();
                    event["responseElements"]["groupId"] = group.clone().into();
                })
                .await;
            }
        }
    }

    /// The alerts there should be by now.
    fn expected(&self) -> BTreeSet<String> {
        self.engine.alerts().into_iter().map(|alert| alert.id).collect()
    }

    /// Waits until every alert is in the store, which is where a worker's work ends and its sinks' begins.
    async fn wait_until_stored(&self) {
        let mut missing = self.expected();
        let (began, mut every) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
        while let Some(id) = missing.first() {
            assert!(began.elapsed() < DEADLINE, "not stored after {DEADLINE:?}: {missing:?}");
            if self.store.alert(id).await.unwrap().is_some() {
                missing.pop_first();
            } else {
                every.tick().await;
            }
        }
    }

    /// Waits until everybody has heard of every alert.
    async fn wait_until_told(&self) {
        let expected = self.expected();
        let heard = self.receiver.wait_until(TOLD_WITHIN, |requests| told(requests).is_superset(&expected)).await;
        let missing = || expected.difference(&told(&self.receiver.requests())).cloned().collect::<Vec<_>>();
        assert!(heard.is_some(), "not told after {TOLD_WITHIN:?}: {:?}", missing());
    }

    /// How many shards each worker holds, as the table says.
    async fn owners(&self) -> BTreeMap<String, usize> {
        let rows = self.dynamodb.scan().table_name(LEASES).consistent_read(true).send().await;
        let mut owners = BTreeMap::new();
        for row in rows.map(|rows| rows.items.unwrap_or_default()).unwrap_or_default() {
            if let Some(Ok(owner)) = row.get("leaseOwner").map(AttributeValue::as_s) {
                // A random part follows the configured name.
                let name = owner.rsplit_once('-').map_or(owner.as_str(), |(name, _)| name);
                *owners.entry(name.to_owned()).or_default() += 1;
            }
        }
        owners
    }

    /// Waits until a worker that stands still has lost every shard to others.
    async fn wait_until_taken(&self, worker: &Worker) {
        let (began, mut every) = (Instant::now(), tokio::time::interval(Duration::from_millis(100)));
        while self.owners().await.contains_key(&worker.name) {
            assert!(began.elapsed() < DEADLINE, "nobody takes the shards of {}", worker.name);
            every.tick().await;
        }
    }

    /// Waits until the shards are spread over `workers` as evenly as they can be.
    async fn wait_until_even(&self, workers: &[Worker]) {
        let shards = self.open().await.len();
        let began = Instant::now();
        let mut every = tokio::time::interval(Duration::from_millis(100));
        loop {
            let owners = self.owners().await;
            let held = workers.iter().map(|worker| owners.get(&worker.name).copied().unwrap_or(0));
            let (least, most) = held.fold((usize::MAX, 0), |(least, most), held| (least.min(held), most.max(held)));
            if owners.values().sum::<usize>() == shards && most - least <= 1 && owners.len() == workers.len() {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "the shards are not spread: {owners:?}");
            every.tick().await;
        }
    }
}

/// What a round is made of, in any order: bursts in every account, a job that loses its group, and every other time a
/// shard that splits or two that merge.
#[derive(Debug, Clone, Copy)]
enum Part {
    Calls(&'static str),
    Job,
    GroupDeleted,
    Reshard,
}

impl Part {
    fn all(round: usize, random: &mut StdRng) -> Vec<Self> {
        let times = usize::try_from(CALLS / CALLS_AT_ONCE).unwrap();
        let calls = ACCOUNTS.into_iter().flat_map(|account| std::iter::repeat_n(Self::Calls(account), times));
        let mut all: Vec<Self> = calls.chain([Self::Job, Self::GroupDeleted]).collect();
        all.extend(round.is_multiple_of(2).then_some(Self::Reshard));
        all.shuffle(random);
        all
    }
}

struct Worker {
    name: String,
    daemon: Daemon,
}

/// What happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Killed,
    Frozen,
    Drained,
}

/// One round: a part of everything, the blow, the rest. Returns how long it took until all of it was found, and until
/// all of it was told.
async fn round(
    place: &mut Place,
    workers: &mut Vec<Worker>,
    number: usize,
    blow: Blow,
    random: &mut StdRng,
) -> (Duration, Duration) {
    let owners = place.owners().await;
    let busy: Vec<usize> = (0..workers.len()).filter(|place| owners.contains_key(&workers[*place].name)).collect();
    let victim = busy.choose(random).copied().unwrap_or(0);
    let mut parts = Part::all(number, random);
    let rest = parts.split_off(random.random_range(0..parts.len()));
    for part in parts {
        place.happen(number, part).await;
    }
    let began = Instant::now();
    match blow {
        Blow::Killed => workers[victim].daemon.kill().join().unwrap(),
        Blow::Frozen => workers[victim].daemon.freeze(),
        Blow::Drained => workers[victim].daemon.terminate(),
    }
    for part in rest {
        place.happen(number, part).await;
    }
    let put = began.elapsed();
    place.wait_until_stored().await;
    let stored = began.elapsed();
    place.wait_until_told().await;
    let told = began.elapsed();
    if blow == Blow::Frozen {
        place.wait_until_taken(&workers[victim]).await;
        assert!(began.elapsed() > FAILOVER, "it comes back before its leases have run out");
        workers[victim].daemon.thaw();
    } else {
        let mut gone = workers.remove(victim);
        let status = gone.daemon.wait();
        assert_eq!(status.code(), (blow == Blow::Drained).then_some(0), "{} {blow:?}", gone.name);
        workers.push(place.hire());
    }
    let millis = [put, stored, told].map(|time| time.as_millis());
    println!("  round {number}: {blow:?}; ms until put, stored, told: {millis:?}");
    (stored, told)
}

fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
    format!("p50 {} ms, max {} ms of {}", middle.as_millis(), most.as_millis(), times.len())
}

/// Every alert was announced in Slack by one message that does not say that it may be a repeat.
fn check_told_once(requests: &[Request], expected: &BTreeSet<String>) -> usize {
    let mut messages: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for request in requests {
        let is_repeat = request.body.to_string().contains("ossible repeat");
        for id in announced(request) {
            messages.entry(id).or_default().push(is_repeat);
        }
    }
    assert_eq!(messages.keys().cloned().collect::<BTreeSet<_>>(), *expected, "nothing else was told");
    for (id, messages) in &messages {
        let certain = messages.iter().filter(|is_repeat| !**is_repeat).count();
        assert!(certain <= 1, "{id} was told as new {certain} times");
    }
    messages.values().flatten().filter(|is_repeat| **is_repeat).count()
}

/// How long it took until everything was found, and until it was told, by number of workers and blow.
type Times = BTreeMap<(usize, Blow), (Vec<Duration>, Vec<Duration>)>;

/// Rounds of `count` workers on streams and tables of their own. Returns how many alerts there were, and how many
/// messages that say that they may be repeats.
async fn some_rounds(count: usize, rounds: u64, random: &mut StdRng, times: &mut Times) -> (usize, usize) {
    let mut place = Place::new().await;
    let mut workers: Vec<Worker> = (0..count).map(|_| place.hire()).collect();
    place.wait_until_even(&workers).await;
    println!("{count} workers: {:?}", place.owners().await);
    let mut made = 0;
    for _ in 0..rounds {
        for blow in [Blow::Killed, Blow::Frozen, Blow::Drained] {
            made += 1;
            let (stored, told) = round(&mut place, &mut workers, made, blow, random).await;
            let (found, heard) = times.entry((count, blow)).or_default();
            found.push(stored);
            heard.push(told);
        }
    }
    place.wait_until_even(&workers).await;
    println!("{count} workers in the end: {:?}", place.owners().await);
    for worker in workers {
        drop(worker.daemon.end());
    }
    let expected = place.expected();
    assert_eq!(expected.len(), made * (ACCOUNTS.len() + 1), "every burst and every lost group is an alert");
    (expected.len(), check_told_once(&place.receiver.requests(), &expected))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_worker_every_alert_is_told_once() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("BEDROCK_WATCH_SEED").unwrap_or_else(|| Timestamp::now().as_millisecond().unsigned_abs());
    let rounds = number("BEDROCK_WATCH_ROUNDS").unwrap_or(20);
    println!("seed {seed}; repeat with BEDROCK_WATCH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut times = Times::new();
    for (count, rounds) in [(2, rounds / 2), (3, rounds - rounds / 2)] {
        let (mut left, mut alerts, mut repeats) = (rounds, 0, 0);
        while left > 0 {
            let some = left.min(ROUNDS_AT_ONE_PLACE);
            let (here, repeated) = Box::pin(some_rounds(count, some, &mut random, &mut times)).await;
            (left, alerts, repeats) = (left - some, alerts + here, repeats + repeated);
        }
        println!("{count} workers: {alerts} alerts, {repeats} possible repeats marked as such");
    }
    for ((count, blow), (found, told)) in &mut times {
        println!("{count} workers, one {blow:?}: found after {}; told after {}", figures(found), figures(told));
    }
}
