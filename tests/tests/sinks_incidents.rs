//! Incidents in Slack and PagerDuty: one message and one page that grow, whoever tells them, and no alert lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, ChangeKind, Severity},
};
use bedrock_watch_service::{
    config::{
        Secret,
        delivery::{GroupBy, Pace, RoutingConfig, SinkConfig, SinkKind, SlackAccess},
    },
    format::{Colour, Format},
    sink::{Surroundings, Workers, start_all},
    status::Status,
    store::{Commit, Store},
};
use bedrock_watch_tests::receivers::{
    alerts::{START, alert, change, resolved},
    fake::BRISK,
    memory_store::MemoryStore,
    server::{Answer, Mood, Receiver, Request},
    strict,
};
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Slack and PagerDuty: each takes what it documents and refuses the rest. A message's `ts` is its number.
fn both(request: &Request, number: usize) -> (u16, String) {
    match request.path.as_str() {
        "/api/chat.postMessage" | "/api/chat.update" => {
            let wrong = strict::slack(&request.body);
            let body = match wrong.is_empty() {
                true => json!({ "ok": true, "channel": "C1", "ts": format!("{number}.0") }),
                false => json!({ "ok": false, "error": format!("invalid_arguments {wrong:?}") }),
            };
            (200, body.to_string())
        }
        "/v2/enqueue" => {
            let wrong = strict::pagerduty(&request.body, request.raw.len());
            let status = if wrong.is_empty() { 202 } else { 400 };
            (status, json!({ "status": "success", "errors": wrong }).to_string())
        }
        _ => (404, String::new()),
    }
}

struct Bench {
    store: Arc<dyn Store>,
    receiver: Receiver,
    workers: Vec<Workers>,
    sink: &'static str,
}

#[cfg(test)]
impl Bench {
    /// So many processes that share a store, each with this sink.
    async fn start(sink: &'static str, processes: usize) -> Self {
        Self::answered(sink, processes, both).await
    }

    async fn answered(sink: &'static str, processes: usize, answer: Answer) -> Self {
        let receiver = Receiver::start(answer).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let pace = Pace { timeout_ms: 1_000, backoff_max_s: 1, ..BRISK };
        let group_by = GroupBy::Incident;
        let kind = if sink == "pd" {
            let routing_key = Secret::new(KEY.to_owned());
            SinkKind::PagerDuty { routing_key, url: receiver.url("/v2/enqueue"), group_by }
        } else {
            let token = Secret::new("xoxb-0-s3cret".to_owned());
            let access = SlackAccess::Bot { token, channel: "C1".to_owned(), api_url: receiver.url("/api/") };
            SinkKind::Slack { access, group_by }
        };
        let config = SinkConfig { name: sink.to_owned(), pace, kind };
        let process = || {
            let surroundings =
                Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, Status::default());
            start_all(std::slice::from_ref(&config), &RoutingConfig::default(), &store, surroundings).unwrap()
        };
        let workers = (0..processes).map(|_| process()).collect();
        Self { store, receiver, workers, sink }
    }

    async fn commit(&self, changes: &[(ChangeKind, Alert)]) {
        let changes = changes.iter().map(|(kind, alert)| change(*kind, alert, &[self.sink])).collect();
        self.store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
        for workers in &self.workers {
            workers.nudge();
        }
    }

    /// Commits changes, and waits until all is told and nothing was given up.
    async fn tell(&self, changes: &[(ChangeKind, Alert)]) {
        self.commit(changes).await;
        let waits = async {
            while self.store.waiting(self.sink).await.unwrap().alerts > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waits).await.expect("everything is told");
        assert_eq!(self.store.dead_letters(9).await.unwrap(), []);
    }

    fn slack(&self) -> Channel {
        Channel::of(&self.receiver.requests())
    }

    /// The action, key and severity of each event that PagerDuty took.
    fn pages(&self) -> Vec<String> {
        let event = |request: &Request| {
            let text = |pointer: &str| request.body.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
            format!("{} {} {}", text("/event_action"), text("/dedup_key"), text("/payload/severity"))
        };
        self.receiver.taken().iter().map(event).collect()
    }
}

