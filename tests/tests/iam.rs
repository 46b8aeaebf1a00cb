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
};

use bedrock_watch_aws::{calls::iam, doctor};
use bedrock_watch_service::config::Config;
use bedrock_watch_tests::{emulators, program::binary, repository::root};
use cargo_metadata::MetadataCommand;
use serde_json::Value;

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
    command.args(["audit", "--region", emulators::REGION]).envs(emulator.environment());
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
    drop(doctor::send_canary(&aws, "default", std::time::Duration::from_millis(1), &facts.entries).await);
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
