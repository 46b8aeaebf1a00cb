//! SQS as a source, against moto: a message is deleted when what it holds is stored and not before, comes again after a
//! crash, and is left for the dead-letter queue when it is of no use.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::types::QueueAttributeName;
use bedrock_watch_aws::Aws;
use bedrock_watch_engine::rule::RuleSet;
use bedrock_watch_service::{
    cloud::{Attached, Cloud as _},
    config::{Config, SourceConfig, aws::SqsSource},
    daemon::{Daemon, Surroundings},
    format::{Colour, Format},
    pipeline::Clock,
    source::{Batch, Intake, Kept, Outcome},
    status::Status,
    store::AlertFilter,
};
use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, REGION},
    receivers::server::{Receiver, Request},
    repository::{compiled, rule_pack},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const DEADLINE: Duration = Duration::from_secs(90);
const RECORDING: &str = include_str!("../../detector/cli/demo/afternoon.jsonl");

/// Waits until `condition` holds.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waits = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waits).await.unwrap_or_else(|_| panic!("it never came to pass that {what}"));
}

#[derive(Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    async fn new(aws: &Aws, name: &str, dead_letters: Option<&str>) -> Self {
        let client = aws_sdk_sqs::Client::new(aws.own());
        let mut made = client.create_queue().queue_name(name);
        if let Some(dead_letters) = dead_letters {
            let target = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{dead_letters}");
            let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": 2 }).to_string();
            made = made.attributes(QueueAttributeName::RedrivePolicy, policy);
        }
        let url = made.send().await.unwrap().queue_url.unwrap();
        Self { client, url }
    }

    async fn send(&self, body: &str) {
        self.client.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }

    /// Messages that can be received, and messages that are hidden.
    async fn counts(&self) -> (u32, u32) {
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(QueueAttributeName::All);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        let count = |name: QueueAttributeName| attributes[&name].parse().unwrap();
        (
            count(QueueAttributeName::ApproximateNumberOfMessages),
            count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }
}

/// The source, and a loop that the test plays.
struct Source {
    batches: mpsc::Receiver<Batch>,
    status: Status,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Source {
    fn attach(aws: &Aws, url: &str, visibility_s: u32) -> Self {
        let (intake, batches) = Intake::queue("test", 100);
        let (status, tracker, stop) = (Status::default(), TaskTracker::new(), CancellationToken::new());
        let config = SourceConfig::Sqs(SqsSource { queue_url: url.to_owned(), visibility_s });
        let attached = Attached {
            intake,
            positions: BTreeMap::new(),
            ahead: BTreeMap::new(),
            status: status.clone(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        aws.attach(&config, attached).unwrap();
        tracker.close();
        Self { batches, status, tracker, stop }
    }

    async fn next(&mut self) -> (Batch, Vec<String>) {
        let batch = tokio::time::timeout(DEADLINE, self.batches.recv()).await.unwrap().unwrap();
        assert_eq!((batch.kept.clone(), &*batch.source), (Kept::Journal, "sqs events"));
        let records = batch.records.iter().map(|record| String::from_utf8(record.to_vec()).unwrap()).collect();
        (batch, records)
    }

    async fn end(self) {
        self.stop.cancel();
        drop(self.batches);
        tokio::time::timeout(DEADLINE, self.tracker.wait()).await.unwrap();
    }
}

/// Says that everything in a batch is stored, or that nothing in it was an event.
fn answer(batch: Batch, is_event: bool) {
    let count = u64::try_from(batch.records.len()).unwrap();
    let rejected = u64::try_from(batch.records.rejected.len()).unwrap();
    let outcome = if is_event {
        Outcome { accepted: count, rejected }
    } else {
        Outcome { accepted: 0, rejected: count + rejected }
    };
    batch.reply.unwrap().send(outcome).unwrap();
}

#[tokio::test]
async fn a_message_is_deleted_once_it_is_stored() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = Queue::new(&aws, "events", None).await;
    let mut source = Source::attach(&aws, &queue.url, 60);
    let wrapped = json!({ "Type": "Notification", "TopicArn": "arn:t", "Message": "{\"a\":2}" }).to_string();
    let bodies = ["{\"a\":1}", wrapped.as_str(), "{\"a\":3}\n{\"a\":4}"];
    for body in bodies {
        queue.send(body).await;
    }
    let (mut held, mut seen) = (Vec::new(), BTreeSet::new());
    while held.len() < bodies.len() {
        let (batch, records) = source.next().await;
        seen.extend(records);
        held.push(batch);
    }
    let expected = ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(expected));
    assert_eq!(queue.counts().await, (0, 3), "nothing is deleted before it is stored");
    held.into_iter().for_each(|batch| answer(batch, true));
    until("all is deleted", || async { queue.counts().await == (0, 0) }).await;
    source.end().await;
}

#[tokio::test]
async fn a_message_stays_hidden_while_it_is_judged() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = Queue::new(&aws, "events", None).await;
    let mut source = Source::attach(&aws, &queue.url, 4);
    queue.send("{}").await;
    let (held, _) = source.next().await;
    // More than twice as long as it is hidden at a time: only another message comes meanwhile.
    let other = tokio::time::timeout(Duration::from_secs(10), source.batches.recv()).await;
    assert!(other.is_err(), "it came again while it was being judged");
    answer(held, true);
    until("it is deleted", || async { queue.counts().await == (0, 0) }).await;
    source.end().await;
}

