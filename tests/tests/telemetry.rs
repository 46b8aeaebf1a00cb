//! What the daemon tells machines that watch it: traces and metrics as a receiver of other people's reads them, the text
//! that Prometheus scrapes, and that a receiver which is away or hangs disturbs nothing.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bedrock_watch_service::telemetry::{Kind, METRICS};
use bedrock_watch_tests::{
    emulators,
    peers::rotel::{self, Rotel, Span, spans},
    program::{DEADLINE, Daemon, request},
    receivers::server::{Mood, Receiver, Request},
    repository::root,
};
use serde_json::Value;
use tokio::runtime::Runtime;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// A webhook that takes everything.
struct Hook {
    receiver: Receiver,
    _runtime: Runtime,
}

impl Hook {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let receiver = runtime.block_on(Receiver::start(|_, _| (200, String::new()))).unwrap();
        Self { receiver, _runtime: runtime }
    }

    fn requests(&self) -> Vec<Request> {
        self.receiver.requests()
    }
}

/// A configuration on a free port, with alerts to standard output and to `hook`, and this `[telemetry]`.
fn config(hook: &Hook, telemetry: &str) -> String {
    let url = format!("http://{}/hook", hook.receiver.address);
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[sink]]\nkind = \"stdout\"\nname = \"stdout\"\nformat = \"json\"\n\
         [[sink]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"{url}\"\n[telemetry]\n{telemetry}\n"
    )
}

/// Plays the demo's attack into a daemon, and gives back each alert as it fired.
fn attack(daemon: &Daemon, address: SocketAddr, hook: &Hook) -> Vec<Value> {
    let recording = fs::read(root().join("detector/cli/demo/afternoon.jsonl")).unwrap();
    let expected = fs::read_to_string(root().join("detector/cli/demo/expected.json")).unwrap();
    let expected = serde_json::from_str::<Value>(&expected).unwrap().as_array().map_or(0, Vec::len);
    assert!(expected > 3);
    let (status, answer) = request(address, "POST", "/v1/events", &recording).unwrap();
    assert_eq!(status, 202, "{answer}");
    let mut alerts: BTreeMap<String, Value> = BTreeMap::new();
    while alerts.len() < expected {
        let line = daemon.stdout.recv_timeout(DEADLINE).expect("an alert");
        let alert: Value = serde_json::from_str(&line).unwrap();
        alerts.entry(alert["id"].as_str().unwrap().to_owned()).or_insert(alert);
    }
    // The other sink may still be busy.
    let end = Instant::now() + DEADLINE;
    while told(hook).len() < expected {
        assert!(Instant::now() < end, "the webhook was told of {:?}", told(hook));
        std::thread::yield_now();
    }
    alerts.into_values().collect()
}

/// The ids of the alerts that the webhook heard of.
fn told(hook: &Hook) -> BTreeSet<String> {
    hook.requests().iter().filter_map(|request| Some(request.body["id"].as_str()?.to_owned())).collect()
}

/// The spans of an alert's trace whose parent is its root, by name.
fn parts<'a>(spans: &'a [Span], trace: &str) -> (&'a Span, BTreeMap<&'a str, Vec<&'a Span>>) {
    let own: Vec<&Span> = spans.iter().filter(|span| span.trace == trace).collect();
    let [root] = own.iter().filter(|span| span.parent.is_empty()).copied().collect::<Vec<_>>()[..] else {
        panic!("no single root of {trace} in {own:#?}");
    };
    let mut parts: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in own.iter().filter(|span| span.parent == root.id) {
        parts.entry(&span.name).or_default().push(span);
    }
    (root, parts)
}

#[test]
fn a_receiver_sees_the_whole_trace_of_every_alert() {
    for protocol in ["http/protobuf", "grpc"] {
        let rotel = Rotel::start(SCRATCH, "traces").unwrap();
        let endpoint = if protocol == "grpc" { &rotel.grpc } else { &rotel.http };
        let telemetry = format!("endpoint = \"{endpoint}\"\nprotocol = \"{protocol}\"");
        let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
        let daemon = Daemon::start(folder.path(), &config(&hook, &telemetry));
        let alerts = attack(&daemon, daemon.address(), &hook);
        drop(daemon.end());
        let spans = spans(&rotel.end().unwrap());
        for alert in &alerts {
            check_trace(alert, &spans, &hook.requests());
        }
        let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
        assert_eq!(ids.len(), spans.len(), "{protocol}: an id is there twice");
    }
}

