//! Alerts told through EventBridge, SNS and Security Hub: against moto, and against a receiver that answers as only the
//! real services do.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{sync::Arc, time::Duration};

use bedrock_watch_aws::Aws;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::{
    cloud::Cloud as _,
    config::{SinkConfig, SinkKind, aws::AwsSink},
    format::json,
    sink::{Fault, Scope, Sink, SinkError, Telling, payload::Context},
    store::Claim,
};
use bedrock_watch_tests::{
    emulators::{self, ACCESS_KEY, ACCOUNT, Emulator, REGION},
    receivers::{
        alerts::{alert, at, claim, hostile, resolved},
        fake::BRISK,
        server::{Mood, Receiver, Request},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
/// Hostile alerts that each sink is told.
const HOSTILE_ALERTS: u64 = 40;
/// Bytes that EventBridge, SNS and SQS take.
const BYTES_MAX: usize = 262_144;

fn sink(aws: &Aws, kind: AwsSink) -> Arc<dyn Sink> {
    let config = SinkConfig { name: "aws".to_owned(), pace: BRISK, kind: SinkKind::Aws(kind) };
    aws.sink(&config, &Arc::new(Context::default())).unwrap()
}

fn telling(claim: Claim) -> Telling {
    Telling::plain(vec![claim], at(600))
}

/// An alert that fired, grew and is over.
fn life(id: &str) -> Vec<(ChangeKind, Alert)> {
    let fired = alert(id);
    let grown = Alert { event_count: 2, ..fired.clone() };
    let over = resolved(&grown);
    vec![(ChangeKind::Fired, fired), (ChangeKind::Updated, grown), (ChangeKind::Resolved, over)]
}

/// A queue, and what its messages hold.
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    async fn new(aws: &Aws, name: &str) -> Self {
        let client = aws_sdk_sqs::Client::new(aws.own());
        let made = client.create_queue().queue_name(name);
        let made = if name.ends_with(".fifo") {
            made.attributes(aws_sdk_sqs::types::QueueAttributeName::FifoQueue, "true")
        } else {
            made
        };
        let url = made.send().await.unwrap().queue_url.unwrap();
        Self { client, url }
    }

    fn arn(&self) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.url.rsplit('/').next().unwrap())
    }

    /// Everything in it, until there were `expected` messages.
    async fn drain(&self, expected: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let waits = async {
            while found.len() < expected {
                let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
                let received = request.wait_time_seconds(1).send().await.unwrap();
                for message in received.messages.unwrap_or_default() {
                    let body = message.body.unwrap();
                    let body: Value = serde_json::from_str(&body).unwrap();
                    // As AWS counts: moto writes every letter beyond ASCII as an escape.
                    let bytes = body.to_string().len();
                    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
                    found.push(body);
                    let receipt = message.receipt_handle.unwrap();
                    self.client.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await.unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap_or_else(|_| panic!("messages do not come"));
        found
    }
}

/// A bus whose events of our source arrive in a queue.
async fn bus(emulator: &Emulator, aws: &Aws) -> Queue {
    let queue = Queue::new(aws, "findings").await;
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    events.create_event_bus().name("security").send().await.unwrap();
    let pattern = json!({ "source": ["watch.example"] }).to_string();
    let rule = events.put_rule().name("all").event_bus_name("security").event_pattern(pattern);
    rule.send().await.unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(queue.arn()).build().unwrap();
    events.put_targets().rule("all").event_bus_name("security").targets(target).send().await.unwrap();
    assert!(emulator.url.starts_with("http://127.0.0.1:"), "{}", emulator.url);
    queue
}

fn eventbridge() -> AwsSink {
    AwsSink::EventBridge { bus: "security".to_owned(), source: "watch.example".to_owned() }
}

#[tokio::test]
async fn eventbridge_rules_see_every_revision() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = bus(&emulator, &aws).await;
    let (sink, states) = (sink(&aws, eventbridge()), life("7d1c"));
    let told = sink.tell(&telling(claim(&states, 0, None).unwrap())).await.unwrap();
    assert!(told.reference.is_some());
    assert_eq!((told.through, told.memo, told.requests), (Some(3), None, 1));
    let found = queue.drain(3).await;
    for ((_, alert), word) in states.iter().zip(["Fired", "Updated", "Resolved"]) {
        let detail_type = format!("Bedrock Watch Alert {word}");
        let event = found.iter().find(|event| event["detail-type"] == detail_type.as_str());
        let event = event.unwrap_or_else(|| panic!("no {detail_type} in {found:#?}"));
        assert_eq!(event["detail"], json::alert(alert));
        assert_eq!(event["source"], "watch.example");
        assert_eq!(event["resources"], json!([alert.facts["jobs"][0]["arn"]]));
    }
}

#[tokio::test]
async fn eventbridge_takes_hostile_alerts_within_its_limits() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = bus(&emulator, &aws).await;
    let sink = sink(&aws, eventbridge());
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    for number in 0..HOSTILE_ALERTS {
        let alert = hostile(&mut StdRng::seed_from_u64(seed.wrapping_add(number)));
        let whole = json::alert(&alert);
        sink.tell(&telling(claim(&[(ChangeKind::Fired, alert)], 0, None).unwrap())).await.unwrap();
        let found = queue.drain(1).await;
        let detail = &found[0]["detail"];
        assert_eq!(detail["severity"], whole["severity"]);
        let shortened = detail["facts"]["shortened"] == true;
        assert!(shortened || *detail == whole, "seed {seed}, alert {number}: it is neither whole nor says so");
    }
}

