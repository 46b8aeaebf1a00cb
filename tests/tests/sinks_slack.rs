//! Slack: what a bot and an incoming webhook post, in a Slack that nobody here wrote, read back with Slack's client.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status as Standing};
use bedrock_watch_service::{
    config::{
        Secret,
        delivery::{GroupBy, RoutingConfig, SinkConfig, SinkKind, SlackAccess},
    },
    format::{Colour, Format},
    sink::{Surroundings, Workers, start_all},
    status::Status,
    store::{Change, Commit, Destination, Resolution, Store},
};
use bedrock_watch_tests::{
    peers,
    receivers::{
        alerts::{alert, change, resolved},
        fake::BRISK,
        memory_store::MemoryStore,
        server::{Mood, Receiver, Request},
    },
};
use serde_json::Value;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

fn slack(name: &str, access: SlackAccess) -> SinkConfig {
    let pace = bedrock_watch_service::config::delivery::Pace { timeout_ms: 2_000, backoff_max_s: 1, ..BRISK };
    SinkConfig { name: name.to_owned(), pace, kind: SinkKind::Slack { access, group_by: GroupBy::Alert } }
}

fn bot(url: &str) -> SlackAccess {
    let token = Secret::new("xoxb-0-s3cret".to_owned());
    SlackAccess::Bot { token, channel: "general".to_owned(), api_url: format!("{url}/api/") }
}

fn hook(url: &str) -> SlackAccess {
    SlackAccess::Webhook { url: Secret::new(format!("{url}/services/T000000001/B000000001/s3cret")) }
}

/// Slack sinks at work, with a store.
struct Bench {
    store: Arc<dyn Store>,
    workers: Workers,
    sinks: Vec<String>,
}

#[cfg(test)]
impl Bench {
    fn start(configs: &[SinkConfig]) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let surroundings =
            Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, Status::default());
        let workers = start_all(configs, &RoutingConfig::default(), &store, surroundings).unwrap();
        Self { store, workers, sinks: configs.iter().map(|config| config.name.clone()).collect() }
    }

    /// Commits a change and waits until every sink heard of it.
    async fn tell(&self, kind: ChangeKind, alert: &Alert) {
        let sinks: Vec<&str> = self.sinks.iter().map(String::as_str).collect();
        self.commit(vec![change(kind, alert, &sinks)]).await;
    }

    async fn commit(&self, changes: Vec<Change>) {
        self.store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
        self.settled().await;
    }

    async fn settled(&self) {
        self.workers.nudge();
        let waits = async {
            for sink in &self.sinks {
                while self.store.waiting(sink).await.unwrap().alerts > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waits).await.expect("everything is told");
        assert_eq!(self.store.dead_letters(9).await.unwrap(), []);
    }
}

/// The text of all blocks.
fn words(message: &Value) -> String {
    message["blocks"].to_string()
}

#[tokio::test]
async fn a_bot_keeps_one_message_for_an_alert_and_tells_its_story_in_the_thread() {
    let python = peers::python(SCRATCH).unwrap();
    let slack_app = peers::slack(SCRATCH).await.unwrap();
    let bench = Bench::start(&[slack("bot", bot(&slack_app.url))]);
    let high = Alert { severity: Severity::High, ..alert("one") };
    bench.tell(ChangeKind::Fired, &high).await;
    bench.tell(ChangeKind::Updated, &Alert { event_count: 2, ..high.clone() }).await;
    let worse = Alert { event_count: 4, ..alert("one") };
    bench.tell(ChangeKind::Updated, &worse).await;
    bench.tell(ChangeKind::Fired, &alert("two")).await;
    bench.tell(ChangeKind::Resolved, &resolved(&worse)).await;
    // Counted on after its end, which is no news.
    bench.tell(ChangeKind::Resolved, &resolved(&Alert { event_count: 9, ..worse })).await;
    let by = Resolution { author: "ada".to_owned(), reason: "a planned `migration`".to_owned() };
    bench.store.resolve("two", &by, jiff::Timestamp::now()).await.unwrap();
    bench.settled().await;

    let read =
        peers::script(&python, "read_slack.py", &[&format!("{}/api/", slack_app.url), "general"], "").await.unwrap();
    let threads: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours: Vec<&Value> = threads.iter().filter(|one| words(&one["message"]).contains("rule `")).collect();
    assert_eq!(ours.len(), 2, "one message for each alert: {read}");
    let (first, second) = (&ours[0]["message"], &ours[1]["message"]);
    assert!(first["text"].as_str().unwrap().starts_with("✅ resolved (critical)"), "{first}");
    assert!(words(first).contains("*Resolved.*") && words(first).contains("9 events"), "it was edited: {first}");
    assert!(words(second).contains("*Resolved* by `ada`: `a planned ˋmigrationˋ`"), "{second}");
    let notes = |thread: &Value| thread["thread"].as_array().unwrap().iter().map(words).collect::<Vec<_>>();
    let (one, two) = (notes(ours[0]), notes(ours[1]));
    assert!(one.len() == 2 && one[0].contains("*Now critical.*") && one[1].contains("*Resolved.*"), "{one:?}");
    assert!(two.len() == 1 && two[0].contains("by `ada`"), "{two:?}");
}

