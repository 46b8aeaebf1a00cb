//! The policies of `infra/iam` name exactly what the code calls: compared with the source both ways, and with what is
//! really called.
//!
//! A call is found in the source by its name: `.get_records()` in a file that names `aws_sdk_kinesis` is
//! `kinesis:GetRecords`, because the SDK has an operation of that name. So a new call without a permission fails here.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use aws_sdk_kinesis::primitives::Blob;
use bedrock_watch_aws::{Aws, calls::iam, doctor};
use bedrock_watch_engine::Second;
use bedrock_watch_service::config::Config;
use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, Emulator, REGION},
    program::{DEADLINE, Daemon, binary, request},
    receivers::server::Receiver,
    repository::root,
    training::Training,
};
use cargo_metadata::MetadataCommand;
use jiff::Timestamp;
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// What AWS does in our name, without a call of ours.
const WITHOUT_A_CALL: [&str; 3] = ["kms:Decrypt", "kms:GenerateDataKey", "sts:AssumeRole"];
/// Requests that are signed by hand, because their SDK would be too large: what the source then has, and the action.
const BY_HAND: [(&str, &str); 3] = [
    ("findings/import", "securityhub:BatchImportFindings"),
    ("findings/batchupdate", "securityhub:BatchUpdateFindings"),
    ("GraniteServiceVersion20100801.GetMetricData", "cloudwatch:GetMetricData"),
];
/// Which folder or file of `detector/aws/src` makes the calls of a statement of `daemon.json`. What is not there yet is
/// not expected to be called.
const MADE_IN: [(&str, &str); 15] = [
    ("ReadStreams", "kinesis"),
    ("FanOut", "kinesis"),
    ("ReadQueues", "sqs"),
    ("ListLogFiles", "s3"),
    ("ReadLogFiles", "s3"),
    ("Store", "dynamodb"),
    ("Leases", "leases"),
    ("ListSnapshots", "dynamodb"),
    ("Snapshots", "dynamodb"),
    ("Evidence", "evidence"),
    ("Inventory", "inventory"),
    ("SinkEventBridge", "sinks"),
    ("SinkSns", "sinks"),
    ("SinkSecurityHub", "sinks"),
    ("Secrets", "secrets"),
];

/// The SDK's crates, with the prefix of their actions and the names of their operations, as methods and as AWS has them.
struct Sdk {
    crates: BTreeMap<String, (String, BTreeMap<String, String>)>,
}

impl Sdk {
    fn read() -> Self {
        let mut metadata = MetadataCommand::new();
        let metadata = metadata.current_dir(root()).other_options(["--locked".to_owned(), "--offline".to_owned()]);
        let packages = metadata.exec().unwrap().packages;
        let sdks =
            packages.iter().filter_map(|package| Some((package.name.strip_prefix("aws-sdk-")?.to_owned(), package)));
        let crates = sdks.map(|(name, package)| {
            let source = package.manifest_path.parent().unwrap().join("src/operation");
            let operations = operations(source.as_std_path());
            (format!("aws_sdk_{name}"), (prefix(&name).to_owned(), operations))
        });
        Self { crates: crates.collect() }
    }

    /// The actions that the calls in a text of Rust need.
    fn actions(&self, text: &str) -> BTreeSet<String> {
        let mut actions = BTreeSet::new();
        for (name, (prefix, operations)) in &self.crates {
            if !text.contains(name.as_str()) {
                continue;
            }
            for (method, operation) in operations {
                if text.contains(&format!(".{method}()")) {
                    actions.extend(iam::actions(prefix, operation));
                }
            }
        }
        let by_hand = BY_HAND.iter().filter(|(mark, _)| text.contains(mark));
        actions.extend(by_hand.map(|(_, action)| (*action).to_owned()));
        actions
    }
}

/// The prefix of a crate's actions.
fn prefix(sdk: &str) -> &str {
    match sdk {
        "eventbridge" => "events",
        "bedrockagent" => "bedrock",
        other => other,
    }
}