/// What a channel shows: messages by `ts`, and the `ts` of the messages in each thread.
#[derive(Debug, Default)]
struct Channel {
    messages: BTreeMap<String, Value>,
    threads: BTreeMap<String, Vec<String>>,
    aloud: usize,
}

impl Channel {
    fn of(requests: &[Request]) -> Self {
        let mut channel = Self::default();
        for (request, number) in requests.iter().zip(1..).filter(|(request, _)| request.taken) {
            let text = |name: &str| request.body.get(name).and_then(Value::as_str).map(str::to_owned);
            if request.path.ends_with("update") {
                channel.messages.insert(text("ts").unwrap_or_default(), request.body.clone());
                continue;
            }
            let ts = format!("{number}.0");
            channel.messages.insert(ts.clone(), request.body.clone());
            channel.aloud += usize::from(request.body.get("reply_broadcast") == Some(&Value::Bool(true)));
            match text("thread_ts") {
                Some(root) => channel.threads.entry(root).or_default().push(ts),
                None => drop(channel.threads.entry(ts).or_default()),
            }
        }
        channel
    }

    /// What the messages outside threads show, each with how many are in its thread.
    fn roots(&self) -> Vec<(String, usize)> {
        let shown = |ts: &String| self.messages.get(ts).map(Value::to_string).unwrap_or_default();
        self.threads.iter().map(|(root, replies)| (shown(root), replies.len())).collect()
    }
}

/// An alert by somebody from somewhere.
fn by(id: &str, who: &str, address: &str, severity: Severity) -> Alert {
    let actor = Actor { source_ip: Some(address.to_owned()), ..Actor::default() };
    let time = Second(START + u32::from(id.as_bytes().last().copied().unwrap_or_default()));
    Alert {
        title: format!("Alert {id}"),
        principal: Some(format!("arn:aws:iam::111122223333:user/{who}")),
        actor,
        severity,
        first_event_time: time,
        last_event_time: time,
        facts: serde_json::Map::new(),
        ..alert(id)
    }
}

fn eve(id: &str) -> Alert {
    by(id, "eve", "203.0.113.1", Severity::High)
}

fn fires(alert: Alert) -> (ChangeKind, Alert) {
    (ChangeKind::Fired, alert)
}

fn ends(alert: &Alert) -> (ChangeKind, Alert) {
    (ChangeKind::Resolved, resolved(alert))
}

#[tokio::test]
async fn an_attack_is_one_message_with_a_thread() {
    let bench = Bench::start("bot", 1).await;
    for id in ["a1", "a2", "a3"] {
        bench.tell(&[fires(eve(id))]).await;
    }
    bench.tell(&[fires(Alert { severity: Severity::Critical, ..eve("a4") })]).await;
    bench.tell(&[fires(by("b1", "ada", "203.0.113.9", Severity::Low))]).await;
    let channel = bench.slack();
    let roots = channel.roots();
    assert_eq!(roots.len(), 2, "{roots:#?}");
    assert_eq!(roots.iter().map(|(_, replies)| *replies).collect::<BTreeSet<_>>(), [1, 4].into());
    let (attack, _) = roots.iter().find(|(_, replies)| *replies == 4).unwrap();
    assert!(attack.contains("CRITICAL: Alert a4 by user/eve, and 3 more alerts"), "{attack}");
    assert!(attack.contains("4, 4 firing"), "{attack}");
    assert_eq!(channel.aloud, 1, "only what is worse than before is shown in the channel again");
    let over: Vec<_> = ["a1", "a2", "a3", "a4"].iter().map(|id| ends(&eve(id))).collect();
    bench.tell(&over).await;
    let roots = bench.slack().roots();
    let (attack, replies) = roots.iter().find(|(_, replies)| *replies > 1).unwrap();
    assert!(attack.contains("resolved (high)") || attack.contains("resolved (critical)"), "{attack}");
    assert_eq!(*replies, 8, "each end is in the thread");
}

