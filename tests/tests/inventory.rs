//! What AWS says when it is asked heals what the stream missed: in the engine, and in the real daemon against moto.

use std::sync::{Arc, OnceLock};

use aws_sdk_bedrockagent::types::{
    KnowledgeBaseConfiguration, KnowledgeBaseStorageType, KnowledgeBaseType, OpenSearchServerlessConfiguration,
    OpenSearchServerlessFieldMapping, StorageConfiguration, VectorKnowledgeBaseConfiguration,
};
use bedrock_watch_engine::{Engine, Second, Settings, alert::Status, rule::RuleSet};
use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, Emulator, REGION},
    program::{DEADLINE, Daemon, request},
    repository::{compiled, rule_pack},
    training::Training,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const START: u32 = 1_795_046_400;
const JOB: &str = "arn:aws:bedrock:eu-central-1:123456789012:model-customization-job/amazon.titan-text-lite-v1/abc";

/// An engine and the time.
struct Told {
    engine: Engine,
    number: u32,
}

#[cfg(test)]
impl Told {
    fn nothing() -> Self {
        static RULES: OnceLock<Arc<RuleSet>> = OnceLock::new();
        let rules = RULES.get_or_init(|| {
            let pack = rule_pack().expect("the rules can be read");
            compiled(&pack).expect("the rules compile")
        });
        Self { engine: Engine::new(Arc::clone(rules), Settings::standard()), number: 0 }
    }

    fn judge(&mut self, at: u32, event: &Value) {
        self.number += 1;
        self.engine.judge(event.to_string().as_bytes(), Second(START + at)).expect("the record is valid");
    }

    /// What AWS says at `at`.
    fn observed(mut self, at: u32, detail: Value) -> Self {
        let (id, time) = (format!("inventory-{}", self.number), Second(START + at).to_rfc3339());
        let event = json!({"version": "0", "id": id, "detail-type": "Inventory Observation", "source": "bedrock-watch",
            "account": ACCOUNT, "time": time, "region": REGION, "resources": [], "detail": detail});
        self.judge(at, &event);
        self
    }

    /// What CloudTrail says at `at` of a call at `happened`.
    fn called(
        mut self,
        (happened, at): (u32, u32),
        (service, name): (&str, &str),
        request: Value,
        answer: Value,
    ) -> Self {
        let event = json!({"eventVersion": "1.11", "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
            "awsRegion": REGION, "eventTime": Second(START + happened).to_rfc3339(),
            "eventID": format!("{:08x}-0000-4000-8000-000000000000", self.number), "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory")},
            "requestParameters": request, "responseElements": answer});
        self.judge(at, &event);
        self
    }

    fn group_deleted(self, happened: u32, at: u32) -> Self {
        self.called(
            (happened, at),
            ("ec2", "DeleteSecurityGroup"),
            json!({"groupId": "sg-1"}),
            json!({"_return": true}),
        )
    }

    fn logging_deleted(self, happened: u32, at: u32) -> Self {
        let name = ("bedrock", "DeleteModelInvocationLoggingConfiguration");
        self.called((happened, at), name, Value::Null, Value::Null)
    }

    /// Rule and status of every alert there is; what was withdrawn is none.
    fn gives(&mut self, expected: &[(&str, Status)]) {
        let alerts: Vec<(String, Status)> =
            self.engine.alerts().into_iter().map(|alert| (alert.rule, alert.status)).collect();
        let alerts: Vec<(&str, Status)> = alerts.iter().map(|(rule, status)| (rule.as_str(), *status)).collect();
        assert_eq!(alerts, expected, "{:#?}", self.engine.alerts());
    }
}

fn job(status: &str, end: Option<u32>) -> Value {
    let end = end.map(|end| Second(START + end).to_rfc3339());
    json!({"jobArn": JOB, "jobName": "support-tone", "status": status, "creationTime": Second(START).to_rfc3339(),
        "endTime": end, "securityGroupIds": ["sg-1"], "subnetIds": ["subnet-1"]})
}

