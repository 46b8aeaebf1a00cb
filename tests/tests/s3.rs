//! CloudTrail's files in S3, against moto: a replay prints what a replay of a local copy prints, whatever part of the
//! time is wanted, and the live source stores what notifications name.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use aws_sdk_s3::primitives::ByteStream;
use bedrock_watch_aws::Aws;
use bedrock_watch_service::{
    cloud::{Attached, Cloud as _},
    config::{SourceConfig, aws::S3Source},
    source::{Intake, Outcome},
    status::Status,
};
use bedrock_watch_tests::{
    emulators::{self, Emulator, REGION},
    program::binary,
};
use flate2::{Compression, write::GzEncoder};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const DEADLINE: Duration = Duration::from_secs(90);
const RECORDING: &str = include_str!("../../detector/cli/demo/afternoon.jsonl");
const BUCKET: &str = "org-trail";
/// How long CloudTrail collects before it delivers, in minutes.
const COLLECTED_MIN: u32 = 5;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn minutes(time: &str) -> u32 {
    time[11..13].parse::<u32>().unwrap() * 60 + time[14..16].parse::<u32>().unwrap()
}

/// The recording as a trail delivers it: by account, region and minute of delivery, in no order within a file; with what
/// else lies in such a bucket.
fn trail(random: &mut StdRng) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in RECORDING.lines().filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_str(line).unwrap();
        // The envelope of native events never lies in a trail.
        let (Some(time), Some(region)) = (record["eventTime"].as_str(), record["awsRegion"].as_str()) else { continue };
        let account = record["recipientAccountId"].as_str().unwrap_or("111122223333");
        let late = random.random_range(0..COLLECTED_MIN * 2);
        let delivered = (minutes(time) + COLLECTED_MIN + late) / COLLECTED_MIN * COLLECTED_MIN;
        let (date, clock) = (&time[..10], format!("{:02}{:02}", delivered / 60, delivered % 60));
        let key = format!(
            "logs/AWSLogs/o-ab12cd34/{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{}T{clock}Z_{}.json.gz",
            date.replace('-', "/"),
            date.replace('-', ""),
            random.random_range(0..2),
        );
        files.entry(key).or_default().push(record);
    }
    let pack = |(key, mut records): (String, Vec<Value>)| {
        records.shuffle(random);
        (key, gzip(json!({ "Records": records }).to_string().as_bytes()))
    };
    files.into_iter().map(pack).collect()
}

/// Objects that a replay must leave alone, and would stumble over.
fn beside() -> BTreeMap<String, Vec<u8>> {
    let keys = [
        "logs/AWSLogs/o-ab12cd34/111122223333/CloudTrail-Digest/us-east-1/2026/11/18/111122223333_CloudTrail-Digest.json.gz",
        "logs/AWSLogs/o-ab12cd34/111122223333/Config/us-east-1/2026/11/18/ConfigHistory/a.json.gz",
        "logs/AWSLogs/o-ab12cd34/111122223333/CloudTrail/us-east-1/2025/01/01/\
         111122223333_CloudTrail_us-east-1_20250101T0000Z_old.json.gz",
    ];
    keys.into_iter().map(|key| (key.to_owned(), b"no record".to_vec())).collect()
}

fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (key, bytes) in files {
        let file = folder.join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}

async fn upload(aws: &Aws, files: &BTreeMap<String, Vec<u8>>) {
    let s3 = client(aws);
    let place = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    // It may be there already.
    drop(s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await);
    for (key, bytes) in files {
        s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes.clone())).send().await.unwrap();
    }
}

fn client(aws: &Aws) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build())
}