fn rests(error: &SinkError) -> (Option<Scope>, Option<u32>) {
    let scope = match error.fault {
        Fault::Temporary { scope, .. } => Some(scope),
        Fault::Permanent => None,
    };
    (scope, error.progress.as_ref().and_then(|progress| progress.through))
}

/// The way to a receiver that stands in for AWS.
async fn to(receiver: &Receiver) -> Aws {
    let config = bedrock_watch_service::config::aws::AwsConfig {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(receiver.url("")),
        operation_timeout_ms: 10_000,
        ..Default::default()
    };
    Aws::connect_as(&config, &Default::default(), ACCESS_KEY).await.unwrap()
}

/// Takes the first entry of each call and refuses the others.
fn only_the_first(request: &Request, _: usize) -> (u16, String) {
    let entries = request.body["Entries"].as_array().map_or(0, Vec::len);
    let refused = json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": "too fast" });
    let answers: Vec<Value> =
        (0..entries).map(|number| if number == 0 { json!({ "EventId": "1" }) } else { refused.clone() }).collect();
    (200, json!({ "FailedEntryCount": entries.saturating_sub(1), "Entries": answers }).to_string())
}

#[tokio::test]
async fn entries_that_eventbridge_refuses_are_told_again_and_no_others() {
    let receiver = Receiver::start(only_the_first).await.unwrap();
    let sink = sink(&to(&receiver).await, eventbridge());
    let states = life("7d1c");
    for delivered in 0..2 {
        let error = sink.tell(&telling(claim(&states, delivered, None).unwrap())).await.unwrap_err();
        assert_eq!(rests(&error), (Some(Scope::Sink), Some(delivered + 1)), "{error}");
        assert!(error.to_string().contains("ThrottlingException"), "{error}");
    }
    let told = sink.tell(&telling(claim(&states, 2, None).unwrap())).await.unwrap();
    assert_eq!(told.through, Some(3));
    let sent: Vec<usize> =
        receiver.requests().iter().map(|request| request.body["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [3, 2, 1]);
}

/// Refuses everything, as the path of the address says.
fn refusing(request: &Request, _: usize) -> (u16, String) {
    let body = |code: &str| json!({ "__type": code, "message": "because" }).to_string();
    let words = request.body.to_string();
    let found = ["AccessDeniedException", "ResourceNotFoundException", "ValidationException", "ThrottlingException"];
    let code = found.into_iter().find(|code| words.contains(code)).unwrap_or("InternalFailure");
    (if code == "InternalFailure" { 500 } else { 400 }, body(code))
}

#[tokio::test]
async fn what_a_person_can_mend_is_tried_again() {
    let receiver = Receiver::start(refusing).await.unwrap();
    let aws = to(&receiver).await;
    let check = async |code: &str, expected: Option<Scope>, hint: &str| {
        // The receiver answers with the code that stands in what it is told.
        let sink = sink(&aws, AwsSink::EventBridge { bus: code.to_owned(), source: "watch.example".to_owned() });
        let error = sink.tell(&telling(claim(&life("7d1c"), 0, None).unwrap())).await.unwrap_err();
        assert_eq!(rests(&error), (expected, None), "{code}: {error}");
        assert!(error.to_string().contains(code) && error.to_string().contains(hint), "{code}: {error}");
    };
    check("AccessDeniedException", Some(Scope::Sink), "events:PutEvents").await;
    check("ResourceNotFoundException", Some(Scope::Sink), "is it there").await;
    check("ThrottlingException", Some(Scope::Sink), "").await;
    check("InternalFailure", Some(Scope::Sink), "").await;
    check("ValidationException", None, "").await;
    receiver.set_mood(Mood::Hangup);
    let error = sink(&aws, eventbridge()).tell(&telling(claim(&life("7d1c"), 0, None).unwrap())).await.unwrap_err();
    assert_eq!(rests(&error), (Some(Scope::Sink), None), "{error}");
}

/// A topic that delivers to a queue.
async fn topic(aws: &Aws, name: &str, policy: Option<&str>) -> (AwsSink, Queue) {
    let queue = Queue::new(aws, name).await;
    let sns = aws_sdk_sns::Client::new(aws.own());
    let mut made = sns.create_topic().name(name);
    if name.ends_with(".fifo") {
        made = made.attributes("FifoTopic", "true");
    }
    let topic_arn = made.send().await.unwrap().topic_arn.unwrap();
    let mut subscribe = sns.subscribe().topic_arn(&topic_arn).protocol("sqs").endpoint(queue.arn());
    if let Some(policy) = policy {
        subscribe = subscribe.attributes("FilterPolicy", policy);
    }
    subscribe.send().await.unwrap();
    (AwsSink::Sns { topic_arn }, queue)
}

#[tokio::test]
async fn sns_delivers_what_subscriptions_filter_for() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let policy = json!({ "severity": ["critical"], "status": ["firing"] }).to_string();
    let (kind, queue) = topic(&aws, "alerts", Some(&policy)).await;
    let sink = sink(&aws, kind);
    let low = Alert { severity: Severity::Low, ..alert("low") };
    sink.tell(&telling(claim(&[(ChangeKind::Fired, low)], 0, None).unwrap())).await.unwrap();
    let states = life("7d1c");
    let told = sink.tell(&telling(claim(&states, 0, None).unwrap())).await.unwrap();
    assert!(told.reference.is_some());
    assert_eq!((told.through, told.memo, told.requests), (Some(3), None, 3));
    let found = queue.drain(2).await;
    for (message, (_, alert)) in found.iter().zip(&states) {
        let text = message["Message"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json::alert(alert));
        let subject = message["Subject"].as_str().unwrap();
        assert!(subject.starts_with("CRITICAL firing: Security group deleted"), "{subject}");
    }
}

#[tokio::test]
async fn sns_keeps_the_order_and_drops_repeats_where_the_topic_does() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let (kind, queue) = topic(&aws, "alerts.fifo", None).await;
    let sink = sink(&aws, kind);
    let states = life("7d1c");
    let told = telling(claim(&states, 0, None).unwrap());
    sink.tell(&told).await.unwrap();
    sink.tell(&told).await.unwrap();
    let last = Alert { event_count: 99, ..alert("7d1c") };
    let after = [states.clone(), vec![(ChangeKind::Fired, last)]].concat();
    sink.tell(&telling(claim(&after, 3, None).unwrap())).await.unwrap();
    let counts = queue.drain(4).await.into_iter().map(|message| {
        let alert: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
        (alert["status"].as_str().unwrap().to_owned(), alert["event_count"].as_u64().unwrap())
    });
    let expected = [("firing", 1), ("firing", 2), ("resolved", 2), ("firing", 99)];
    assert_eq!(counts.collect::<Vec<_>>(), expected.map(|(status, count)| (status.to_owned(), count)));
}