fn jobs(status: &str, end: Option<u32>) -> Value {
    json!({ "jobs": [job(status, end)] })
}

fn on() -> Value {
    json!({"invocationLogging": {"loggingConfig": {"s3Config": {"bucketName": "logs"}}}})
}

fn off() -> Value {
    json!({"invocationLogging": {"loggingConfig": null}})
}

fn missing() -> Value {
    json!({"missingSecurityGroups": ["sg-1"]})
}

fn group() -> Value {
    let all = json!([{"ruleId": "sgr-1", "egress": true, "protocol": "-1", "peer": "0.0.0.0/0"}]);
    json!({"securityGroups": [{"groupId": "sg-1", "vpcId": "vpc-1", "rules": all}]})
}

const DELETED: &str = "customization-job-security-group-deleted";
const MISSING: &str = "customization-job-security-group-missing";
const EMPTIED: &str = "customization-job-security-group-emptied";
const DISABLED: &str = "invocation-logging-disabled";

#[test]
fn a_job_whose_creation_was_lost_is_protected() {
    Told::nothing().observed(100, jobs("InProgress", None)).group_deleted(200, 260).gives(&[(DELETED, Status::Firing)]);
    Told::nothing().group_deleted(200, 260).observed(300, jobs("InProgress", None)).gives(&[(DELETED, Status::Firing)]);
}

#[test]
fn a_job_whose_end_was_lost_ends() {
    let fired = || Told::nothing().observed(100, jobs("InProgress", None)).group_deleted(200, 260);
    fired().observed(400, jobs("Stopped", Some(300))).gives(&[(DELETED, Status::Resolved)]);
    fired().observed(400, jobs("Completed", Some(150))).gives(&[]);
    let missed = || Told::nothing().observed(100, jobs("InProgress", None)).observed(100, missing());
    missed().gives(&[(MISSING, Status::Firing)]);
    missed().observed(400, jobs("Stopped", Some(300))).gives(&[(MISSING, Status::Resolved)]);
}

#[test]
fn a_missing_group_is_over_when_it_is_found_or_explained() {
    let fired = || Told::nothing().observed(100, jobs("InProgress", None)).observed(110, missing());
    fired().observed(400, group()).gives(&[(MISSING, Status::Resolved)]);
    fired().observed(400, group()).observed(700, missing()).gives(&[(MISSING, Status::Firing)]);
    // CloudTrail came after the inventory.
    let mut told = fired().group_deleted(90, 300);
    told.gives(&[(DELETED, Status::Firing)]);
}

#[test]
fn logging_that_was_switched_off_raises_one_alert_whoever_says_so_first() {
    // Inventory alone is no disabling event.
    Told::nothing().observed(100, on()).observed(400, off()).gives(&[]);
    // The event comes later than the inventory that saw its result.
    Told::nothing()
        .observed(100, on())
        .observed(400, off())
        .logging_deleted(390, 500)
        .gives(&[(DISABLED, Status::Firing)]);
    // The event that restored it was lost.
    let fired = || Told::nothing().observed(100, on()).logging_deleted(200, 260).observed(400, off());
    fired().observed(700, on()).gives(&[(DISABLED, Status::Resolved)]);
    // What is off already is not switched off.
    Told::nothing().observed(100, off()).logging_deleted(200, 260).gives(&[]);
}

#[test]
fn asking_for_days_pushes_nothing_out() {
    let revoke = json!({"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "-1",
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}});
    let told = Told::nothing().observed(50, jobs("InProgress", None)).observed(50, group()).observed(60, on());
    let told = told.logging_deleted(200, 260);
    let name = ("ec2", "RevokeSecurityGroupEgress");
    let mut told = told.called((210, 260), name, revoke, json!({"_return": true}));
    let empty = json!({"securityGroups": [{"groupId": "sg-1", "vpcId": "vpc-1", "rules": []}]});
    for sweep in 1..=600 {
        told = told.observed(sweep * 300 + 300, empty.clone()).observed(sweep * 300 + 300, off());
    }
    told.gives(&[(DISABLED, Status::Firing), (EMPTIED, Status::Firing)]);
}