/// The operations of a crate: `get_records` -> `GetRecords`, from what the crate's modules declare.
fn operations(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let modules = entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let named = modules.filter_map(|path| {
        let method = path.file_stem()?.to_str()?.to_owned();
        let text = std::fs::read_to_string(&path).ok()?;
        let name = text.split("pub struct ").nth(1)?.split([' ', ';', '{', '<']).next()?.to_owned();
        Some((method, name))
    });
    named.collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn source_folder() -> PathBuf {
    root().join("detector/aws/src")
}

/// The actions that the sources need, of those whose path below `detector/aws/src` is `wanted`.
fn called(sdk: &Sdk, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let folder = source_folder();
    let files =
        sources(&folder).into_iter().filter(|path| wanted(path.strip_prefix(&folder).unwrap().to_str().unwrap()));
    files.flat_map(|path| sdk.actions(&std::fs::read_to_string(path).unwrap())).collect()
}

/// The statements of a policy: names and actions.
fn policy(name: &str) -> Vec<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root().join("infra/iam").join(name)).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter().map(|statement| {
        assert_eq!(statement["Effect"], "Allow", "{name}");
        let actions = statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
        let actions: Vec<String> = actions.collect();
        assert!(actions.is_sorted(), "{name}: the actions of {} are not sorted", statement["Sid"]);
        assert!(actions.iter().all(|action| !action.contains('*')), "{name}: a policy names its actions one by one");
        (statement["Sid"].as_str().unwrap().to_owned(), actions.into_iter().collect())
    });
    statements.collect()
}

fn all(statements: &[(String, BTreeSet<String>)]) -> BTreeSet<String> {
    let actions = statements.iter().flat_map(|(_, actions)| actions.iter().cloned());
    actions.filter(|action| !WITHOUT_A_CALL.contains(&action.as_str())).collect()
}

fn is_there(part: &str) -> bool {
    let folder = source_folder();
    folder.join(part).exists() || folder.join(format!("{part}.rs")).exists()
}

fn check(what: &str, called: &BTreeSet<String>, allowed: &BTreeSet<String>) {
    let missing: Vec<&String> = called.difference(allowed).collect();
    assert!(missing.is_empty(), "{what}: called and not allowed: {missing:?}");
    let idle: Vec<&String> = allowed.difference(called).collect();
    assert!(idle.is_empty(), "{what}: allowed and never called: {idle:?}");
}

#[test]
fn the_task_role_may_do_exactly_what_the_daemon_does() {
    let sdk = Sdk::read();
    let statements = policy("daemon.json");
    let made_elsewhere = |statement: &str| MADE_IN.iter().any(|(name, part)| *name == statement && !is_there(part));
    let expected: Vec<_> = statements.into_iter().filter(|(name, _)| !made_elsewhere(name)).collect();
    // What the doctor asks besides is its own; the organization's coverage and the way of events the daemon asks too.
    const OF_COVERAGE: [&str; 3] = ["doctor/ask/organization.rs", "doctor/ask/trail.rs", "doctor/ask/bus.rs"];
    const OF_DOCTOR_ALONE: [&str; 1] = ["events:DescribeEventBus"];
    let mut called = called(&sdk, |path| !path.starts_with("doctor/") || OF_COVERAGE.contains(&path));
    called.retain(|action| !OF_DOCTOR_ALONE.contains(&action.as_str()));
    check("daemon.json", &called, &all(&expected));
}

#[test]
fn the_doctor_may_do_exactly_what_it_asks() {
    let sdk = Sdk::read();
    let called = called(&sdk, |path| path.starts_with("doctor/") || path == "canary/mod.rs");
    check("doctor.json", &called, &all(&policy("doctor.json")));
}

#[test]
fn an_auditor_may_read_the_archive_and_nothing_else() {
    let sdk = Sdk::read();
    let mut called = called(&sdk, |path| path == "evidence.rs");
    assert!(called.remove("s3:PutObject"), "the daemon alone writes");
    check("auditor.json", &called, &all(&policy("auditor.json")));
}

#[test]
fn the_role_in_other_accounts_may_do_what_is_asked_there() {
    let daemon = policy("daemon.json");
    let of = |statement: &str| daemon.iter().find(|(name, _)| name == statement).unwrap().1.clone();
    let own_account_only = ["account:ListRegions", "organizations:ListAccounts"];
    for (name, actions) in policy("member-role.json") {
        let mut expected = of(&name);
        expected.retain(|action| !own_account_only.contains(&action.as_str()));
        assert_eq!(actions, expected, "{name}");
    }
}