#[tokio::test]
async fn several_processes_make_one_message() {
    let bench = Bench::start("bot", 3).await;
    let all: Vec<_> = (0..20).map(|number| fires(eve(&format!("a{number:02}")))).collect();
    bench.tell(&all).await;
    let roots = bench.slack().roots();
    assert_eq!(roots.len(), 1, "{roots:#?}");
    assert_eq!(roots[0].1, 20);
    assert!(roots[0].0.contains("20, 20 firing"), "it was brought up to date: {}", roots[0].0);
}

#[tokio::test]
async fn incidents_that_turn_out_to_be_one_go_on_in_the_older_message() {
    let bench = Bench::start("bot", 1).await;
    bench.tell(&[fires(by("a1", "eve", "203.0.113.1", Severity::High))]).await;
    bench.tell(&[fires(by("a2", "mallory", "203.0.113.2", Severity::High))]).await;
    bench.tell(&[fires(by("a3", "eve", "203.0.113.2", Severity::High))]).await;
    let roots = bench.slack().roots();
    assert_eq!(roots.len(), 2, "{roots:#?}");
    let older = roots.iter().find(|(_, replies)| *replies == 2).unwrap();
    assert!(older.0.contains("by 2 principals, and 2 more alerts"), "{older:?}");
    let newer = roots.iter().find(|(_, replies)| *replies == 1).unwrap();
    assert!(newer.0.contains("Part of another incident") && newer.0.contains("i-a1"), "{newer:?}");
    bench.tell(&[fires(by("a4", "mallory", "203.0.113.2", Severity::High))]).await;
    let roots = bench.slack().roots();
    assert!(roots.iter().any(|(_, replies)| *replies == 3), "later alerts join the older: {roots:#?}");
}