#[test]
fn what_contradicts_the_stream_is_explained() {
    let check = |mut told: Told, expected: &[&str]| {
        let said = told.engine.take_corrections();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, word) in said.iter().zip(expected) {
            assert!(said.contains(word), "{said} should contain {word}");
        }
        assert!(told.engine.take_corrections().is_empty(), "said once");
    };
    check(Told::nothing().observed(100, jobs("Completed", Some(50))), &[]);
    check(Told::nothing().observed(100, jobs("InProgress", None)), &["is live, and no event said that it began"]);
    let known = || {
        let mut told = Told::nothing().observed(100, jobs("InProgress", None)).observed(100, on());
        drop(told.engine.take_corrections());
        told
    };
    check(known().observed(400, jobs("InProgress", None)).observed(400, on()), &[]);
    check(known().observed(400, jobs("Failed", Some(300))), &["has ended (Failed)"]);
    check(known().observed(400, off()), &["is off, was on"]);
}

#[test]
fn what_a_knowledge_base_of_which_no_event_is_known_embeds_is_explained() {
    const BASE: &str = "arn:aws:bedrock:eu-central-1:123456789012:knowledge-base/KB1";
    const ROLE: &str = "arn:aws:iam::123456789012:role/service-role/AmazonBedrockExecutionRoleForKnowledgeBase_1";
    let known = json!({"dependents": [{"kind": "knowledge_base", "arn": BASE, "name": "handbook", "roleArn": ROLE}]});
    let severities = |told: Told| -> Vec<(String, bool)> {
        let asked = json!({"knowledgeBaseId": "KB1", "dataSourceId": "DS1"});
        let answer =
            json!({"ingestionJob": {"knowledgeBaseId": "KB1", "dataSourceId": "DS1", "ingestionJobId": "IJ1"}});
        let mut told = told.called((200, 200), ("bedrock", "StartIngestionJob"), asked, answer);
        for call in 0..150 {
            told.number += 1;
            let event = json!({"eventVersion": "1.11", "eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel",
                "awsRegion": REGION, "eventTime": Second(START + 260 + call / 10).to_rfc3339(),
                "eventID": format!("{:08x}-0000-4000-8000-000000000000", told.number), "recipientAccountId": ACCOUNT,
                "userIdentity": {"type": "AssumedRole", "invokedBy": "bedrock.amazonaws.com",
                    "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/AmazonBedrockExecutionRoleForKnowledgeBase_1/task-1"),
                    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}}},
                "requestParameters": {"modelId": "amazon.titan-embed-text-v2:0"}, "responseElements": null});
            told.judge(260 + call / 10, &event);
        }
        let bursts = told.engine.alerts().into_iter().filter(|alert| alert.rule == "invocation-burst");
        bursts.map(|alert| (alert.severity.as_str().to_owned(), alert.facts.contains_key("explained_by"))).collect()
    };
    assert_eq!(severities(Told::nothing().observed(100, known)), [("low".to_owned(), true)]);
    assert_eq!(severities(Told::nothing()), [("high".to_owned(), false)]);
}

fn config(emulator: &Emulator, interval_s: u32) -> String {
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[aws]\nregion = \"{REGION}\"\nendpoint_url = \"{}\"\ncalls_per_s = 1000\n\
         [inventory]\nmode = \"on\"\ninterval_s = {interval_s}\n[[source]]\nkind = \"http\"\n\
         [[sink]]\nkind = \"stdout\"\nname = \"stdout\"\nformat = \"json\"\n",
        emulator.url
    )
}

#[cfg(test)]
fn next_alert(daemon: &Daemon) -> Value {
    let line = daemon.stdout.recv_timeout(DEADLINE).expect("an alert comes");
    serde_json::from_str(&line).expect("a line is an alert")
}