async fn replay(emulator: &Emulator, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(["replay", "--format", "json"]).args(arguments).envs(emulator.environment());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_from_s3_prints_what_a_local_one_prints() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let files = trail(&mut StdRng::seed_from_u64(seed));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    upload(&emulator.aws().await, &files).await;
    let local = folder.path().join("logs").display().to_string();
    let spans: [&[&str]; 4] = [
        &[],
        &["--since", "2026-11-18T15:00:00Z"],
        &["--until", "2026-11-18T15:30:00Z"],
        &["--since", "2026-11-18T15:05:00Z", "--until", "2026-11-18T15:45:00Z"],
    ];
    for span in spans {
        let here = replay(&emulator, &[span, &[local.as_str()]].concat()).await;
        assert!(!here.stdout.is_empty(), "{span:?}: {}", text(&here.stderr));
        for url in ["s3://org-trail/logs/", "s3://org-trail", "s3://org-trail/logs/AWSLogs/o-ab12cd34/1111"] {
            let there = replay(&emulator, &[span, &[url]].concat()).await;
            assert!(there.status.success(), "{span:?} {url}: {}", text(&there.stderr));
            assert_eq!(text(&there.stdout), text(&here.stdout), "seed {seed}, {span:?} {url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_leaves_out_what_is_no_log_and_other_days() {
    let mut files = trail(&mut StdRng::seed_from_u64(1));
    let events = files.len();
    files.extend(beside());
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    upload(&emulator.aws().await, &files).await;
    let check = async |arguments: &[&str], expected: usize| {
        let output = replay(&emulator, arguments).await;
        let said = text(&output.stderr);
        assert!(said.contains(&format!(": {expected} files, ")), "{arguments:?}: {said}");
    };
    check(&["s3://org-trail/logs/"], events + 1).await;
    check(&["--since", "2026-11-18", "s3://org-trail/logs/"], events).await;
    check(&["--since", "2026-11-18", "--until", "2026-11-19", "s3://org-trail"], events).await;
    check(&["--until", "2025-02-01", "s3://org-trail/logs/"], 1).await;
    check(&["--since", "2026-11-20", "s3://org-trail/logs/"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    upload(&aws, &BTreeMap::from([("broken.json.gz".to_owned(), gzip(RECORDING.as_bytes())[..20_000].to_vec())])).await;
    let check = async |url: &str, code: i32, expected: &str| {
        let output = replay(&emulator, &[url]).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(said.contains(expected), "{url}: {said}");
    };
    check("s3://no-such-bucket/x", 1, "bucket no-such-bucket").await;
    check("s3:///x", 2, "there is no bucket in it").await;
    check("s3://org-trail/nothing/", 1, "nothing that could be read").await;
    check("s3://org-trail/broken", 0, "s3://org-trail/broken.json.gz: the gzip data is cut short").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_notifications_name_are_stored() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let mut files = trail(&mut StdRng::seed_from_u64(2));
    let expected: BTreeSet<String> = records(&files).into_iter().collect();
    files.extend(beside());
    files.retain(|key, _| !key.contains("/2025/"));
    upload(&aws, &files).await;
    let sqs = aws_sdk_sqs::Client::new(aws.own());
    let url = sqs.create_queue().queue_name("trail").send().await.unwrap().queue_url.unwrap();
    let mut bodies: Vec<String> = files.keys().enumerate().map(|(number, key)| notification(number, key)).collect();
    bodies.push(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET }).to_string());
    for body in &bodies {
        sqs.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }
    let (intake, mut batches) = Intake::queue("test", 4);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let attached = Attached {
        intake,
        positions: BTreeMap::new(),
        ahead: BTreeMap::new(),
        status: Status::default(),
        tracker: tracker.clone(),
        stop: stop.clone(),
    };
    aws.attach(&SourceConfig::S3(S3Source { queue_url: url.clone(), visibility_s: 60 }), attached).unwrap();
    tracker.close();
    // A call that was given no answer in time is made again, and with it a file: so everything is answered to the end.
    let judging = tokio::spawn(async move {
        let mut found: BTreeSet<String> = BTreeSet::new();
        while let Some(batch) = batches.recv().await {
            found.extend(batch.records.iter().map(id));
            assert_eq!(batch.records.rejected, Vec::<String>::new());
            let accepted = u64::try_from(batch.records.len()).unwrap();
            batch.reply.unwrap().send(Outcome { accepted, rejected: 0 }).unwrap();
        }
        found
    });
    let deleted = async {
        loop {
            let name = aws_sdk_sqs::types::QueueAttributeName::All;
            let attributes = sqs.get_queue_attributes().queue_url(&url).attribute_names(name).send().await.unwrap();
            let attributes = attributes.attributes.unwrap();
            let left = |name: aws_sdk_sqs::types::QueueAttributeName| attributes[&name].clone();
            let waiting = left(aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages);
            let hidden = left(aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
            if (waiting.as_str(), hidden.as_str()) == ("0", "0") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, deleted).await.unwrap_or_else(|_| panic!("messages are left"));
    stop.cancel();
    tokio::time::timeout(DEADLINE, tracker.wait()).await.unwrap();
    assert_eq!(tokio::time::timeout(DEADLINE, judging).await.unwrap().unwrap(), expected);
}

/// A notification about an object, in one form or another.
fn notification(number: usize, key: &str) -> String {
    let s3 = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "awsRegion": REGION,
        "s3": { "bucket": { "name": BUCKET }, "object": { "key": key.replace('=', "%3D") } } }] });
    match number % 4 {
        0 => s3.to_string(),
        1 => json!({ "Type": "Notification", "TopicArn": "arn:t", "Message": s3.to_string() }).to_string(),
        2 => json!({ "detail-type": "Object Created", "source": "aws.s3", "region": REGION,
            "detail": { "bucket": { "name": BUCKET }, "object": { "key": key } } })
        .to_string(),
        _ => json!({ "s3Bucket": BUCKET, "s3ObjectKey": [key] }).to_string(),
    }
}

/// The event id of a record.
fn id(record: &[u8]) -> String {
    let record: Value = serde_json::from_slice(record).unwrap();
    record["eventID"].as_str().unwrap_or_default().to_owned()
}

/// The event ids in files, sorted.
fn records(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut ids = Vec::new();
    for bytes in files.values() {
        let file: Value = serde_json::from_reader(flate2::read::GzDecoder::new(bytes.as_slice())).unwrap();
        ids.extend(file["Records"].as_array().unwrap().iter().map(|one| one["eventID"].as_str().unwrap().to_owned()));
    }
    ids.sort();
    ids
}