/// From receipt to what the webhook acknowledged.
fn check_trace(alert: &Value, spans: &[Span], requests: &[Request]) {
    let (id, trace) = (alert["id"].as_str().unwrap(), alert["trace_id"].as_str().unwrap());
    let (root, parts) = parts(spans, trace);
    assert_eq!(root.name, "alert fired");
    let known = |what: &str| root.attributes.iter().any(|attribute| attribute == what);
    assert!(known(&format!("bedrock_watch.alert.id: Str({id})")), "{root:#?}");
    assert!(known(&format!("bedrock_watch.alert.rule: Str({})", alert["rule"].as_str().unwrap())), "{root:#?}");
    assert!(known(&format!("cloud.account.id: Str({})", alert["account"].as_str().unwrap())), "{root:#?}");
    for stage in ["receive", "judge", "store", "tell stdout", "tell webhook"] {
        assert!(parts.contains_key(stage), "{id} has no {stage}: {parts:#?}");
    }
    assert!(!root.links.is_empty(), "{root:#?}");
    for (trace, span) in &root.links {
        let batch = spans.iter().find(|other| other.trace == *trace && other.id == *span);
        assert_eq!(batch.map(|batch| batch.name.as_str()), Some("process batch"), "{root:#?}");
    }
    let heard: Vec<&Request> = requests.iter().filter(|request| request.body["id"] == id).collect();
    assert!(!heard.is_empty());
    let attempts: BTreeSet<String> =
        parts["tell webhook"].iter().map(|span| format!("00-{trace}-{}-01", span.id)).collect();
    for request in heard {
        assert_eq!(request.body["trace_id"], trace);
        let passed_on = request.header("traceparent").unwrap_or_default();
        assert!(attempts.contains(passed_on), "{passed_on} is none of {attempts:?}");
    }
}

/// What is sent to a topic or bus is a message with a sender, in the words of the conventions; what is sent to anybody
/// else is a request.
#[test]
fn messages_to_a_topic_or_bus_have_a_producer() {
    let runtime = Runtime::new().unwrap();
    let emulator = runtime.block_on(emulators::aws(SCRATCH)).unwrap();
    let topic = runtime.block_on(async {
        let sns = aws_sdk_sns::Client::new(emulator.aws().await.own());
        sns.create_topic().name("alerts").send().await.unwrap().topic_arn.unwrap()
    });
    let rotel = Rotel::start(SCRATCH, "traces").unwrap();
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let telemetry = format!(
        "endpoint = \"{}\"\n[[sink]]\nkind = \"sns\"\ntopic_arn = \"{topic}\"\n\
         [[sink]]\nkind = \"eventbridge\"\nbus = \"default\"",
        rotel.http
    );
    let daemon = Daemon::start_with(folder.path(), &config(&hook, &telemetry), &emulator.environment());
    let alerts = attack(&daemon, daemon.address(), &hook);
    drop(daemon.end());
    let spans = spans(&rotel.end().unwrap());
    let check = |kind: &str, expected_kind: &str, expected: &[&str]| {
        let name = format!("tell {kind}");
        let tells: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
        assert!(tells.len() >= alerts.len(), "{} of {name}", tells.len());
        for span in tells {
            assert!(span.kind.to_lowercase().contains(expected_kind), "{span:#?}");
            let mut messaging: Vec<&str> =
                span.attributes.iter().map(String::as_str).filter(|text| text.starts_with("messaging.")).collect();
            messaging.sort_unstable();
            assert_eq!(messaging, expected, "{name}");
        }
    };
    check(
        "sns",
        "producer",
        &[
            "messaging.destination.name: Str(alerts)",
            "messaging.operation.name: Str(publish)",
            "messaging.operation.type: Str(send)",
            "messaging.system: Str(aws.sns)",
        ],
    );
    check(
        "eventbridge",
        "producer",
        &[
            "messaging.destination.name: Str(default)",
            "messaging.operation.name: Str(put_events)",
            "messaging.operation.type: Str(send)",
            "messaging.system: Str(aws_eventbridge)",
        ],
    );
    check("webhook", "client", &[]);
}

