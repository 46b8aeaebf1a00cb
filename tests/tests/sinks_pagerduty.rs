//! PagerDuty: what is sent is what PagerDuty's own client sends for the same event, and a receiver that enforces the
//! documented fields and limits takes it.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status as Standing};
use bedrock_watch_service::{
    config::{
        Secret,
        delivery::{GroupBy, RoutingConfig, SinkConfig, SinkKind},
    },
    format::{Colour, Format},
    sink::{Surroundings, Workers, payload::pagerduty, start_all},
    status::Status,
    store::{Change, Commit, Destination, Store},
};
use bedrock_watch_tests::{
    peers,
    receivers::{
        alerts::{alert, change, hostile, resolved},
        fake::BRISK,
        memory_store::MemoryStore,
        server::{Receiver, Request},
        strict,
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Takes what PagerDuty's documentation allows and refuses the rest.
fn strictly(request: &Request, _: usize) -> (u16, String) {
    let wrong = strict::pagerduty(&request.body, request.raw.len());
    if request.path != "/v2/enqueue" || request.header("content-type") != Some("application/json") {
        return (404, r#"{"status":"not found"}"#.to_owned());
    }
    if wrong.is_empty() {
        let key = request.body.get("dedup_key").cloned().unwrap_or_default();
        return (202, format!(r#"{{"status":"success","message":"Event processed","dedup_key":{key}}}"#));
    }
    let errors = Value::from(wrong);
    (400, format!(r#"{{"status":"invalid event","message":"Event object is invalid","errors":{errors}}}"#))
}

struct Bench {
    store: Arc<dyn Store>,
    receiver: Receiver,
    workers: Workers,
}

#[cfg(test)]
impl Bench {
    async fn start() -> Self {
        let receiver = Receiver::start(strictly).await.unwrap();
        let routing_key = Secret::new(KEY.to_owned());
        let kind = SinkKind::PagerDuty { routing_key, url: receiver.url("/v2/enqueue"), group_by: GroupBy::Alert };
        let config = SinkConfig { name: "pd".to_owned(), pace: BRISK, kind };
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let routing = RoutingConfig { console_url: Some("https://watch.example.com".to_owned()), ..Default::default() };
        let surroundings =
            Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, Status::default());
        let workers = start_all(&[config], &routing, &store, surroundings).unwrap();
        Self { store, receiver, workers }
    }

    async fn commit(&self, changes: Vec<Change>) {
        self.store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
        self.workers.nudge();
        let waits = async {
            while self.store.waiting("pd").await.unwrap().alerts > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waits).await.expect("everything is told");
    }

    async fn tell(&self, kind: ChangeKind, alert: &Alert) {
        self.commit(vec![change(kind, alert, &["pd"])]).await;
    }

    /// What PagerDuty was told: the action and the incident of each event.
    fn events(&self) -> Vec<(String, String)> {
        let text = |request: &Request, name: &str| request.body[name].as_str().unwrap_or_default().to_owned();
        self.receiver.requests().iter().map(|one| (text(one, "event_action"), text(one, "dedup_key"))).collect()
    }
}

#[tokio::test]
async fn the_official_client_sends_the_same() {
    let python = peers::python(SCRATCH).unwrap();
    let bench = Bench::start().await;
    bench.tell(ChangeKind::Fired, &alert("one")).await;
    bench.tell(ChangeKind::Updated, &Alert { event_count: 4, ..alert("one") }).await;
    bench.tell(ChangeKind::Resolved, &resolved(&alert("one"))).await;
    for (number, severity) in Severity::ALL.into_iter().enumerate() {
        bench.tell(ChangeKind::Fired, &Alert { severity, ..alert(&format!("a{number}")) }).await;
    }
    let ours = bench.receiver.taken();
    assert_eq!(ours.len(), 8);

    let theirs = Receiver::start(strictly).await.unwrap();
    let lines: String = ours.iter().map(|event| event.body.to_string() + "\n").collect();
    peers::script(&python, "send_events.py", &[&theirs.url("")], &lines).await.unwrap();
    let theirs = theirs.taken();
    assert_eq!(theirs.len(), ours.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut ours = ours.body.clone();
        // Documented, but the client has no argument for them.
        if ours["event_action"] == "trigger" {
            let fields = ours.as_object_mut().unwrap();
            assert_eq!(fields.remove("client").unwrap(), "bedrock-watch");
            assert_eq!(fields.remove("client_url").unwrap(), "https://watch.example.com");
        }
        assert_eq!(ours, theirs.body);
    }
}

#[tokio::test]
async fn an_incident_opens_grows_and_closes_under_one_key_and_name() {
    let bench = Bench::start().await;
    let high = Alert { severity: Severity::High, ..alert("one") };
    bench.tell(ChangeKind::Fired, &high).await;
    bench.tell(ChangeKind::Updated, &Alert { event_count: 4, summary: "more".to_owned(), ..alert("one") }).await;
    bench.tell(ChangeKind::Resolved, &resolved(&alert("one"))).await;
    bench.tell(ChangeKind::Fired, &Alert { event_count: 5, ..alert("one") }).await;
    let expected = ["trigger", "trigger", "resolve", "trigger"].map(|action| (action.to_owned(), "one".to_owned()));
    assert_eq!(bench.events(), expected);
    let requests = bench.receiver.taken();
    let at = |number: usize, pointer: &str| requests[number].body.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(at(0, "/payload/summary"), at(1, "/payload/summary"));
    assert_eq!((at(0, "/payload/severity"), at(1, "/payload/severity")), ("error".into(), "critical".into()));
    assert_eq!(
        (at(0, "/payload/custom_details/event_count"), at(1, "/payload/custom_details/event_count")),
        (1.into(), 4.into())
    );
}

#[tokio::test]
async fn what_is_over_before_it_was_told_is_recorded_or_skipped() {
    let changes = |over: &Alert, kind: ChangeKind, skip_if_undone: bool| {
        let destination = Destination { sink: "pd".to_owned(), not_before: None, group: None, skip_if_undone };
        let fired = Change { destinations: vec![destination], ..change(ChangeKind::Fired, &alert("one"), &[]) };
        vec![fired, change(kind, over, &[])]
    };
    let check = async |over: Alert, kind: ChangeKind, skip_if_undone: bool, expected: &[&str]| {
        let bench = Bench::start().await;
        bench.commit(changes(&over, kind, skip_if_undone)).await;
        let actions: Vec<String> = bench.events().into_iter().map(|(action, _)| action).collect();
        assert_eq!(actions, expected, "{kind:?} {skip_if_undone}");
    };
    let withdrawn = Alert { status: Standing::Withdrawn, ..alert("one") };
    check(resolved(&alert("one")), ChangeKind::Resolved, false, &["trigger", "resolve"]).await;
    // Who switched logging off restored it, in full, and nothing was invoked meanwhile; or one of these is not so.
    let restored = |by: &str, in_full: bool, invoked: u64| {
        let mut over = Alert { principal: Some("arn:ada".to_owned()), ..resolved(&alert("one")) };
        over.facts.insert("restored_by".to_owned(), by.into());
        over.facts.insert("restored_in_full".to_owned(), in_full.into());
        over.facts.insert("blind_invocations".to_owned(), invoked.into());
        over
    };
    check(restored("arn:ada", true, 0), ChangeKind::Resolved, true, &[]).await;
    check(restored("arn:ada", true, 0), ChangeKind::Resolved, false, &["trigger", "resolve"]).await;
    check(restored("arn:eve", true, 0), ChangeKind::Resolved, true, &["trigger", "resolve"]).await;
    check(restored("arn:ada", false, 0), ChangeKind::Resolved, true, &["trigger", "resolve"]).await;
    check(restored("arn:ada", true, 1), ChangeKind::Resolved, true, &["trigger", "resolve"]).await;
    check(withdrawn, ChangeKind::Withdrawn, false, &[]).await;
}

#[tokio::test]
async fn a_refused_event_is_given_up_and_says_why_without_the_key() {
    let refuse =
        |request: &Request, _: usize| (400, format!(r#"{{"errors":["bad key {}"]}}"#, request.body["routing_key"]));
    let receiver = Receiver::start(refuse).await.unwrap();
    let mut bench = Bench::start().await;
    let kind = SinkKind::PagerDuty {
        routing_key: Secret::new(KEY.to_owned()),
        url: receiver.url("/v2/enqueue"),
        group_by: GroupBy::Alert,
    };
    let config = SinkConfig { name: "pd".to_owned(), pace: BRISK, kind };
    bench.workers.drain(Duration::from_secs(1)).await;
    let status = Status::default();
    let surroundings = Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, status.clone());
    bench.workers = start_all(&[config], &RoutingConfig::default(), &bench.store, surroundings).unwrap();
    bench.tell(ChangeKind::Fired, &alert("one")).await;
    let dead = bench.store.dead_letters(9).await.unwrap();
    assert_eq!(dead.len(), 1);
    for said in [dead[0].error.clone(), status.reasons()["sink pd"].clone(), format!("{:?}", bench.workers)] {
        assert!(!said.contains(KEY), "{said}");
    }
    assert!(dead[0].error.starts_with("it answered 400: ") && dead[0].error.contains("***"), "{}", dead[0].error);
}

#[tokio::test]
async fn hostile_alerts_are_taken() {
    let bench = Bench::start().await;
    for seed in 1_000..1_030 {
        let mut random = StdRng::seed_from_u64(seed);
        let one = Alert { status: Standing::Firing, id: format!("a{seed}"), ..hostile(&mut random) };
        bench.tell(ChangeKind::Fired, &one).await;
        let last = bench.receiver.requests().pop().unwrap();
        assert!(strict::pagerduty(&last.body, last.raw.len()).is_empty(), "seed {seed}");
        assert_eq!(last.body["dedup_key"], pagerduty::dedup_key(&one));
    }
    assert_eq!(bench.store.dead_letters(99).await.unwrap(), []);
}
