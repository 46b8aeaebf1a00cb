//! Splits and merges while records flow, against kinesalite: every record is read and judged once, and those of a
//! partition key in the order in which they were written.
//!
//! Each key is an account, whose records lie further apart than they may be late. So the engine itself says whether one
//! came out of order: it would be late.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws_sdk_kinesis::{
    Client,
    primitives::Blob,
    types::{PutRecordsRequestEntry, Shard},
};
use bedrock_watch_engine::{Second, Settings};
use bedrock_watch_service::{
    canary::Canaries,
    config::RoutingConfig,
    pipeline::{self, Clock, Ended, Ownership, Parts, Pipeline, PipelineError, Question, Report},
    routing::{ActiveSilences, Router},
    source::Batch,
    status::Status,
    store::Store,
};
use bedrock_watch_tests::{
    emulators,
    kinesis::reading::{Reading, source},
    receivers::memory_store::MemoryStore,
    repository::{compiled, rule_pack},
};
use jiff::Timestamp;
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const STREAM: &str = "events";
const RECORDS: u64 = 100_000;
const KEYS: u64 = 40;
/// Records of one PutRecords, the most that Kinesis takes.
const PUT: u64 = 500;
/// A reshard each time so many records are written: splits and merges by turns.
const RESHARD_EVERY: u64 = 10_000;
/// What every event's id begins with; its key and its number follow.
const ID: &str = "00000000-0000-4000-";
/// Batches that may wait for the loop.
const WAITING: usize = 8;
/// How long after the last record was read the last one may be judged.
const PATIENCE: Duration = Duration::from_secs(120);

/// The loop of a service, which judges what is read.
struct Judging {
    batches: mpsc::Sender<Batch>,
    reports: watch::Receiver<Report>,
    status: Status,
    stop: CancellationToken,
    ended: JoinHandle<Result<Ended, PipelineError>>,
    _questions: mpsc::Sender<Question>,
}

impl Judging {
    async fn begin() -> Self {
        let store = Arc::new(MemoryStore::default());
        let (status, stop) = (Status::default(), CancellationToken::new());
        let rules = compiled(&rule_pack().unwrap()).unwrap();
        let (batches, intake) = mpsc::channel(WAITING);
        let (questions_in, questions) = mpsc::channel(1);
        let (reports_in, reports) = watch::channel(Report::default());
        let pipeline = Pipeline::new(Parts {
            restored: pipeline::restore(&*store, Arc::clone(&rules), Settings::standard()).await.unwrap(),
            rules: rules.into(),
            clock: Clock::wall(),
            future_s: 300,
            intake,
            repeating: BTreeSet::new(),
            questions,
            store: store as Arc<dyn Store>,
            owns: Ownership::All,
            holds: Arc::new(|| true),
            committed: watch::Sender::new(BTreeMap::new()),
            canaries: Canaries::default(),
            router: Router::new(&RoutingConfig::default(), &[]),
            silences: ActiveSilences::default(),
            nudge: Box::new(|| {}),
            told: broadcast::Sender::new(1),
            reports: reports_in,
            snapshot_every: Duration::from_secs(3_600),
            status: status.clone(),
            stop: stop.clone(),
        });
        let ended = tokio::spawn(pipeline.run());
        Self { batches, reports, status, stop, ended, _questions: questions_in }
    }