#[test]
fn a_receiver_sees_the_metrics_of_the_table() {
    let rotel = Rotel::start(SCRATCH, "metrics").unwrap();
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let daemon = Daemon::start_with(
        folder.path(),
        &config(&hook, "traces = false"),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", rotel.grpc.clone()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
            ("OTEL_SERVICE_NAME", "watch-of-the-test".to_owned()),
            ("AWS_REGION", "eu-north-1".to_owned()),
        ],
    );
    let alerts = attack(&daemon, daemon.address(), &hook);
    // What there is to say is said at the end.
    drop(daemon.end());
    let said = rotel.end().unwrap().join("\n");
    for known in ["service.name: Str(watch-of-the-test)", "cloud.provider: Str(aws)", "cloud.region: Str(eu-north-1)"] {
        assert!(said.contains(known), "{known} is not in {said}");
    }
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let named = said.lines().filter_map(|line| line.split_once("-> Name: ").or_else(|| line.split_once("Name")));
    let named: BTreeSet<&str> = named.map(|(_, name)| name.trim_start_matches([' ', ':']).trim()).collect();
    for metric in ["bedrock_watch.records", "bedrock_watch.event.lag", "bedrock_watch.alerts", "bedrock_watch.ready"] {
        assert!(named.contains(metric) && known.contains(metric), "{metric} is not in {named:?}");
    }
    for name in named.iter().filter(|name| name.starts_with("bedrock_watch")) {
        assert!(known.contains(name), "{name} is not in the table");
    }
    let rule = alerts[0]["rule"].as_str().unwrap();
    assert!(said.contains(&format!("rule: Str({rule})")), "{said}");
}

#[test]
fn a_receiver_that_is_away_or_hangs_disturbs_nothing() {
    let hanging = Hook::start();
    hanging.receiver.set_mood(Mood::Silence);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (endpoint, protocol) in [
        (format!("http://{closed}"), "grpc"),
        (format!("http://{closed}"), "http/protobuf"),
        (format!("http://{}", hanging.receiver.address), "http/protobuf"),
        (format!("http://{}", hanging.receiver.address), "grpc"),
    ] {
        let telemetry = format!(
            "endpoint = \"{endpoint}\"\nprotocol = \"{protocol}\"\nmetrics_interval_s = 1\n\
             batches_sampled_per_million = 1000000"
        );
        let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
        let daemon = Daemon::start(folder.path(), &config(&hook, &telemetry));
        let alerts = attack(&daemon, daemon.address(), &hook);
        assert!(!alerts.is_empty());
        // It ends in order, and waits no longer than it says for what nobody takes.
        let ending = Instant::now();
        drop(daemon.end());
        assert!(ending.elapsed() < Duration::from_secs(15), "{protocol} {endpoint}: {:?}", ending.elapsed());
    }
}

#[test]
fn prometheus_reads_what_the_table_says() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let daemon = Daemon::start(folder.path(), &config(&hook, ""));
    let address = daemon.address();
    assert!(!attack(&daemon, address, &hook).is_empty());
    let (status, text) = request(address, "GET", "/metrics", b"").unwrap();
    assert_eq!(status, 200);
    drop(daemon.end());
    let mut command = Command::new(rotel::venv(SCRATCH).unwrap().program("python"));
    command.arg(root().join("tests/peers/read_metrics.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let read = child.wait_with_output().unwrap();
    assert!(read.status.success());
    let said = String::from_utf8(read.stdout).unwrap();
    let families: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(families.len(), METRICS.len());
    for (metric, family) in METRICS.iter().zip(&families) {
        let name = metric.prometheus_name();
        let base = if metric.kind == Kind::Counter { name.trim_end_matches("_total") } else { &name };
        assert_eq!((family["name"].as_str(), family["kind"].as_str()), (Some(base), Some(metric.kind.as_str())));
        let mut labels: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
        labels.sort_unstable();
        let found: Vec<&str> = family["labels"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(found.is_empty() || found == labels, "{name}: {found:?}");
    }
}