/// What a sweep ends with in the log, after `/readyz` has heard of it.
const SWEPT: &str = "inventory places=";

/// What `/readyz` says.
#[cfg(test)]
fn readiness(address: std::net::SocketAddr) -> (u16, String) {
    request(address, "GET", "/readyz", b"").expect("the daemon answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_finds_a_missing_group_and_hears_that_the_job_is_over() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let training = Training::at(&aws, ACCOUNT, REGION).await;
    let vpc = training.vpc().await;
    let (good, deleted) = (training.group(&vpc).await, training.group(&vpc).await);
    training.delete_group(&deleted).await;
    training.job("fine", &[&vpc.subnet], &[&good]).await;
    let arn = training.job("broken", &[&vpc.subnet], &[&good, &deleted]).await;
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(folder.path(), &config(&emulator, 10), &emulator.environment());
    let address = daemon.address();
    let fired = next_alert(&daemon);
    assert_eq!((&fired["rule"], &fired["status"]), (&json!(MISSING), &json!("firing")));
    assert_eq!((&fired["account"], &fired["region"]), (&json!(ACCOUNT), &json!(REGION)));
    assert_eq!((&fired["subject"]["id"], &fired["facts"]["jobs"][0]["arn"]), (&json!(deleted), &json!(arn)));
    let (status, reason) = readiness(address);
    assert!(status == 200 || reason.contains("first inventory not complete"), "{reason}");
    drop(daemon.wait_for(SWEPT));
    assert_eq!(readiness(address).0, 200);
    training.stop("broken").await;
    let resolved = next_alert(&daemon);
    assert_eq!((&resolved["id"], &resolved["status"]), (&fired["id"], &json!("resolved")), "{resolved}");
    assert!(daemon.end().is_empty(), "nothing else was told");
}

#[cfg(test)]
fn vectors() -> KnowledgeBaseConfiguration {
    let model = format!("arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-embed-text-v2:0");
    let vectors = VectorKnowledgeBaseConfiguration::builder().embedding_model_arn(model).build().unwrap();
    let of_vectors = KnowledgeBaseConfiguration::builder().r#type(KnowledgeBaseType::Vector);
    of_vectors.vector_knowledge_base_configuration(vectors).build().unwrap()
}

#[cfg(test)]
fn collection() -> StorageConfiguration {
    let arn = format!("arn:aws:aoss:{REGION}:{ACCOUNT}:collection/abc");
    let collection = OpenSearchServerlessConfiguration::builder().collection_arn(arn).vector_index_name("index");
    let fields = OpenSearchServerlessFieldMapping::builder().vector_field("v").text_field("t").metadata_field("m");
    let collection = collection.field_mapping(fields.build().unwrap()).build().unwrap();
    let storage = StorageConfiguration::builder().r#type(KnowledgeBaseStorageType::OpensearchServerless);
    storage.opensearch_serverless_configuration(collection).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn knowledge_bases_and_agents_are_known_without_an_event() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let client = aws_sdk_bedrockagent::Client::new(aws.own());
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    client.create_agent().agent_name("helper").agent_resource_role_arn(role("agent")).send().await.unwrap();
    let base = client.create_knowledge_base().name("handbook").role_arn(role("base"));
    base.knowledge_base_configuration(vectors()).storage_configuration(collection()).send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(folder.path(), &config(&emulator, 86_400), &emulator.environment());
    let address = daemon.address();
    drop(daemon.wait_for(SWEPT));
    assert_eq!(readiness(address).0, 200);
    let (status, state) = request(address, "GET", "/v1/state", b"").expect("the daemon answers");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    let known = state["dependents"]["list"].as_array().into_iter().flatten();
    let known: Vec<(&str, &str)> =
        known.filter_map(|one| Some((one["kind"].as_str()?, one["name"].as_str()?))).collect();
    assert_eq!((status, known), (200, vec![("agent", "helper"), ("knowledge_base", "handbook")]), "{state}");
    let stands_on = state["dependents"].to_string();
    assert!(stands_on.contains("collection/abc") && stands_on.contains("role/base"), "{stands_on}");
    assert!(daemon.end().is_empty(), "nothing was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_has_ended_unheard_raises_no_alarm() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let training = Training::at(&aws, ACCOUNT, REGION).await;
    let vpc = training.vpc().await;
    let (first, second) = (training.group(&vpc).await, training.group(&vpc).await);
    training.job("ended", &[&vpc.subnet], &[&first]).await;
    training.job("live", &[&vpc.subnet], &[&second]).await;
    let folder = tempfile::tempdir().unwrap();
    // Only the first inventory happens in the time of this test.
    let daemon = Daemon::start_with(folder.path(), &config(&emulator, 86_400), &emulator.environment());
    let address = daemon.address();
    drop(daemon.wait_for(SWEPT));
    assert_eq!(readiness(address).0, 200);
    // Both live jobs are known. One ends, and the event that says so is lost.
    training.stop("ended").await;
    let at = Timestamp::now().as_second() + 2;
    let deletion = |number: u32, group: &str| {
        json!({"eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "DeleteSecurityGroup",
            "awsRegion": REGION, "eventTime": Timestamp::from_second(at).unwrap().to_string(),
            "eventID": format!("{number:08x}-0000-4000-8000-000000000000"), "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory")},
            "requestParameters": {"groupId": group}, "responseElements": {"_return": true}})
    };
    for (number, group) in [(1, &first), (2, &second)] {
        let (status, body) =
            request(address, "POST", "/v1/events", deletion(number, group).to_string().as_bytes()).unwrap();
        assert_eq!(status, 202, "{body}");
    }
    let mut told: Vec<Value> = (0..3).map(|_| next_alert(&daemon)).collect();
    let (status, page) = request(address, "GET", "/v1/alerts?status=withdrawn", b"").expect("the daemon answers");
    let page: Value = serde_json::from_str(&page).expect("JSON");
    assert_eq!((status, &page["alerts"][0]["subject"]["id"]), (200, &json!(first)), "{page}");
    told.extend(daemon.end().iter().filter_map(|line| serde_json::from_str(line).ok()));
    let story = |group: &str| -> Vec<&str> {
        let about = told.iter().filter(|alert| alert["rule"] == DELETED && alert["subject"]["id"] == group);
        about.filter_map(|alert| alert["status"].as_str()).collect()
    };
    // Standard output has every revision; nobody was told of the first one before it was withdrawn.
    assert_eq!((story(&first), story(&second)), (vec!["firing", "withdrawn"], vec!["firing"]), "{told:#?}");
    assert_eq!(told.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_asked_is_named_and_the_others_are_watched() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let training = Training::at(&aws, ACCOUNT, REGION).await;
    let vpc = training.vpc().await;
    training.job("broken", &[&vpc.subnet], &["sg-0123456789abcdef0"]).await;
    let gate = emulators::denying::gate(&emulator, "/us-east-1/bedrock/").await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&emulator, 86_400).replace(&emulator.url, &gate.url);
    let config = config.replace("calls_per_s", &format!("regions = [\"us-east-1\", \"{REGION}\"]\ncalls_per_s"));
    let mut environment = emulator.environment();
    environment[0].1.clone_from(&gate.url);
    let daemon = Daemon::start_with(folder.path(), &config, &environment);
    let address = daemon.address();
    assert_eq!(next_alert(&daemon)["rule"], json!(MISSING), "the other region is watched");
    let line = daemon.wait_for("inventory is incomplete");
    assert!(line.contains("us-east-1") && line.contains("bedrock:ListModelCustomizationJobs"), "{line}");
    drop(daemon.wait_for(SWEPT));
    let (status, reason) = readiness(address);
    assert!(status == 503 && reason.contains("allow bedrock:ListModelCustomizationJobs"), "{status} {reason}");
    assert!(daemon.end().is_empty());
}
