//! What becomes of shards under leases, with the real program over a double of Kinesis and moto: how far behind each is
//! read by each unit, and those whose records the stream no longer keeps when a worker comes back.
//!
//! The double has one stream; the activity stream and the state stream are both it.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bedrock_watch_engine::Second;
use bedrock_watch_tests::{
    emulators::{self, Emulator, REGION},
    kinesis::fake::FakeKinesis,
    program::{DEADLINE, Daemon, request},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");
const CALL: &str = include_str!("../../rules/events/bedrock/InvokeModel.json");
const BUCKET: &str = "memory";
/// The middle of all hash keys.
const MIDDLE: u128 = u128::MAX / 2;

const CONFIG: &str = r#"
    [http]
    listen = "127.0.0.1:0"
    [inventory]
    mode = "off"
    [store]
    kind = "dynamodb"
    table = "watch"
    snapshot_bucket = "memory"
    snapshot_interval_s = 1
    [leases]
    enabled = true
    failover_ms = 1000
    [[source]]
    kind = "kinesis"
    stream = "activity"
    carries = "activity"
    poll_ms = 200
    [[source]]
    kind = "kinesis"
    stream = "state"
    carries = "state"
    poll_ms = 200
    [[sink]]
    kind = "stdout"
    name = "stdout"
    format = "json"
"#;

/// Everything beside the worker.
struct Place {
    kinesis: FakeKinesis,
    environment: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
    _moto: Emulator,
}

impl Place {
    async fn new() -> Self {
        let (moto, kinesis) = (emulators::aws(SCRATCH).await.unwrap(), FakeKinesis::start(true).await.unwrap());
        let aws = moto.aws().await;
        let s3 = aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build();
        let region = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(region).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let mut environment = moto.environment().to_vec();
        environment.push(("AWS_ENDPOINT_URL_KINESIS", kinesis.url().to_owned()));
        Self { kinesis, environment, folder: tempfile::tempdir().unwrap(), _moto: moto }
    }

    /// Starts a worker; waits until it listens.
    async fn hire(&self) -> Worker {
        let (folder, environment) = (self.folder.path().to_owned(), self.environment.clone());
        let start = move || {
            let daemon = Daemon::start_with(&folder, CONFIG, &environment);
            let address = daemon.address();
            Worker { daemon, address }
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// An event of now, in this shard.
    fn put(&self, shard: &str, sample: &str, number: u32, change: impl Fn(&mut Value)) {
        let now = Second::from_unix(Timestamp::now().as_second()).unwrap();
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["eventTime"] = now.to_rfc3339().into();
        event["eventID"] = format!("00000000-0000-4000-8000-{number:012}").into();
        change(&mut event);
        self.kinesis.put(shard, event.to_string().as_bytes());
    }
}

struct Worker {
    daemon: Daemon,
    address: SocketAddr,
}

impl Worker {
    async fn get(&self, path: &'static str) -> (u16, String) {
        let address = self.address;
        tokio::task::spawn_blocking(move || request(address, "GET", path, b"").unwrap()).await.unwrap()
    }

    /// Waits until what it says at `path` is so.
    async fn until(&self, path: &'static str, what: &str, is_so: impl Fn(u16, &str) -> bool) {
        let (began, mut every) = (Instant::now(), tokio::time::interval(Duration::from_millis(100)));
        loop {
            every.tick().await;
            let (status, body) = self.get(path).await;
            if is_so(status, &body) {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "in vain for {what}: {status} {body}");
        }
    }

    /// Waits until its metrics say this of the shards that it reads, each named with the unit that reads it.
    async fn until_lags(&self, what: &str, is_so: impl Fn(&[(String, f64)]) -> bool) {
        self.until("/metrics", what, |_, body| is_so(&lags(body))).await;
    }

    async fn end(self) {
        tokio::task::spawn_blocking(move || drop(self.daemon.end())).await.unwrap();
    }
}

/// The shards and their lags, in seconds.
fn lags(metrics: &str) -> Vec<(String, f64)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("bedrock_watch_stream_lag_seconds{shard=\""));
    let pairs = lines.filter_map(|line| line.split_once("\"} "));
    pairs.map(|(shard, seconds)| (shard.to_owned(), seconds.parse().unwrap())).collect()
}

fn names(lags: &[(String, f64)]) -> Vec<&str> {
    lags.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_unit_says_how_far_behind_it_reads_each_shard() {
    let place = Place::new().await;
    place.kinesis.add_shard("1", &[], (MIDDLE + 1, u128::MAX));
    let worker = place.hire().await;
    let all = [
        "kinesis activity/0 (0)",
        "kinesis activity/1 (1)",
        "kinesis state/0 (0)",
        "kinesis state/0 (1)",
        "kinesis state/1 (0)",
        "kinesis state/1 (1)",
    ];
    worker.until_lags("every shard's lag", |lags| names(lags) == all).await;
    place.kinesis.say_behind(400_000);
    worker
        .until("/readyz", "the lag of all", |status, body| {
            let said = |name: &&str| body.contains(&name.replace(" (", ": lag ("));
            status == 503 && all.iter().all(said)
        })
        .await;
    place.kinesis.say_behind(0);
    worker.until("/readyz", "readiness", |status, _| status == 200).await;

    // One unit ends, and none begins: its child waits for the other shard.
    place.kinesis.add_shard("2", &["1", "0"], (0, u128::MAX));
    place.kinesis.close("1");
    let left = ["kinesis activity/0 (0)", "kinesis state/0 (0)"];
    worker.until_lags("the end of one", |lags| names(lags) == left).await;
    place.kinesis.say_behind(50_000);
    worker.until_lags("the lag of what is left", |lags| lags.iter().all(|(_, seconds)| *seconds >= 50.0)).await;
    worker.until("/readyz", "readiness", |status, _| status == 200).await;
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_a_shard_that_is_gone_goes_on_with_its_memory() {
    let place = Place::new().await;
    let worker = place.hire().await;
    let (group, job) = ("sg-0a1b2c3d4e5f60718", "model/0123456789ab");
    place.put("0", JOB, 1, |event| {
        event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!([group]);
        event["responseElements"]["jobArn"] =
            format!("arn:aws:bedrock:us-east-1:111122223333:model-customization-job/{job}").into();
    });
    worker
        .until("/metrics", "the job", |_, body| {
            body.lines().any(|line| {
                line.strip_prefix("bedrock_watch_records_total ")
                    .is_some_and(|count| count.parse::<f64>().unwrap() > 1.0)
            })
        })
        .await;
    worker.end().await;

    // Nobody is there, and meanwhile the shard gets a record more, is split, and is dropped.
    place.put("0", CALL, 2, |_| {});
    place.kinesis.add_shard("1", &["0"], (0, MIDDLE));
    place.kinesis.add_shard("2", &["0"], (MIDDLE + 1, u128::MAX));
    place.kinesis.close("0");
    place.kinesis.unlist("0");
    let worker = place.hire().await;
    let gone = "the stream does not have the shard any more";
    let (worker, said) = tokio::task::spawn_blocking(move || {
        let said = worker.daemon.wait_for(gone);
        (worker, said)
    })
    .await
    .unwrap();
    assert!(said.contains("shard=\"0\"") || said.contains("shard=0"), "{said}");
    worker
        .until_lags("its children", |lags| {
            ["kinesis activity/1 (1)", "kinesis activity/2 (2)"].iter().all(|name| names(lags).contains(name))
        })
        .await;
    worker
        .until("/metrics", "the loss", |_, body| {
            body.lines().any(|line| line.starts_with("bedrock_watch_stream_lost_total ") && !line.ends_with(" 0"))
        })
        .await;
    // The job is only in the memory of the shard that is gone.
    place.put("1", GROUP, 3, |event| {
        event["requestParameters"]["groupId"] = group.into();
        event["responseElements"]["groupId"] = group.into();
    });
    let (worker, alert) = tokio::task::spawn_blocking(move || {
        let alert = worker.daemon.stdout.recv_timeout(DEADLINE).unwrap();
        (worker, alert)
    })
    .await
    .unwrap();
    let alert: Value = serde_json::from_str(&alert).unwrap();
    assert_eq!(alert["rule"], "customization-job-security-group-deleted", "{alert}");
    worker.end().await;
}