#[tokio::test]
async fn what_a_crash_left_comes_again() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = Queue::new(&aws, "events", None).await;
    queue.send("{\"a\":1}").await;
    let url = queue.url.clone();
    // Its connections end with its runtime, so it shares none.
    let crashing = emulator.aws().await;
    // A runtime that is thrown away takes every task with it, as a crash does.
    let records = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let records = runtime.block_on(async {
            let mut source = Source::attach(&crashing, &url, 2);
            source.next().await.1
        });
        runtime.shutdown_background();
        records
    });
    assert_eq!(records.await.unwrap(), ["{\"a\":1}"]);
    assert_eq!(queue.counts().await, (0, 1));
    let mut source = Source::attach(&aws, &queue.url, 60);
    let (batch, records) = source.next().await;
    assert_eq!(records, ["{\"a\":1}"]);
    answer(batch, true);
    until("it is deleted", || async { queue.counts().await == (0, 0) }).await;
    source.end().await;
}

#[tokio::test]
async fn at_the_end_what_is_not_stored_is_given_back() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = Queue::new(&aws, "events", None).await;
    let mut source = Source::attach(&aws, &queue.url, 600);
    queue.send("{}").await;
    let (held, _) = source.next().await;
    assert_eq!(queue.counts().await, (0, 1));
    // The loop ends without having judged it.
    source.stop.cancel();
    drop(held);
    source.end().await;
    assert_eq!(queue.counts().await, (1, 0), "it can be received at once");
}

#[tokio::test]
async fn what_is_no_event_goes_to_the_dead_letters_or_away() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    for has_dead_letters in [true, false] {
        let name = if has_dead_letters { "dead" } else { "unused" };
        let dead = Queue::new(&aws, name, None).await;
        let queue = Queue::new(&aws, "events", has_dead_letters.then_some(name)).await;
        let mut source = Source::attach(&aws, &queue.url, 1);
        // One that is not even JSON, and one that the engine does not take for an event.
        queue.send("hello").await;
        queue.send("{\"no\":\"event\"}").await;
        let judging = async {
            loop {
                let (batch, _) = source.next().await;
                answer(batch, false);
            }
        };
        let done = until("they are gone", || async { queue.counts().await == (0, 0) });
        tokio::select! {
            () = judging => {}
            () = done => {}
        }
        assert_eq!(dead.counts().await.0, if has_dead_letters { 2 } else { 0 });
        source.end().await;
        queue.client.delete_queue().queue_url(&queue.url).send().await.unwrap();
    }
}

