//! Receivers that fail in every way a network knows: deliveries go on when they recover, and nothing is lost or out of
//! order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedrock_watch_engine::alert::{Alert, ChangeKind};
use bedrock_watch_service::{
    config::{
        Secret,
        delivery::{GroupBy, Pace, RoutingConfig, SinkConfig, SinkKind, SlackAccess},
    },
    format::{Colour, Format},
    sink::{Counted, Surroundings, Workers, deliver_all, start_all},
    status::Status,
    store::{Change, Commit, Store},
};
use bedrock_watch_tests::receivers::{
    alerts::{alert, change, resolved},
    fake::BRISK,
    memory_store::MemoryStore,
    server::{Mood, Receiver, Request},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SINKS: [&str; 4] = ["bot", "hook", "pd", "web"];
const ALERTS: u32 = 5;
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn answer(request: &Request, number: usize) -> (u16, String) {
    match request.path.as_str() {
        "/api/chat.postMessage" | "/api/chat.update" => {
            (200, format!(r#"{{"ok":true,"channel":"C1","ts":"{number}.000000"}}"#))
        }
        "/hook/s3cret" => (200, "ok".to_owned()),
        "/v2/enqueue" => (202, r#"{"status":"success"}"#.to_owned()),
        _ => (200, String::new()),
    }
}

/// One sink of each kind that speaks HTTP, at this address.
fn sinks(url: &str) -> Vec<SinkConfig> {
    let pace = Pace { timeout_ms: 400, backoff_max_s: 1, ..BRISK };
    let secret = |text: String| Secret::new(text);
    let bot = SlackAccess::Bot {
        token: secret("xoxb-s3cret".to_owned()),
        channel: "C1".to_owned(),
        api_url: format!("{url}/api"),
    };
    let kinds = [
        SinkKind::Slack { access: bot, group_by: GroupBy::Alert },
        SinkKind::Slack {
            access: SlackAccess::Webhook { url: secret(format!("{url}/hook/s3cret")) },
            group_by: GroupBy::Alert,
        },
        SinkKind::PagerDuty {
            routing_key: secret(KEY.to_owned()),
            url: format!("{url}/v2/enqueue"),
            group_by: GroupBy::Alert,
        },
        SinkKind::Webhook {
            url: secret(format!("{url}/web/s3cret?token=s3cret")),
            format: Format::Json,
            signing_secret: Some(secret(SECRET.to_owned())),
            headers: BTreeMap::from([("x-team".to_owned(), secret("s3cret".to_owned()))]),
        },
    ];
    SINKS.iter().zip(kinds).map(|(name, kind)| SinkConfig { name: (*name).to_owned(), pace, kind }).collect()
}

struct Bench {
    memory: Arc<MemoryStore>,
    store: Arc<dyn Store>,
    status: Status,
    workers: Workers,
}

#[cfg(test)]
impl Bench {
    fn start(configs: &[SinkConfig]) -> Self {
        let memory = Arc::new(MemoryStore::default());
        let store: Arc<dyn Store> = Arc::clone(&memory) as _;
        let status = Status::default();
        let workers = Self::work(configs, &store, &status);
        Self { memory, store, status, workers }
    }

    fn work(configs: &[SinkConfig], store: &Arc<dyn Store>, status: &Status) -> Workers {
        let surroundings = Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, status.clone());
        start_all(configs, &RoutingConfig::default(), store, surroundings).unwrap()
    }

    async fn commit(&self, changes: Vec<Change>) {
        self.store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
        self.workers.nudge();
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let waits = async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, waits).await.is_ok(),
            "{what} does not come: {:?}",
            self.workers.counters()
        );
    }

    fn counted(&self) -> Vec<Counted> {
        self.workers.counters().into_iter().map(|report| report.counted).collect()
    }

    async fn settled(&self) {
        let told = async || {
            let mut waiting = 0;
            for sink in SINKS {
                waiting += self.store.waiting(sink).await.unwrap().alerts;
            }
            waiting == 0
        };
        self.until("the end", told).await;
    }
}

#[tokio::test]
async fn everything_arrives_in_order_whatever_the_network_did() {
    let receiver = Receiver::start(answer).await.unwrap();
    let bench = Bench::start(&sinks(&receiver.url("")));
    let moods = [
        Mood::Status(429, Some(1)),
        Mood::Status(429, None),
        Mood::Status(500, None),
        Mood::Status(503, Some(1)),
        Mood::Garbage,
        Mood::Noise,
        Mood::Half,
        Mood::Silence,
        Mood::Hangup,
    ];
    let mut count = 0;
    for mood in &moods {
        receiver.set_mood(mood.clone());
        let before = bench.counted();
        count += 1;
        for number in 0..ALERTS {
            let story = Alert { event_count: count, ..alert(&format!("a{number}")) };
            let kind = if count == 1 { ChangeKind::Fired } else { ChangeKind::Updated };
            bench.commit(vec![change(kind, &story, &SINKS)]).await;
        }
        // A webhook is content with any 2xx, so garbage and half an answer are no failures to it; the incoming webhook
        // of Slack says nothing when only a count grew.
        let failed = async || {
            let now = bench.counted();
            let fails = |sink: usize| now[sink].failed > before[sink].failed || now[sink].told > before[sink].told;
            (0..SINKS.len()).all(fails) && now[0].failed > before[0].failed && now[2].failed > before[2].failed
        };
        bench.until(&format!("{mood:?}"), failed).await;
        assert!(bench.counted().iter().all(|one| one.in_flight <= 8), "what waits, waits in the store");
    }
    receiver.set_mood(Mood::Well);
    for number in 0..ALERTS {
        let story = Alert { event_count: count, ..alert(&format!("a{number}")) };
        bench.commit(vec![change(ChangeKind::Resolved, &resolved(&story), &[])]).await;
    }
    bench.settled().await;
    assert_eq!(bench.store.dead_letters(99).await.unwrap(), []);
    assert!(bench.status.reasons().is_empty(), "{:?}", bench.status.reasons());
    for error in bench.memory.errors() {
        assert!(!error.contains("s3cret") && !error.contains(KEY), "{error}");
    }
    let revisions = u32::try_from(moods.len()).unwrap() + 1;
    check_webhook(&receiver.requests(), revisions);
    check_pagerduty(&receiver.taken());
    check_slack(&receiver.requests());
}

/// Every revision came, in order, signed, and repeats have the same id.
#[cfg(test)]
fn check_webhook(requests: &[Request], revisions: u32) {
    let mut told: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.path.starts_with("/web/")) {
        let (id, revision) = request.header("webhook-id").unwrap().split_once('.').unwrap();
        assert_eq!(request.body["id"], id);
        told.entry(id.to_owned()).or_default().push(revision.parse().unwrap());
        let timestamp = request.header("webhook-timestamp").unwrap();
        let signed = format!("{id}.{revision}.{timestamp}.{}", request.raw);
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(request.header("webhook-signature"), Some(signature.as_str()));
        assert_eq!(
            (request.header("x-team"), request.header("content-type")),
            (Some("s3cret"), Some("application/json"))
        );
    }
    assert_eq!(told.len(), ALERTS as usize);
    for (id, mut order) in told {
        order.dedup();
        assert_eq!(order, (1..=revisions).collect::<Vec<_>>(), "{id}");
    }
}