#[test]
fn eventbridge_may_write_to_the_stream_and_nothing_else() {
    let actions: BTreeSet<String> = policy("eventbridge-to-kinesis.json").into_iter().flat_map(|(_, of)| of).collect();
    assert_eq!(actions, ["kinesis:PutRecord", "kinesis:PutRecords", "kms:GenerateDataKey"].map(str::to_owned).into());
}

/// Every test that runs the program over moto holds it to the policies, see [`emulators::aws`]: here is that this works.
#[tokio::test]
async fn the_program_can_do_nothing_that_no_policy_allows() {
    let emulator = emulators::aws_allowing(SCRATCH, &["eventbridge-to-kinesis.json"]).await.unwrap();
    let mut command = Command::new(binary());
    command.args(["audit", "--region", REGION]).envs(emulator.environment());
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("allow bedrock:ListModelCustomizationJobs"), "{said}");
}

#[tokio::test]
async fn what_is_really_called_is_what_the_source_says() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let setting_up = emulator.aws().await;
    let kinesis = aws_sdk_kinesis::Client::new(setting_up.own());
    kinesis.create_stream().stream_name("bedrock-watch").shard_count(1).send().await.unwrap();
    let config =
        Config::load("test.toml", "[[source]]\nkind = \"kinesis\"\nstream = \"bedrock-watch\"\n", &|_| None).unwrap();
    let aws = emulator.aws().await;
    let facts = doctor::gather(&aws, &config, doctor::Local::default()).await;
    drop(doctor::send_canary(&aws, "default", Duration::from_millis(1), &facts.entries).await);
    drop(doctor::organization(&aws, &config).await);
    let sdk = Sdk::read();
    let known = called(&sdk, |path| path.starts_with("doctor/") || path == "canary/mod.rs");
    let mut really = BTreeSet::new();
    for (service, operation) in aws.calls().counted().into_keys() {
        let Some(prefix) = iam::prefix(&service) else { panic!("what actions has the service {service}?") };
        really.extend(iam::actions(prefix, &operation));
    }
    let unknown: Vec<&String> = really.difference(&known).collect();
    assert!(unknown.is_empty(), "called, and not found in the source: {unknown:?}");
    for expected in ["kinesis:DescribeStreamSummary", "events:PutEvents", "cloudtrail:DescribeTrails"] {
        assert!(really.contains(expected), "{expected} is not among {really:?}");
    }
}

/// What the task role may and the daemon does not do in the test below, and why it may nevertheless.
const NOT_SEEN: [(&str, &str); 5] = [
    ("kinesis:DescribeStreamConsumer", "enhanced fan-out, which moto does not have; `kinesis_fan_out` has it"),
    ("kinesis:RegisterStreamConsumer", "enhanced fan-out"),
    ("kinesis:SubscribeToShard", "enhanced fan-out"),
    ("kms:Decrypt", "AWS does it for us where a key is ours"),
    ("sts:AssumeRole", "other accounts, of which there is none here"),
];
/// What it does only if a message is judged for long, or is in flight at the end.
const NOW_AND_THEN: &str = "sqs:ChangeMessageVisibility";
const STREAM: &str = "bedrock-watch";
const SHARED_STREAM: &str = "shared";
const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");

/// Everything that a daemon can be told to use, in an emulator.
struct World {
    emulator: Emulator,
    aws: Aws,
    receiver: Receiver,
    queues: [String; 2],
    topic: String,
}