/// SQS that answers as the path of the queue's address says.
fn unwilling(request: &Request, _: usize) -> (u16, String) {
    let url = request.body["QueueUrl"].as_str().unwrap_or_default().to_owned();
    let code = url.rsplit('/').next().unwrap_or_default();
    (400, json!({ "__type": code, "message": "because" }).to_string())
}

#[tokio::test]
async fn a_queue_that_does_not_answer_is_named_and_not_asked_too_often() {
    let receiver = Receiver::start(unwilling).await.unwrap();
    let config = bedrock_watch_service::config::aws::AwsConfig {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(receiver.url("")),
        operation_timeout_ms: 10_000,
        ..Default::default()
    };
    let aws = Aws::connect_as(&config, &Default::default(), emulators::ACCESS_KEY).await.unwrap();
    for (code, hint) in [
        ("AWS.SimpleQueueService.NonExistentQueue", "is queue_url right"),
        ("AccessDeniedException", "sqs:ReceiveMessage"),
        ("RequestThrottled", "RequestThrottled"),
    ] {
        let before = receiver.requests().len();
        let source = Source::attach(&aws, &receiver.url(&format!("/{ACCOUNT}/{code}")), 60);
        until(code, || async {
            let reasons = source.status.reasons();
            reasons.values().any(|reason| reason.contains(code) && reason.contains(hint))
        })
        .await;
        source.end().await;
        // A few at once, each with the SDK's own attempts, and then pauses.
        let asked = receiver.requests().len() - before;
        assert!(asked <= 40, "{code}: asked {asked} times");
    }
}

/// Standard output that the test reads.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rules() -> Arc<RuleSet> {
    compiled(&rule_pack().unwrap()).unwrap()
}

/// The whole way: EventBridge puts events into the queue, and the daemon raises what the recording must raise.
#[tokio::test]
async fn the_daemon_raises_alerts_from_a_queue() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = Queue::new(&aws, "events", None).await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("watch.db");
    let text = format!(
        "[aws]\nregion = \"{REGION}\"\nendpoint_url = \"{}\"\n[inventory]\nmode = \"off\"\n[store]\npath = {:?}\n\
         [http]\nenabled = false\n[[source]]\nkind = \"sqs\"\nqueue_url = \"{}\"\n[[sink]]\nkind = \"stdout\"\n",
        emulator.url,
        database.display().to_string(),
        queue.url,
    );
    let config = Config::load("test", &text, &|_| None).unwrap();
    let stdout = Shared::default();
    let surroundings = Surroundings {
        stdout: Box::new(stdout.clone()),
        format: Format::Json,
        colour: Colour::Never,
        clock: Clock::wall(),
        cloud: Some(Arc::new(aws)),
    };
    let daemon = Daemon::start(&config, rules(), surroundings).await.unwrap();
    let store = daemon.store();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let running = tokio::spawn(async move { daemon.run(stopped.cancelled()).await });
    // Several records a message keeps the test short; the engine does not mind.
    let lines: Vec<&str> = RECORDING.lines().collect();
    for chunk in lines.chunks(100) {
        queue.send(&chunk.join("\n")).await;
    }
    let expected: Vec<Value> = serde_json::from_str(include_str!("../../detector/cli/demo/expected.json")).unwrap();
    until("all is stored and deleted", || async { queue.counts().await == (0, 0) }).await;
    let alerts = store.alerts(&AlertFilter::default()).await.unwrap().alerts;
    for wanted in &expected {
        let found = alerts.iter().any(|stored| wanted["rule"] == stored.alert.rule.as_str());
        assert!(found, "{} is missing", wanted["rule"]);
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    let told = String::from_utf8(stdout.0.lock().unwrap().clone()).unwrap();
    assert!(told.contains("customization-job-security-group-deleted"), "{told}");
}