#[tokio::test]
async fn sns_takes_hostile_alerts_within_its_limits() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let (kind, queue) = topic(&aws, "alerts", None).await;
    let sink = sink(&aws, kind);
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    for number in 0..HOSTILE_ALERTS {
        let alert = hostile(&mut StdRng::seed_from_u64(seed.wrapping_add(number)));
        let alert = Alert { status: Status::Firing, ..alert };
        let told = sink.tell(&telling(claim(&[(ChangeKind::Fired, alert.clone())], 0, None).unwrap())).await;
        told.unwrap_or_else(|error| panic!("seed {seed}, alert {number}: {error}"));
        let found = queue.drain(1).await;
        let subject = found[0]["Subject"].as_str().unwrap();
        assert!(subject.len() <= 100 && subject.chars().all(|one| one == ' ' || one.is_ascii_graphic()), "{subject:?}");
        let told: Value = serde_json::from_str(found[0]["Message"].as_str().unwrap()).unwrap();
        assert_eq!(told["severity"], alert.severity.as_str(), "seed {seed}, alert {number}");
    }
}

/// The findings that Security Hub has.
async fn findings(emulator: &Emulator) -> Vec<Value> {
    let client = reqwest::Client::new();
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={}/20261118/{REGION}/securityhub/aws4_request", ACCESS_KEY.0);
    let request = client.post(format!("{}/findings", emulator.url)).header("authorization", authorization);
    let answer = request.body("{}").send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["Findings"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn security_hub_has_one_finding_for_an_alert_and_updates_it() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let sink = sink(&aws, AwsSink::SecurityHub { region: None });
    let states = life("7d1c");
    let mut memo = None;
    let mut updated = String::new();
    for told in 0..3_usize {
        let claim = claim(&states[..=told], u32::try_from(told).unwrap(), memo.as_deref()).unwrap();
        let answer = sink.tell(&telling(claim)).await.unwrap();
        memo = answer.memo;
        let found = findings(&emulator).await;
        let [finding] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((&finding["Id"], &finding["AwsAccountId"]), (&json!("7d1c"), &json!(ACCOUNT)));
        let state = if told < 2 { "ACTIVE" } else { "ARCHIVED" };
        assert_eq!(finding["RecordState"], state, "{finding:#}");
        assert_eq!(finding["ProductFields"]["bedrock-watch/eventCount"], if told == 0 { "1" } else { "2" });
        assert_eq!(finding["Resources"][0]["Type"], "AwsEc2SecurityGroup");
        let time = finding["UpdatedAt"].as_str().unwrap().to_owned();
        assert!(time > updated, "{time} after {updated}");
        updated = time;
    }
}

#[tokio::test]
async fn security_hub_takes_hostile_alerts() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let sink = sink(&aws, AwsSink::SecurityHub { region: None });
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    for number in 0..HOSTILE_ALERTS {
        let alert = hostile(&mut StdRng::seed_from_u64(seed.wrapping_add(number)));
        let alert = Alert { id: format!("id-{number}"), status: Status::Firing, ..alert };
        let told = sink.tell(&telling(claim(&[(ChangeKind::Fired, alert)], 0, None).unwrap())).await;
        told.unwrap_or_else(|error| panic!("seed {seed}, alert {number}: {error}"));
    }
    for finding in findings(&emulator).await {
        assert!(finding.to_string().len() <= 240_000);
        for (pointer, most) in [("/Title", 256), ("/Description", 1_024), ("/Resources/0/Id", 512)] {
            let length = finding.pointer(pointer).and_then(Value::as_str).unwrap().chars().count();
            assert!((1..=most).contains(&length), "{pointer} has {length} characters");
        }
    }
}