#[tokio::test]
async fn an_incoming_webhook_posts_each_transition_and_no_count() {
    let python = peers::python(SCRATCH).unwrap();
    let slack_app = peers::slack(SCRATCH).await.unwrap();
    let bench = Bench::start(&[slack("hook", hook(&slack_app.url))]);
    let high = Alert { severity: Severity::High, ..alert("one") };
    bench.tell(ChangeKind::Fired, &high).await;
    for event_count in [2, 4, 8] {
        bench.tell(ChangeKind::Updated, &Alert { event_count, ..high.clone() }).await;
    }
    bench.tell(ChangeKind::Updated, &alert("one")).await;
    bench.tell(ChangeKind::Resolved, &resolved(&alert("one"))).await;
    bench.tell(ChangeKind::Resolved, &resolved(&Alert { event_count: 9, ..alert("one") })).await;
    let read =
        peers::script(&python, "read_slack.py", &[&format!("{}/api/", slack_app.url), "general"], "").await.unwrap();
    let texts: Vec<String> = read
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone())
        .filter(|message| words(message).contains("rule `"))
        .map(|message| message["text"].as_str().unwrap().chars().take(12).collect())
        .collect();
    assert_eq!(
        texts,
        ["🟠 HIGH: Secu", "🔴 CRITICAL: ", "✅ resolved (c"].map(|text| text.chars().take(12).collect::<String>())
    );
}

#[tokio::test]
async fn alerts_that_belong_together_are_one_message_and_go_on_in_its_thread() {
    let receiver = Receiver::start(answer).await.unwrap();
    let bench = Bench::start(&[slack("bot", bot(&receiver.url("")))]);
    let grouped = |id: &str| {
        let destination = Destination {
            sink: "bot".to_owned(),
            not_before: None,
            group: Some("g".to_owned()),
            skip_if_undone: false,
        };
        let high = Alert { severity: Severity::High, ..alert(id) };
        Change { destinations: vec![destination], ..change(ChangeKind::Fired, &high, &[]) }
    };
    bench.commit(vec![grouped("one"), grouped("two"), grouped("three")]).await;
    let digest = receiver.requests();
    assert_eq!(digest.len(), 1);
    let text = words(&digest[0].body);
    assert!(["3 alerts", "`one`", "`two`", "`three`"].iter().all(|part| text.contains(part)), "{text}");

    let over = resolved(&Alert { severity: Severity::High, ..alert("two") });
    bench.tell(ChangeKind::Resolved, &over).await;
    let requests = receiver.requests();
    assert_eq!((requests.len(), requests[1].path.as_str()), (2, "/api/chat.postMessage"));
    assert_eq!(requests[1].body["thread_ts"], "1.000000", "the digest's thread");
    assert!(words(&requests[1].body).contains("`two`"));
}

