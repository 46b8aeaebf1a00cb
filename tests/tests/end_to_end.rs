//! The whole way: an event is put on EventBridge's bus, its rule puts it into a Kinesis stream, the daemon reads it and
//! keeps what it must in DynamoDB and S3, and Slack and PagerDuty hear of it; and what nobody put on the bus, it finds by
//! asking Bedrock and EC2. EventBridge, Kinesis, DynamoDB, S3, Bedrock and EC2 are moto's; Slack and PagerDuty are
//! receivers of our own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use aws_sdk_eventbridge::types::{KinesisParameters, PutEventsRequestEntry, RuleState, Target};
use bedrock_watch_aws::Aws;
use bedrock_watch_engine::Second;
use bedrock_watch_service::{
    cloud::Cloud as _,
    config::aws::DynamoDbStore,
    evidence::{
        Fact, Turn,
        chain::Entry,
        reading::{Period, read},
    },
};
use bedrock_watch_tests::{
    emulators::{
        self, ACCOUNT, Emulator, REGION,
        faults::{Fault, Faults},
    },
    program::{Daemon, binary, request},
    receivers::{
        pagers::{self, PAGERDUTY},
        server::{Receiver, Request},
    },
    training::Training,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const STREAM: &str = "bedrock-watch";
const BUCKET: &str = "bedrock-watch-memory";
const EVIDENCE: &str = "bedrock-watch-evidence";
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Of so many of a hundred answers the daemon has trouble.
const SPOILED_PERCENT: u32 = 33;
/// How far behind a shard may be, in seconds, before the daemon says so.
const LAG_MAX_S: f64 = 10.0;
/// A group that a job names and that does not exist.
const MISSING_GROUP: &str = "sg-0123456789abcdef0";
/// Entries of one PutEvents call.
const ENTRIES_MAX: usize = 10;
const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");
const LOGGING: &str = include_str!("../../rules/events/bedrock/DeleteModelInvocationLoggingConfiguration.json");
const CALL: &str = include_str!("../../rules/events/bedrock/InvokeModel.json");

/// What the daemon needs of AWS, as the Terraform modules set it up.
async fn set_up(aws: &Aws) {
    aws_sdk_kinesis::Client::new(aws.own()).create_stream().stream_name(STREAM).shard_count(1).send().await.unwrap();
    let s3 = aws_sdk_s3::Client::new(aws.own());
    let place = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place.clone()).send().await.unwrap();
    let evidence = s3.create_bucket().bucket(EVIDENCE).create_bucket_configuration(place);
    evidence.object_lock_enabled_for_bucket(true).send().await.unwrap();
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    let pattern = json!({ "detail-type": ["AWS API Call via CloudTrail"] }).to_string();
    let rule = events.put_rule().name("bedrock-watch").event_pattern(pattern);
    rule.state(RuleState::EnabledWithAllCloudtrailManagementEvents).send().await.unwrap();
    let target = Target::builder()
        .id("stream")
        .arn(format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"))
        .kinesis_parameters(KinesisParameters::builder().partition_key_path("$.account").build().unwrap());
    events.put_targets().rule("bedrock-watch").targets(target.build().unwrap()).send().await.unwrap();
    // No event tells of this job. The events below are of another region, which the inventory does not look at.
    let training = Training::at(aws, ACCOUNT, REGION).await;
    let vpc = training.vpc().await;
    training.job("broken", &[&vpc.subnet], &[MISSING_GROUP]).await;
}

/// The daemon's configuration, with AWS at `aws` and Slack and PagerDuty at `receiver`.
fn config(aws: &str, receiver: &Receiver) -> String {
    let pagers = pagers::config(receiver, "alert", &[]);
    format!(
        r#"
        [http]
        listen = "127.0.0.1:0"
        [aws]
        region = "{REGION}"
        endpoint_url = "{aws}"
        [inventory]
        interval_s = 10
        [store]
        kind = "dynamodb"
        table = "bedrock-watch"
        snapshot_bucket = "{BUCKET}"
        snapshot_interval_s = 1
        [evidence]
        bucket = "{EVIDENCE}"
        archive_interval_s = 1
        [[source]]
        kind = "kinesis"
        stream = "{STREAM}"
        poll_ms = 200
        lag_max_s = {LAG_MAX_S}
        {pagers}
        "#
    )
}

/// An event of `seconds_ago`, in the account of the emulator.
fn event(sample: &str, number: usize, seconds_ago: i64, change: impl FnOnce(&mut Value)) -> Value {
    let mut event: Value = serde_json::from_str(&sample.replace("111122223333", ACCOUNT)).unwrap();
    let time = Timestamp::now().as_second() - seconds_ago;
    event["eventTime"] = Second(u32::try_from(time).unwrap()).to_rfc3339().into();
    event["eventID"] = format!("00000000-0000-4000-8000-{number:012}").into();
    change(&mut event);
    event
}

/// Puts events on the bus, as CloudTrail does.
async fn put(aws: &Aws, details: &[Value]) {
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    for chunk in details.chunks(ENTRIES_MAX) {
        let entries = chunk.iter().map(|detail| {
            let service = detail["eventSource"].as_str().unwrap().split('.').next().unwrap();
            PutEventsRequestEntry::builder()
                .source(format!("aws.{service}"))
                .detail_type("AWS API Call via CloudTrail")
                .detail(detail.to_string())
                .build()
        });
        let put = events.put_events().set_entries(Some(entries.collect())).send().await.unwrap();
        assert_eq!(put.failed_entry_count(), 0, "{put:?}");
    }
}

/// How often PagerDuty was triggered, by the rule that its payload names.
fn triggered(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let to_pagerduty = requests.iter().filter(|request| request.path == PAGERDUTY && request.taken);
    for request in to_pagerduty.filter(|request| request.body["event_action"] == "trigger") {
        *found.entry(request.body["payload"]["class"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    found
}

/// The rules that Slack has a message of its own about.
fn posted(requests: &[Request]) -> usize {
    let first = |request: &&Request| request.path == "/api/chat.postMessage" && request.body["thread_ts"].is_null();
    requests.iter().filter(first).count()
}

const FIRST: [&str; 4] = [
    "customization-job-security-group-deleted",
    "customization-job-security-group-missing",
    "invocation-burst",
    "invocation-logging-disabled",
];

/// A job that loses its group, logging switched off, and a burst.
fn attack() -> Vec<Value> {
    let mut events = vec![
        event(JOB, 1, 600, |event| event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!(["sg-0aa"])),
        event(GROUP, 2, 300, |event| event["requestParameters"]["groupId"] = json!("sg-0aa")),
        event(LOGGING, 3, 200, |_| {}),
    ];
    events.extend((0..120).map(|number| event(CALL, 100 + number, 100, |_| {})));
    events
}

/// A second group is deleted.
fn afterwards() -> Vec<Value> {
    vec![
        event(JOB, 501, 60, |event| {
            event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!(["sg-0bb"]);
            let job = event["responseElements"]["jobArn"].as_str().unwrap().to_owned();
            event["responseElements"]["jobArn"] = format!("{job}2").into();
        }),
        event(GROUP, 502, 30, |event| event["requestParameters"]["groupId"] = json!("sg-0bb")),
    ]
}

/// Both runs are in the evidence, and every alert that was told once; the program finds it whole.
async fn check_evidence(emulator: &Emulator, aws: &Aws) {
    let archive = aws.evidence(EVIDENCE, "evidence/");
    let store = DynamoDbStore {
        table: "bedrock-watch".to_owned(),
        snapshot_bucket: BUCKET.to_owned(),
        snapshot_prefix: "memory/".to_owned(),
    };
    let store = aws.store(&store).await.unwrap();
    let (mut runs, mut ends, mut begun, mut told) = (0, 0, Vec::new(), BTreeSet::new());
    let mut take = |entry: Entry| match entry.fact {
        Fact::Started(_) => runs += 1,
        Fact::Stopped(_) => ends += 1,
        Fact::Alert(alert) if alert.turn == Turn::Begun => begun.push(alert.alert),
        Fact::Delivered(delivered) => drop(told.insert((delivered.sink, delivered.alert))),
        _ => {}
    };
    let always = Period { from: Timestamp::MIN, to: Timestamp::MAX };
    let verdict = read(Some(&*archive), Some(&*store), always, &mut take).await.unwrap();
    assert_eq!(verdict.findings, []);
    assert_eq!((runs, ends), (2, 2));
    let alerts: BTreeSet<&String> = begun.iter().collect();
    assert_eq!(alerts.len(), begun.len(), "each began once");
    assert!(begun.iter().all(|alert| told.contains(&("slack".to_owned(), alert.clone()))), "{told:?}");
    assert!(told.iter().filter(|(sink, _)| sink == "pagerduty").count() > FIRST.len(), "{told:?}");
    let mut command = Command::new(binary());
    let command = command.args(["evidence", &format!("s3://{EVIDENCE}/evidence/")]).envs(emulator.environment());
    let said = command.output().unwrap();
    let (report, errors) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(0), "{errors}");
    assert!(report.contains("**The evidence is whole.**") && report.contains(FIRST[0]), "{report}");
}

/// The attack is told; after a restart nothing is told twice, and what happens then is told.
async fn check(emulator: &Emulator, faults: Option<&Faults>) {
    let spoil = |percent| faults.into_iter().for_each(|faults| faults.spoil(percent, &Fault::ALL));
    let aws = emulator.aws().await;
    set_up(&aws).await;
    let receiver = pagers::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (config, environment) =
        (config(faults.map_or(&emulator.url, |faults| &faults.url), &receiver), emulator.environment());
    let start = || Daemon::start_with(folder.path(), &config, &environment);
    let daemon = start();
    let address = daemon.address();
    spoil(SPOILED_PERCENT);
    put(&aws, &attack()).await;
    let all_told = |requests: &[Request]| {
        let triggered = triggered(requests);
        FIRST.iter().all(|rule| triggered.contains_key(*rule)) && posted(requests) >= FIRST.len()
    };
    let Some(_) = receiver.wait_until(PATIENCE, all_told).await else {
        panic!(
            "not everything was told: {:?}, {:?}",
            triggered(&receiver.requests()),
            daemon.stderr.try_iter().collect::<Vec<_>>()
        )
    };
    spoil(0);
    if let Some(faults) = faults {
        check_lag(address, faults).await;
    }
    let _lines = daemon.end();

    let before = posted(&receiver.requests());
    let daemon = start();
    let _listening = daemon.address();
    spoil(SPOILED_PERCENT);
    put(&aws, &afterwards()).await;
    let another = |requests: &[Request]| posted(requests) > before;
    receiver.wait_until(PATIENCE, another).await.expect("what happens after the restart is told");
    spoil(0);
    let _lines = daemon.end();
    let requests = receiver.requests();
    assert_eq!(posted(&requests), before + 1, "nothing is told a second time");
    let keys: BTreeMap<_, _> = requests
        .iter()
        .filter(|request| request.path == PAGERDUTY && request.body["event_action"] == "trigger")
        .map(|request| (request.body["dedup_key"].clone().to_string(), request.body["payload"]["class"].clone()))
        .collect();
    assert_eq!(keys.len(), FIRST.len() + 1, "{keys:#?}");
    // People ask the same table on the command line.
    for (command, count) in [("list --format json", keys.len()), ("redrive --list --format json", 0)] {
        let mut ask = Command::new(binary());
        ask.current_dir(folder.path()).args(["alerts", "--config", "config.toml"]).args(command.split(' '));
        let answer = ask.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
        assert!(answer.status.success(), "{command}: {}", String::from_utf8_lossy(&answer.stderr));
        let answer = String::from_utf8(answer.stdout).unwrap();
        assert_eq!(answer.matches("\"rule\":").count(), count, "{command}: {answer}");
    }
    check_evidence(emulator, &aws).await;
}

/// How far behind the shard is read, as `/metrics` says once the daemon has looked.
fn lag(address: SocketAddr) -> Option<f64> {
    let (_, metrics) = request(address, "GET", "/metrics", b"").expect("the daemon answers");
    let line = metrics.lines().find(|line| line.starts_with("bedrock_watch_stream_lag_seconds{shard=\"kinesis "));
    line.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Waits until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let (began, mut every) = (Instant::now(), tokio::time::interval(Duration::from_millis(100)));
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: never");
        every.tick().await;
    }
}

/// While the stream cannot be read, the lag grows in `/metrics` and `/readyz` names the shard; both end with the fault.
async fn check_lag(address: SocketAddr, faults: &Faults) {
    let readiness = || request(address, "GET", "/readyz", b"").expect("the daemon answers");
    let says_so = || matches!(readiness(), (503, reason) if reason.contains(STREAM) && reason.contains("s behind"));
    until("the lag is small", || lag(address).is_some_and(|lag| lag < LAG_MAX_S)).await;
    faults.spoil(100, &[Fault::Throttled]);
    until("the lag is over the limit", || lag(address).is_some_and(|lag| lag > LAG_MAX_S)).await;
    until("the shard is named as behind", says_so).await;
    faults.spoil(0, &[]);
    until("the lag is small again", || lag(address).is_some_and(|lag| lag < LAG_MAX_S)).await;
    until("the daemon is ready again", || readiness().0 == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_bus_to_slack_and_pagerduty() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    check(&emulator, None).await;
}

/// The same while AWS throttles, fails, cuts, delays and spoils a third of its answers, once the daemon has started:
/// nothing is lost or doubled, and the daemon does not hammer.
#[tokio::test(flavor = "multi_thread")]
async fn through_answers_that_are_spoiled() {
    /// Requests a second that a daemon may make on average, with everything it tries again.
    const REQUESTS_PER_S_MAX: f64 = 60.0;
    let seed = rand::random();
    println!("seed {seed}");
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let faults = Faults::before(&emulator.url, seed, 0, &[]).await.unwrap();
    let began = Instant::now();
    check(&emulator, Some(&faults)).await;
    let passed = faults.passed();
    let per_s = f64::from(u32::try_from(passed.len()).unwrap()) / began.elapsed().as_secs_f64();
    assert!(per_s < REQUESTS_PER_S_MAX, "{per_s:.0} requests a second");
    for fault in Fault::ALL {
        assert!(passed.iter().any(|passed| passed.fault == Some(fault)), "no answer was {fault:?}");
    }
}
