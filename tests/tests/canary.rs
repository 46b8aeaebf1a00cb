//! The canary, end to end: the daemon puts it on the bus, a rule forwards it, it comes back as a record; when the rule is
//! switched off the alert `detector-blind` fires, and it resolves when canaries are back.
//!
//! The way from the rule to the daemon is a queue that this test empties into the daemon's HTTP source. The second test
//! stops and changes what is before the bus: the trail and the rule's pattern, of which no canary knows.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "all of it is a test, its helpers too")]

use std::{io::Write, sync::Arc, time::Duration};

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector};
use aws_sdk_eventbridge::types::{RuleState, Target};
use bedrock_watch_aws::Aws;
use bedrock_watch_service::{
    config::Config,
    daemon::{Daemon, Surroundings},
    format::{Colour, Format},
    pipeline::Clock,
};
use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, REGION},
    repository::{compiled, rule_pack},
};
use serde_json::Value;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the daemon's counters are read.
const LOOK: Duration = Duration::from_millis(200);
const RULE: &str = "bedrock-watch-canary";
/// Everything that is needed, canaries included; and too little of it.
const EVERYTHING: &str = r#"{"source":[{"prefix":"aws."},"bedrock-watch.canary"]}"#;
const NARROWER: &str = r#"{"source":["aws.ec2","bedrock-watch.canary"]}"#;