#[tokio::test]
async fn a_message_that_may_be_there_already_says_so() {
    // What the first answer is, and whether the second message must be marked.
    let check = async |mood: Mood, marked: bool| {
        let receiver = Receiver::start(answer).await.unwrap();
        receiver.set_mood(mood.clone());
        let bench = Bench::start(&[slack("bot", bot(&receiver.url("")))]);
        let one = alert("one");
        let told = bench.tell(ChangeKind::Fired, &one);
        let recovers = async {
            while receiver.requests().is_empty() && bench.workers.counters()[0].counted.failed == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            receiver.set_mood(Mood::Well);
        };
        tokio::join!(told, recovers);
        let created = receiver.taken();
        assert_eq!(created.len(), 1);
        assert_eq!(words(&created[0].body).contains("Possible repeat"), marked, "{mood:?}");
    };
    check(Mood::Half, true).await;
    check(Mood::Silence, true).await;
    check(Mood::Status(500, None), true).await;
    check(Mood::Status(429, Some(0)), false).await;
    check(Mood::Status(503, None), false).await;
}

#[tokio::test]
async fn what_slack_says_is_understood() {
    // What Slack says, the dead letter's error if it will not change its mind, and the requests that were made.
    let check = async |answer: bedrock_watch_tests::receivers::server::Answer, dead: Option<&str>, requests: usize| {
        let receiver = Receiver::start(answer).await.unwrap();
        let bench = Bench::start(&[slack("bot", bot(&receiver.url("")))]);
        let changes = vec![change(ChangeKind::Fired, &alert("one"), &["bot"])];
        bench.store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
        bench.workers.nudge();
        let waits = async {
            while bench.store.waiting("bot").await.unwrap().alerts > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waits).await.expect("told or given up");
        let letters = bench.store.dead_letters(9).await.unwrap();
        assert_eq!(letters.first().map(|letter| letter.error.as_str()), dead);
        assert_eq!(receiver.requests().len(), requests);
        assert_eq!(receiver.requests()[0].header("authorization"), Some("Bearer xoxb-0-s3cret"));
    };
    check(
        |_, _| (200, r#"{"ok":false,"error":"channel_not_found"}"#.to_owned()),
        Some("Slack said channel_not_found"),
        1,
    )
    .await;
    check(|_, _| (200, r#"{"ok":false,"error":"invalid_auth"}"#.to_owned()), Some("Slack said invalid_auth"), 1).await;
    check(|_, number| refused_once(number, "ratelimited"), None, 2).await;
    check(|_, number| refused_once(number, "internal_error"), None, 2).await;
    // Plain words rather than nothing.
    check(|_, number| refused_once(number, "invalid_blocks"), None, 2).await;
}

fn refused_once(number: usize, error: &str) -> (u16, String) {
    match number {
        1 => (200, format!(r#"{{"ok":false,"error":"{error}"}}"#)),
        _ => (200, r#"{"ok":true,"channel":"C1","ts":"1.0"}"#.to_owned()),
    }
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_posted_anew() {
    let receiver = Receiver::start(|request, number| match request.path.as_str() {
        "/api/chat.update" => (200, r#"{"ok":false,"error":"message_not_found"}"#.to_owned()),
        _ => (200, format!(r#"{{"ok":true,"channel":"C1","ts":"{number}.0"}}"#)),
    });
    let receiver = receiver.await.unwrap();
    let bench = Bench::start(&[slack("bot", bot(&receiver.url("")))]);
    bench.tell(ChangeKind::Fired, &alert("one")).await;
    bench.tell(ChangeKind::Updated, &Alert { event_count: 2, ..alert("one") }).await;
    let paths: Vec<String> = receiver.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/api/chat.postMessage", "/api/chat.update", "/api/chat.postMessage"]);
}

#[tokio::test]
async fn what_was_withdrawn_before_anybody_heard_is_not_told() {
    let receiver = Receiver::start(answer).await.unwrap();
    let bench = Bench::start(&[slack("bot", bot(&receiver.url("")))]);
    let withdrawn = Alert { status: Standing::Withdrawn, ..alert("one") };
    let both = vec![change(ChangeKind::Fired, &alert("one"), &["bot"]), change(ChangeKind::Withdrawn, &withdrawn, &[])];
    bench.commit(both).await;
    assert!(receiver.requests().is_empty());
}

fn answer(_: &Request, number: usize) -> (u16, String) {
    (200, format!(r#"{{"ok":true,"channel":"C1","ts":"{number}.000000"}}"#))
}