/// The last that PagerDuty took of each incident closed it.
#[cfg(test)]
fn check_pagerduty(taken: &[Request]) {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for request in taken.iter().filter(|request| request.path == "/v2/enqueue") {
        let text = |name: &str| request.body[name].as_str().unwrap().to_owned();
        last.insert(text("dedup_key"), text("event_action"));
    }
    assert_eq!(last.len(), ALERTS as usize);
    assert!(last.values().all(|action| action == "resolve"), "{last:?}");
}

/// Each message was created once, or every further one says that it may be a repeat.
#[cfg(test)]
fn check_slack(requests: &[Request]) {
    let alert_of = |request: &Request| request.body.pointer("/metadata/event_payload/alert_ids/0").cloned();
    let mut created: BTreeSet<String> = BTreeSet::new();
    let mut unmarked: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.path == "/api/chat.postMessage") {
        let Some(Value::String(id)) = alert_of(request) else { continue };
        if request.taken {
            created.insert(id.clone());
        }
        // The receiver may have kept what it did not answer properly.
        let kept = request.taken || !request.refused;
        if kept && !request.body["blocks"].to_string().contains("Possible repeat") {
            *unmarked.entry(id).or_default() += 1;
        }
    }
    assert_eq!(created.len(), ALERTS as usize);
    assert!(unmarked.values().all(|count| *count <= 1), "{unmarked:?}");
    let hooks = requests.iter().filter(|request| request.taken && request.path == "/hook/s3cret").count();
    assert!(hooks >= ALERTS as usize, "{hooks}");
}