impl World {
    async fn new() -> Self {
        let emulator = emulators::aws(SCRATCH).await.unwrap();
        let aws = emulator.aws().await;
        let kinesis = aws_sdk_kinesis::Client::new(aws.own());
        for stream in [STREAM, SHARED_STREAM] {
            kinesis.create_stream().stream_name(stream).shard_count(1).send().await.unwrap();
        }
        let s3 = s3(&aws);
        for bucket in ["memory", "evidence", "trail"] {
            let place = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
            let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
            let make = s3.create_bucket().bucket(bucket).create_bucket_configuration(place);
            make.object_lock_enabled_for_bucket(bucket == "evidence").send().await.unwrap();
        }
        let sqs = aws_sdk_sqs::Client::new(aws.own());
        let queue = async |name: &str| sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let queues = [queue("events").await, queue("files").await];
        let sns = aws_sdk_sns::Client::new(aws.own());
        let topic = sns.create_topic().name("alerts").send().await.unwrap().topic_arn.unwrap();
        let secrets = aws_sdk_secretsmanager::Client::new(aws.own());
        secrets.create_secret().name("key").secret_string("0123456789abcdef0123456789abcdef").send().await.unwrap();
        let training = Training::at(&aws, ACCOUNT, REGION).await;
        let vpc = training.vpc().await;
        training.job("fine", &[&vpc.subnet], &[&training.group(&vpc).await]).await;
        set_up_coverage(&aws).await;
        let receiver = Receiver::start(|_, _| (200, String::new())).await.unwrap();
        Self { emulator, aws, receiver, queues, topic }
    }

    /// A daemon with everything, or one that shares a stream with others.
    fn config(&self, shares: bool) -> String {
        let (stream, name, carries) =
            if shares { (SHARED_STREAM, "shared", "activity") } else { (STREAM, "own", "both") };
        let shared = r#"
            [leases]
            enabled = true
            failover_ms = 1000
            [inventory]
            mode = "off"
            [[source]]
            kind = "kinesis"
            stream = "bedrock-watch"
            carries = "state"
            poll_ms = 200
            "#;
        format!(
            r#"
            [http]
            listen = "127.0.0.1:0"
            [aws]
            regions = ["*"]
            calls_per_s = 1000
            [store]
            kind = "dynamodb"
            table = "{name}"
            snapshot_bucket = "memory"
            snapshot_prefix = "{name}/"
            snapshot_interval_s = 1
            [[source]]
            kind = "kinesis"
            stream = "{stream}"
            carries = "{carries}"
            poll_ms = 200
            {parts}
            "#,
            parts = if shares { shared.to_owned() } else { self.everything_else() },
        )
    }

    /// Every part of a daemon but its store and stream.
    fn everything_else(&self) -> String {
        let [events, files] = &self.queues;
        let (hook, topic) = (self.receiver.url("/hook"), &self.topic);
        format!(
            r#"
            [inventory]
            mode = "on"
            organization = true
            [canary]
            enabled = true
            interval_s = 10
            within_s = 5
            [evidence]
            bucket = "evidence"
            archive_interval_s = 1
            [[source]]
            kind = "http"
            [[source]]
            kind = "sqs"
            queue_url = "{events}"
            [[source]]
            kind = "s3"
            queue_url = "{files}"
            [[sink]]
            kind = "eventbridge"
            [[sink]]
            kind = "sns"
            topic_arn = "{topic}"
            [[sink]]
            kind = "security_hub"
            [[sink]]
            kind = "webhook"
            url = "{hook}"
            headers = {{ x-key = "${{secretsmanager:key}}" }}
            "#
        )
    }

    /// Puts a job and the deletion of its group on every way to the daemon.
    async fn attack(&self, address: std::net::SocketAddr) {
        let kinesis = aws_sdk_kinesis::Client::new(self.aws.own());
        let put = async |number: u32, stream: &str, sample: &str| {
            let data = Blob::new(event(number, sample).to_string());
            kinesis.put_record().stream_name(stream).partition_key(ACCOUNT).data(data).send().await.unwrap();
        };
        put(1, STREAM, JOB).await;
        put(2, STREAM, GROUP).await;
        put(3, SHARED_STREAM, GROUP).await;
        let sqs = aws_sdk_sqs::Client::new(self.aws.own());
        let send = async |queue: &str, body: String| {
            sqs.send_message().queue_url(queue).message_body(body).send().await.unwrap();
        };
        send(&self.queues[0], event(4, JOB).to_string()).await;
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/18/{ACCOUNT}_CloudTrail_{REGION}_20261118T0900Z_a.json"
        );
        let records = json!({ "Records": [event(5, JOB)] }).to_string().into_bytes();
        s3(&self.aws).put_object().bucket("trail").key(&key).body(records.into()).send().await.unwrap();
        send(&self.queues[1], json!({ "s3Bucket": "trail", "s3ObjectKey": [key] }).to_string()).await;
        let (status, said) = request(address, "POST", "/v1/events", event(6, JOB).to_string().as_bytes()).unwrap();
        assert_eq!(status, 202, "{said}");
    }

    /// Waits until the daemon has needed all of these actions.
    async fn wait_until_called(&self, expected: &BTreeSet<String>) {
        let (began, mut every) = (Instant::now(), tokio::time::interval(Duration::from_millis(100)));
        loop {
            let called = self.emulator.called().await;
            let missing: Vec<&String> = expected.difference(&called).collect();
            if missing.is_empty() {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "allowed, and not called after {DEADLINE:?}: {missing:?}");
            every.tick().await;
        }
    }
}