    /// Ends it once it has heard of so many records; returns what it counted.
    async fn end(mut self, records: u64) -> Report {
        let heard = self.reports.wait_for(|report| report.stats.records >= records);
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard.is_ok_and(|heard| heard.is_ok()), "not everything was judged in time");
        assert_eq!(self.status.reasons(), BTreeMap::new());
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
        self.reports.borrow().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_once_and_keys_in_order_while_shards_split_and_merge() {
    let kinesalite = emulators::kinesalite(SCRATCH).await.unwrap();
    let aws = kinesalite.aws().await;
    let client = Client::new(aws.own());
    client.create_stream().stream_name(STREAM).shard_count(2).send().await.unwrap();
    until_active(&client).await;

    let judging = Judging::begin().await;
    let mut reading = Reading::begin(&aws, &source(STREAM), &[], &[]).judged_by(judging.batches.clone());
    let writing = tokio::spawn(write(client.clone()));
    reading.until_records(usize::try_from(RECORDS).unwrap()).await;
    let reshards = writing.await.unwrap();
    assert!(reshards >= 8, "{reshards} reshards");
    let shards = client.list_shards().stream_name(STREAM).send().await.unwrap().shards.unwrap();
    let closed = shards.iter().filter(|shard| !is_open(shard)).count();
    reading
        .until("every closed shard's end", |read| {
            read.positions.values().filter(|position| *position == "SHARD_END").count() == closed
        })
        .await;
    assert_eq!(reading.status.reasons(), BTreeMap::new());
    let read = reading.end().await;

    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for (shard, id) in &read.records {
        let (key, number) = id.strip_prefix(ID).unwrap().split_once('-').unwrap();
        let next = next.entry(key).or_default();
        assert_eq!(number.parse::<u64>().unwrap(), *next, "of key {key}, in {shard}: twice, missing or out of order");
        *next += 1;
    }
    assert_eq!(next.len() as u64, KEYS);
    assert_eq!(next.values().sum::<u64>(), RECORDS);
    assert_eq!(read.rejected, [""; 0]);
    let stats = judging.end(RECORDS).await.stats;
    assert_eq!((stats.records, stats.judged), (RECORDS, RECORDS), "{stats:?}");
    assert_eq!((stats.duplicates, stats.late, stats.rejected), (0, 0, 0), "twice, out of order or broken: {stats:?}");
    // Shards that nobody wrote to may be among the closed ones.
    assert!(closed >= 8, "{closed} of {} shards are closed", shards.len());
}

/// The record with this number of an account. The last of all is of now.
fn record(now: Second, key: u64, number: u64) -> Vec<u8> {
    let apart = u64::from(Settings::standard().lateness_s) + 1;
    let time = now.minus(u32::try_from((RECORDS / KEYS - number) * apart).unwrap()).to_rfc3339();
    let account = 310_000_000_000 + key;
    format!(
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::{account}:user/batch\",\
         \"accountId\":\"{account}\",\"userName\":\"batch\",\"accessKeyId\":\"AKIAIOSFODNN7EXAMPLE\"}},\
         \"eventTime\":\"{time}\",\"eventSource\":\"bedrock.amazonaws.com\",\"eventName\":\"InvokeModel\",\
         \"awsRegion\":\"us-east-1\",\"requestParameters\":{{\"modelId\":\"anthropic.claude-3-haiku-20240307-v1:0\"}},\
         \"eventID\":\"{ID}{key:04}-{number:012}\",\"eventType\":\"AwsApiCall\",\
         \"recipientAccountId\":\"{account}\"}}"
    )
    .into_bytes()
}

/// Writes all records and reshards meanwhile. Gives back how often it did.
async fn write(client: Client) -> u64 {
    let now = Second::from_unix(Timestamp::now().as_second()).unwrap();
    let mut reshards = 0;
    let mut written = 0;
    while written < RECORDS {
        let entries = (written..written + PUT).map(|number| {
            let (key, number) = (number % KEYS, number / KEYS);
            let data = Blob::new(record(now, key, number));
            PutRecordsRequestEntry::builder().partition_key(format!("key {key}")).data(data).build().unwrap()
        });
        let answer =
            client.put_records().stream_name(STREAM).set_records(Some(entries.collect())).send().await.unwrap();
        assert_eq!(answer.failed_record_count.unwrap_or_default(), 0, "none may be written out of order");
        written += PUT;
        if written % RESHARD_EVERY == 0 && written < RECORDS {
            reshard(&client, reshards).await;
            reshards += 1;
        }
    }
    reshards
}

/// Splits a shard, or merges two neighbours, by turns; goes on at once, so that records flow meanwhile.
async fn reshard(client: &Client, turn: u64) {
    until_active(client).await;
    let shards = client.list_shards().stream_name(STREAM).send().await.unwrap().shards.unwrap();
    let mut open: Vec<(u128, u128, String)> = shards.into_iter().filter(is_open).map(range).collect();
    open.sort_unstable();
    if turn % 3 == 2 {
        let index = usize::try_from(turn).unwrap() % (open.len() - 1);
        let (first, second) = (&open[index].2, &open[index + 1].2);
        client
            .merge_shards()
            .stream_name(STREAM)
            .shard_to_merge(first)
            .adjacent_shard_to_merge(second)
            .send()
            .await
            .unwrap();
    } else {
        let (start, end, id) = &open[usize::try_from(turn).unwrap() % open.len()];
        let middle = (start + (end - start) / 2).to_string();
        client.split_shard().stream_name(STREAM).shard_to_split(id).new_starting_hash_key(middle).send().await.unwrap();
    }
}

async fn until_active(client: &Client) {
    loop {
        let stream = client.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        if stream.stream_description_summary.unwrap().stream_status.as_str() == "ACTIVE" {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn is_open(shard: &Shard) -> bool {
    shard.sequence_number_range.as_ref().unwrap().ending_sequence_number.is_none()
}

fn range(shard: Shard) -> (u128, u128, String) {
    let keys = shard.hash_key_range.unwrap();
    (keys.starting_hash_key.parse().unwrap(), keys.ending_hash_key.parse().unwrap(), shard.shard_id)
}