/// Standard output, line by line.
struct Lines {
    begun: Vec<u8>,
    to: UnboundedSender<String>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            // The test may have seen enough.
            drop(self.to.send(String::from_utf8_lossy(&line).into_owned()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn next(alerts: &mut UnboundedReceiver<String>) -> Value {
    let line = timeout(DEADLINE, alerts.recv()).await.expect("an alert in time").expect("a daemon that runs");
    serde_json::from_str(&line).expect("alerts are JSON")
}

/// Posts what arrives in the queue to the daemon until it is told to stop.
async fn forward(sqs: aws_sdk_sqs::Client, queue: String, url: String, stop: CancellationToken) {
    let http = reqwest::Client::new();
    while !stop.is_cancelled() {
        let received = sqs.receive_message().queue_url(&queue).max_number_of_messages(10).wait_time_seconds(1);
        for message in received.send().await.unwrap().messages() {
            let body = message.body().unwrap_or_default().to_owned();
            let answer = http.post(&url).body(body).send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            let handle = message.receipt_handle().unwrap_or_default();
            sqs.delete_message().queue_url(&queue).receipt_handle(handle).send().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blindness_is_noticed_and_its_end_too() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    let sqs = aws_sdk_sqs::Client::new(aws.own());
    let queue = sqs.create_queue().queue_name("events").send().await.unwrap().queue_url.unwrap();
    let pattern = r#"{"source":["bedrock-watch.canary"]}"#;
    events.put_rule().name(RULE).event_pattern(pattern).send().await.unwrap();
    let target = Target::builder().id("queue").arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:events")).build().unwrap();
    events.put_targets().rule(RULE).targets(target).send().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{}\"\n[canary]\nenabled = true\n[[source]]\nkind = \"http\"\n\
         [[sink]]\nkind = \"stdout\"\nname = \"stdout\"\nformat = \"json\"\n",
        folder.path().join("store.db").display()
    );
    let mut config = Config::load("test.toml", &text, &|_| None).expect("a good configuration");
    // Shorter than people may configure, and long enough for a busy machine: a canary takes about a second here.
    (config.canary.interval_s, config.canary.within_s) = (11, 10);
    let (to, mut alerts) = unbounded_channel();
    let surroundings = Surroundings {
        stdout: Box::new(Lines { begun: Vec::new(), to }),
        format: Format::Json,
        colour: Colour::Never,
        clock: Clock::wall(),
        cloud: Some(Arc::new(aws.clone())),
    };
    let rules = compiled(&rule_pack().unwrap()).unwrap();
    let daemon = Daemon::start(&config, rules, surroundings).await.unwrap();
    let url = format!("http://{}", daemon.address().unwrap());
    let stop = CancellationToken::new();
    let forwarding = tokio::spawn(forward(sqs, queue, format!("{url}/v1/events"), stop.clone()));
    let running = tokio::spawn(daemon.run(stop.clone().cancelled_owned()));

    wait_for_canary(&url).await;
    events.disable_rule().name(RULE).send().await.unwrap();
    let fired = next(&mut alerts).await;
    assert_eq!((&fired["rule"], &fired["status"]), (&"detector-blind".into(), &"firing".into()), "{fired}");
    assert_eq!((&fired["severity"], &fired["account"]), (&"critical".into(), &ACCOUNT.into()), "{fired}");
    let ready = reqwest::get(format!("{url}/readyz")).await.unwrap();
    assert_eq!(ready.status(), 503, "a daemon that is blind does not protect");

    events.enable_rule().name(RULE).send().await.unwrap();
    let resolved = next(&mut alerts).await;
    assert_eq!((&resolved["id"], &resolved["status"]), (&fired["id"], &"resolved".into()), "{resolved}");
    assert!(resolved["facts"]["seconds"].as_u64().is_some(), "{resolved}");

    stop.cancel();
    forwarding.await.unwrap();
    running.await.unwrap().unwrap();
    let called = aws.calls().counted();
    assert!(called.contains_key(&("EventBridge".to_owned(), "PutEvents".to_owned())), "{called:?}");
}

/// What the second test needs: a trail that logs everything, and a rule that leads everything to a queue.
async fn set_up_way(aws: &Aws) -> String {
    let own = aws.own();
    let bucket = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(own).force_path_style(true).build());
    s3.create_bucket().bucket("trail").create_bucket_configuration(bucket).send().await.unwrap();
    let trails = aws_sdk_cloudtrail::Client::new(own);
    let create = trails.create_trail().name("all").s3_bucket_name("trail").is_multi_region_trail(true);
    create.send().await.unwrap();
    let field = AdvancedFieldSelector::builder().field("eventCategory").equals("Management").build().unwrap();
    let management = AdvancedEventSelector::builder().name("management").field_selectors(field).build().unwrap();
    trails.put_event_selectors().trail_name("all").advanced_event_selectors(management).send().await.unwrap();
    trails.start_logging().name("all").send().await.unwrap();
    let queue = aws_sdk_sqs::Client::new(own).create_queue().queue_name("events").send().await.unwrap();
    let events = aws_sdk_eventbridge::Client::new(own);
    put_rule(&events, EVERYTHING).await;
    let target = Target::builder().id("queue").arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:events")).build().unwrap();
    events.put_targets().rule(RULE).targets(target).send().await.unwrap();
    queue.queue_url.unwrap()
}

async fn put_rule(events: &aws_sdk_eventbridge::Client, pattern: &str) {
    let put = events.put_rule().name(RULE).event_pattern(pattern);
    put.state(RuleState::EnabledWithAllCloudtrailManagementEvents).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_way_that_is_stopped_or_changed_is_noticed_and_its_end_too() {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let queue = set_up_way(&aws).await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[http]\nenabled = false\n[store]\npath = \"{}\"\n[inventory]\nmode = \"off\"\n[canary]\nenabled = true\n\
         [[source]]\nkind = \"sqs\"\nqueue_url = \"{queue}\"\n\
         [[sink]]\nkind = \"stdout\"\nname = \"stdout\"\nformat = \"json\"\n",
        folder.path().join("store.db").display()
    );
    let mut config = Config::load("test.toml", &text, &|_| None).expect("a good configuration");
    config.inventory.interval_s = 1;
    let (to, mut alerts) = unbounded_channel();
    let surroundings = Surroundings {
        stdout: Box::new(Lines { begun: Vec::new(), to }),
        format: Format::Json,
        colour: Colour::Never,
        clock: Clock::wall(),
        cloud: Some(Arc::new(aws.clone())),
    };
    let rules = compiled(&rule_pack().unwrap()).unwrap();
    let daemon = Daemon::start(&config, rules, surroundings).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(daemon.run(stop.clone().cancelled_owned()));

    let mut check = async |part: &str, status: &str| {
        let alert = next(&mut alerts).await;
        let said = (&alert["rule"], &alert["facts"]["part"], &alert["status"]);
        assert_eq!(said, (&"detector-blind".into(), &part.into(), &status.into()), "{alert}");
    };
    let trails = aws_sdk_cloudtrail::Client::new(aws.own());
    trails.stop_logging().name("all").send().await.unwrap();
    check("trail", "firing").await;
    trails.start_logging().name("all").send().await.unwrap();
    check("trail", "resolved").await;
    let events = aws_sdk_eventbridge::Client::new(aws.own());
    put_rule(&events, NARROWER).await;
    check("rule", "firing").await;
    put_rule(&events, EVERYTHING).await;
    check("rule", "resolved").await;

    stop.cancel();
    running.await.unwrap().unwrap();
}

/// Waits until a canary was counted.
async fn wait_for_canary(url: &str) {
    let mut looks = tokio::time::interval(LOOK);
    let counted = async {
        loop {
            looks.tick().await;
            let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
            let line = metrics.lines().find(|line| line.contains("canaries_total") && !line.starts_with('#'));
            if line.is_some_and(|line| !line.ends_with(" 0")) {
                return;
            }
        }
    };
    timeout(DEADLINE, counted).await.expect("a canary in time");
}