fn s3(aws: &Aws) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build())
}

/// What a look at the organization needs to get to its end: an organization, a trail, and a rule with a target.
async fn set_up_coverage(aws: &Aws) {
    aws_sdk_organizations::Client::new(aws.own()).create_organization().send().await.unwrap();
    let trails = aws_sdk_cloudtrail::Client::new(aws.own());
    trails.create_trail().name("all").s3_bucket_name("trail").is_multi_region_trail(true).send().await.unwrap();
    trails.start_logging().name("all").send().await.unwrap();
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    let pattern = json!({ "detail-type": ["AWS API Call via CloudTrail"] }).to_string();
    events.put_rule().name("forward").event_pattern(pattern).send().await.unwrap();
    let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}");
    let target = aws_sdk_eventbridge::types::Target::builder().id("stream").arn(arn).build().unwrap();
    events.put_targets().rule("forward").targets(target).send().await.unwrap();
}

/// An event of now, in the account of the emulator.
fn event(number: u32, sample: &str) -> Value {
    let mut event: Value = serde_json::from_str(&sample.replace("111122223333", ACCOUNT)).unwrap();
    event["eventTime"] = Second::from_unix(Timestamp::now().as_second()).unwrap().to_rfc3339().into();
    event["eventID"] = format!("00000000-0000-4000-8000-{number:012}").into();
    event
}

/// Not what the source looks like, but what arrives: the daemon runs with every source, store and sink of AWS, signed by
/// the SDK or by hand, and moto writes down which action each request needs.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_daemon_really_calls_is_what_the_task_role_may() {
    let allowed: BTreeSet<String> = policy("daemon.json").into_iter().flat_map(|(_, actions)| actions).collect();
    let not_seen: BTreeSet<String> = NOT_SEEN.iter().map(|(action, _)| (*action).to_owned()).collect();
    assert!(not_seen.is_subset(&allowed), "explained, and not allowed at all");
    let mut expected: BTreeSet<String> = allowed.difference(&not_seen).cloned().collect();
    assert!(expected.remove(NOW_AND_THEN), "{NOW_AND_THEN} is not allowed");

    let world = World::new().await;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let environment = world.emulator.environment();
    let daemon = Daemon::start_with(one.path(), &world.config(false), &environment);
    let sharing = Daemon::start_with(other.path(), &world.config(true), &environment);
    let (address, _listening) = (daemon.address(), sharing.address());
    world.attack(address).await;
    world.wait_until_called(&["securityhub:BatchImportFindings".to_owned()].into()).await;
    // What a person says is over is closed in Security Hub.
    let (_, alerts) = request(address, "GET", "/v1/alerts", b"").unwrap();
    let alerts: Value = serde_json::from_str(&alerts).unwrap();
    for alert in alerts["alerts"].as_array().unwrap() {
        let path = format!("/v1/alerts/{}/resolve", alert["id"].as_str().unwrap());
        let (status, said) = request(address, "POST", &path, br#"{"author":"ada","reason":"a test"}"#).unwrap();
        assert_eq!(status, 200, "{said}");
    }
    world.wait_until_called(&expected).await;
    let _lines = (daemon.end(), sharing.end());
    let called = world.emulator.called().await;
    let beyond: Vec<&String> = called.difference(&allowed).collect();
    assert!(beyond.is_empty(), "called, and not allowed: {beyond:?}");
    let unexplained: Vec<&String> = called.intersection(&not_seen).collect();
    assert!(unexplained.is_empty(), "called, and said not to be: {unexplained:?}");
}