#[tokio::test]
async fn a_slack_that_fails_loses_no_alert_and_repeats_only_what_may_have_arrived() {
    for (mood, repeats) in [(Mood::Status(503, None), false), (Mood::Half, true)] {
        let bench = Bench::start("bot", 1).await;
        bench.receiver.set_mood(mood.clone());
        bench.commit(&[fires(eve("a1")), fires(eve("a2"))]).await;
        let came = bench.receiver.wait_until(PATIENCE, |requests| !requests.is_empty()).await;
        assert!(came.is_some());
        bench.receiver.set_mood(Mood::Well);
        bench.tell(&[fires(eve("a3"))]).await;
        let channel = bench.slack();
        let roots = channel.roots();
        assert_eq!((roots.len(), roots[0].1), (1, 3), "{mood:?}: {roots:#?}");
        let taken = bench.receiver.taken();
        let is_root =
            |request: &&Request| request.body.get("thread_ts").is_none() && request.path.ends_with("postMessage");
        let first = taken.iter().find(is_root).unwrap();
        assert_eq!(first.raw.contains("Possible repeat"), repeats, "{mood:?}: {}", first.raw);
    }
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_made_anew() {
    /// The first message is gone by the time anybody answers in its thread.
    fn gone(request: &Request, number: usize) -> (u16, String) {
        let to_the_first = request.body.get("thread_ts").is_some_and(|ts| ts == "1.0");
        if to_the_first {
            (200, json!({ "ok": false, "error": "thread_not_found" }).to_string())
        } else {
            both(request, number)
        }
    }
    let bench = Bench::answered("bot", 1, gone).await;
    bench.tell(&[fires(eve("a1")), fires(eve("a2"))]).await;
    let is_answer = |request: &&Request| request.body.get("thread_ts").is_some_and(|ts| ts != "1.0");
    assert_eq!(bench.receiver.requests().iter().filter(is_answer).count(), 2, "both alerts are told");
}

#[tokio::test]
async fn an_attack_is_one_page_that_is_over_with_its_last_alert() {
    let bench = Bench::start("pd", 1).await;
    for id in ["a1", "a2", "a3"] {
        bench.tell(&[fires(eve(id))]).await;
    }
    bench.tell(&[fires(by("b1", "ada", "203.0.113.9", Severity::Low))]).await;
    for id in ["a2", "a1", "a3"] {
        bench.tell(&[ends(&eve(id))]).await;
    }
    let expected = ["trigger a1 error", "trigger a1 error", "trigger a1 error", "trigger b1 info", "resolve a1 -"];
    assert_eq!(bench.pages(), expected);
    let last = bench.receiver.taken()[2].body.pointer("/payload/custom_details/incident").cloned().unwrap();
    assert_eq!((&last["id"], &last["alerts"]), (&json!("i-a1"), &json!(3)), "{last}");
}

#[tokio::test]
async fn a_page_is_raised_again_when_it_becomes_worse() {
    let bench = Bench::start("pd", 1).await;
    let medium = by("a1", "eve", "203.0.113.1", Severity::Medium);
    bench.tell(&[fires(medium.clone())]).await;
    bench.tell(&[fires(Alert { severity: Severity::Critical, ..eve("a2") })]).await;
    bench.tell(&[(ChangeKind::Updated, Alert { event_count: 8, ..medium.clone() })]).await;
    bench.tell(&[ends(&Alert { severity: Severity::Critical, ..eve("a2") })]).await;
    bench.tell(&[ends(&medium)]).await;
    let expected = ["trigger a1 warning", "trigger a2 critical", "resolve a1 -", "trigger a2 critical", "resolve a2 -"];
    assert_eq!(bench.pages(), expected);
}

#[tokio::test]
async fn several_processes_that_page_at_once_leave_nothing_open_and_nothing_unsaid() {
    let bench = Bench::start("pd", 3).await;
    let ids: Vec<String> = (0..20).map(|number| format!("a{number:02}")).collect();
    bench.tell(&ids.iter().map(|id| fires(eve(id))).collect::<Vec<_>>()).await;
    let open = |pages: &[String]| {
        let mut open = BTreeSet::new();
        for page in pages {
            let mut words = page.split(' ').map(str::to_owned);
            let (action, key) = (words.next().unwrap(), words.next().unwrap());
            let _changed = if action == "trigger" { open.insert(key) } else { open.remove(&key) };
        }
        open.len()
    };
    assert_eq!((bench.pages().len(), open(&bench.pages())), (20, 1), "{:?}", bench.pages());
    bench.tell(&ids.iter().skip(1).map(|id| ends(&eve(id))).collect::<Vec<_>>()).await;
    assert_eq!(open(&bench.pages()), 1, "one of its alerts still fires");
    bench.tell(&[ends(&eve("a00"))]).await;
    assert_eq!(open(&bench.pages()), 0);
}

#[tokio::test]
async fn a_pager_that_fails_loses_no_alert() {
    for mood in [Mood::Status(500, None), Mood::Half, Mood::Hangup] {
        let bench = Bench::start("pd", 1).await;
        bench.receiver.set_mood(mood.clone());
        bench.commit(&[fires(eve("a1")), fires(eve("a2"))]).await;
        tokio::time::timeout(PATIENCE, async {
            while bench.workers[0].counters()[0].counted.failed == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it fails at first");
        bench.receiver.set_mood(Mood::Well);
        bench.tell(&[]).await;
        let pages: BTreeSet<String> = bench.pages().into_iter().collect();
        assert_eq!(pages.len(), 1, "one key: {mood:?} {pages:?}");
        assert_eq!(bench.pages().len(), 2, "both alerts: {mood:?}");
    }
}