/// Security Hub as it answers when it is not enabled, or does not take a finding; STS as it always does.
fn unwilling(request: &Request, _: usize) -> (u16, String) {
    if request.path != "/findings/import" {
        let identity = format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{ACCOUNT}:user/x</Arn><UserId>X</UserId><Account>{ACCOUNT}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        return (200, identity);
    }
    let error = |code: &str| json!({ "__type": code, "Message": "because" }).to_string();
    let id = request.body["Findings"][0]["Id"].as_str();
    match id {
        Some("disabled") => (401, error("InvalidAccessException")),
        Some("fast") => (429, error("LimitExceededException")),
        Some("broken") => (500, error("InternalException")),
        _ => {
            let failed = json!([{ "Id": id, "ErrorCode": "InvalidInput", "ErrorMessage": "no such type" }]);
            (200, json!({ "FailedCount": 1, "SuccessCount": 0, "FailedFindings": failed }).to_string())
        }
    }
}

#[tokio::test]
async fn security_hub_says_why_it_does_not_take_a_finding() {
    let receiver = Receiver::start(unwilling).await.unwrap();
    let sink = sink(&to(&receiver).await, AwsSink::SecurityHub { region: None });
    let check = async |id: &str, expected: Option<Scope>, hint: &str| {
        let error = sink.tell(&telling(claim(&[(ChangeKind::Fired, alert(id))], 0, None).unwrap())).await.unwrap_err();
        assert_eq!(rests(&error), (expected, None), "{id}: {error}");
        assert!(error.to_string().contains(hint), "{id}: {error}");
        assert!(!error.to_string().contains(ACCESS_KEY.1));
    };
    check("disabled", Some(Scope::Sink), "must be enabled").await;
    check("fast", Some(Scope::Sink), "LimitExceededException").await;
    check("broken", Some(Scope::Sink), "InternalException").await;
    check("wrong", None, "no such type").await;
    let signed = receiver.requests().into_iter().filter(|request| request.path == "/findings/import");
    for request in signed {
        let authorization = request.header("authorization").unwrap_or_default().to_owned();
        assert!(authorization.contains("/securityhub/aws4_request"), "{authorization}");
    }
}