#[tokio::test]
async fn a_refused_tls_handshake_is_waited_out() {
    let receiver = Receiver::start(answer).await.unwrap();
    receiver.set_mood(Mood::Hangup);
    let tls = format!("https://{}", receiver.address);
    let mut bench = Bench::start(&sinks(&tls));
    bench.commit(vec![change(ChangeKind::Fired, &alert("a"), &SINKS)]).await;
    bench.until("a failure of each", async || bench.counted().iter().all(|one| one.failed >= 2)).await;
    let errors = bench.memory.errors();
    assert!(
        errors.iter().all(|error| error.starts_with("cannot connect: ") && !error.contains("s3cret")),
        "{errors:?}"
    );
    bench.workers.drain(Duration::from_secs(2)).await;

    // Whoever is responsible mends it; the alert has waited.
    receiver.set_mood(Mood::Well);
    bench.workers = Bench::work(&sinks(&receiver.url("")), &bench.store, &bench.status);
    bench.settled().await;
    assert_eq!(receiver.taken().len(), SINKS.len());
    assert!(
        receiver.taken().iter().all(|request| !request.raw.contains("Possible repeat")),
        "it surely had not arrived"
    );
}

#[tokio::test]
async fn a_webhook_goes_on_where_it_broke_off() {
    let receiver = Receiver::start(|_, number| (if number == 3 { 500 } else { 200 }, String::new())).await.unwrap();
    let web: Vec<SinkConfig> = sinks(&receiver.url("")).into_iter().filter(|config| config.name == "web").collect();
    let bench = Bench::start(&web);
    let changes =
        (1..=12).map(|event_count| change(ChangeKind::Updated, &Alert { event_count, ..alert("a") }, &["web"]));
    bench.commit(changes.collect()).await;
    bench.settled().await;
    let ids: Vec<String> =
        receiver.requests().iter().map(|request| request.header("webhook-id").unwrap().to_owned()).collect();
    let expected = [1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(|revision| format!("a.{revision}"));
    assert_eq!(ids, expected, "only what failed is sent again, under its id");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::start(|_, _| (307, String::new())).await.unwrap();
    let bench = Bench::start(&sinks(&receiver.url("")));
    bench.commit(vec![change(ChangeKind::Fired, &alert("a"), &SINKS)]).await;
    bench.settled().await;
    let dead = bench.store.dead_letters(9).await.unwrap();
    assert!(dead.len() == SINKS.len() && dead.iter().all(|one| one.error.contains("redirects")), "{dead:?}");
    assert!(receiver.requests().iter().all(|request| request.path != "/elsewhere"), "secrets do not go elsewhere");
}

#[tokio::test]
async fn a_recording_is_told_once_and_what_does_not_arrive_is_said() {
    let receiver = Receiver::start(answer).await.unwrap();
    let nobody = "http://127.0.0.1:9".to_owned();
    let mut configs = sinks(&receiver.url(""));
    configs.extend(sinks(&nobody).into_iter().take(1).map(|config| SinkConfig { name: "gone".to_owned(), ..config }));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let names: Vec<&str> = configs.iter().map(|config| config.name.as_str()).collect();
    let changes = vec![
        change(ChangeKind::Fired, &alert("a"), &names),
        change(ChangeKind::Resolved, &resolved(&alert("b")), &names),
    ];
    let surroundings = Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, Status::default());
    let sinks = (configs.as_slice(), &RoutingConfig::default());
    let delivered = deliver_all(changes, sinks, &store, surroundings, Duration::from_secs(3)).await.unwrap();
    let told: Vec<(&str, u64, u64)> = delivered.iter().map(|one| (one.sink.as_str(), one.told, one.waiting)).collect();
    assert_eq!(told, [("bot", 2, 0), ("hook", 2, 0), ("pd", 2, 0), ("web", 2, 0), ("gone", 0, 2)]);
}
