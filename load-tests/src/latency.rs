//! How long an alert takes: from the POST of the record that decides to its receipt by a webhook on this machine, while
//! other records stream in at a given rate.
//!
//! The daemon is the real one with its SQLite store, in this process. These are times on the wall, not CPU time: they
//! depend on the machine and on what else it does, so a budget is only kept on a quiet one.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use axum::{Router, body::Bytes, extract::State, routing::post};
use bedrock_watch_engine::rule::RuleSet;
use bedrock_watch_load_tests::{
    generator::{Generator, Population, Stream},
    measure::real,
    scenario::{self, Budget, Latency},
    table,
};
use bedrock_watch_service::{
    config::Config,
    daemon::{Daemon, Surroundings},
    format::{Colour, Format},
    pipeline::Clock,
};
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// A record that raises an alert by itself: a model-access API called with a long-term key.
const DECIDING: &str = include_str!("../../rules/events/bedrock/PutUseCaseForModelAccess.json");
/// What the event ids of deciding records begin with.
const MARK: &str = "1a7e0000-0000-4000-8000-";
/// Digits of their numbers.
const DIGITS: usize = 12;
/// How long the last alerts may take after the last record.
const PATIENCE: Duration = Duration::from_secs(30);

/// When each alert was received, by the number of its record.
#[derive(Debug, Clone, Default)]
struct Received {
    at: Arc<Mutex<BTreeMap<usize, Instant>>>,
    more: Arc<Notify>,
}

impl Received {
    fn note(&self, body: &str) {
        let now = Instant::now();
        let number = body.split(MARK).nth(1).and_then(|rest| rest.get(..DIGITS)).and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            self.at.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(now);
            self.more.notify_one();
        }
    }

    fn all(&self) -> BTreeMap<usize, Instant> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a run found, times in milliseconds.
#[derive(Debug, Default)]
struct Found {
    accepted: Vec<f64>,
    received: Vec<f64>,
    records_per_second: f64,
    refused: u64,
}

/// Measures each rate and prints a table.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub(crate) fn run(rules: &Arc<RuleSet>, seconds: Option<u32>, enforced: bool) -> anyhow::Result<()> {
    let mut scenario: Latency = scenario::read("latency", include_str!("../scenarios/latency.toml"))?;
    scenario.seconds = seconds.unwrap_or(scenario.seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut budget = Budget::default();
    for (place, &rate) in scenario.rates.iter().enumerate() {
        let found = runtime.block_on(measure(rules, &scenario, rate))?;
        let cell = |times: &[f64], percent: usize| format!("{:.1}", percentile(times, percent));
        rows.push(vec![
            format!("{} records/s", table::thousands(f64::from(rate))),
            table::thousands(found.records_per_second),
            found.refused.to_string(),
            found.received.len().to_string(),
            cell(&found.accepted, 50),
            cell(&found.accepted, 99),
            cell(&found.received, 50),
            cell(&found.received, 99),
            cell(&found.received, 100),
        ]);
        if place == 0 {
            budget.at_most("p99 to the webhook, ms", percentile(&found.received, 99), scenario.p99_ms_max);
        }
    }
    println!("milliseconds from the POST of the deciding record; {} s each\n", scenario.seconds);
    let head = ["rate", "accepted/s", "429s", "alerts", "202 p50", "202 p99", "webhook p50", "webhook p99", "worst"];
    table::print(&head, &rows);
    budget.finish(enforced)
}

async fn measure(rules: &Arc<RuleSet>, scenario: &Latency, rate: u32) -> anyhow::Result<Found> {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let webhook = format!("http://{}/", listener.local_addr()?);
    let note = |State(received): State<Received>, body: Bytes| async move {
        received.note(&String::from_utf8_lossy(&body));
    };
    let router = Router::new().route("/", post(note)).with_state(received.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.map_err(anyhow::Error::from) });

    let folder = tempfile::tempdir()?;
    let config = config(folder.path(), &webhook)?;
    let surroundings = Surroundings {
        cloud: None,
        stdout: Box::new(std::io::sink()),
        format: Format::Json,
        colour: Colour::Never,
        clock: Clock::wall(),
    };
    let daemon = Daemon::start(&config, Arc::clone(rules), surroundings).await.context("starting the daemon")?;
    let url = format!("http://{}/v1/events", daemon.address().context("the daemon listens nowhere")?);
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let running = tokio::spawn(async move { daemon.run(async move { stopped.notified().await }).await });

    let found = load(scenario, rate, &url, &received).await;
    stop.notify_one();
    running.await?.context("the daemon did not end well")?;
    found
}

fn config(folder: &Path, webhook: &str) -> anyhow::Result<Config> {
    let store = folder.join("latency.db");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\nrequests_max = 256\nrequests_per_s = 100000\n\
         [store]\npath = \"{}\"\n[[sink]]\nkind = \"webhook\"\nname = \"webhook\"\nurl = \"{webhook}\"\n\
         per_minute = 60000\n",
        store.display()
    );
    Config::load("latency.toml", &text, &|_| None)
        .map_err(|problems| anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

async fn load(scenario: &Latency, rate: u32, url: &str, received: &Received) -> anyhow::Result<Found> {
    let client = reqwest::Client::new();
    let mut generator = Generator::new(scenario.seed, Stream::Mix, Population::new(scenario.principals));
    let every = |per_second: f64| {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        ticks
    };
    let mut ordinary = every(f64::from(rate) / f64::from(scenario.batch));
    let mut deciding = every(f64::from(scenario.alerts_per_second));
    let began = Instant::now();
    let end = began.checked_add(Duration::from_secs(scenario.seconds.into())).unwrap_or(began);
    let (mut posts, mut alerts) = (JoinSet::new(), JoinSet::new());
    let mut sent = BTreeMap::new();
    while Instant::now() < end {
        tokio::select! {
            _ = ordinary.tick() => {
                let body = lines(&mut generator, scenario.batch)?;
                posts.spawn(send(client.clone(), url.to_owned(), body));
            }
            _ = deciding.tick() => {
                let number = sent.len();
                sent.insert(number, Instant::now());
                alerts.spawn(send(client.clone(), url.to_owned(), decide(number)?));
            }
        }
    }
    let mut found = Found::default();
    for (status, _) in posts.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()? {
        found.refused = found.refused.saturating_add(u64::from(status == 429));
        let accepted = if status == 202 { f64::from(scenario.batch) } else { 0.0 };
        found.records_per_second += accepted / began.elapsed().as_secs_f64();
    }
    for (status, took) in alerts.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()? {
        ensure!(status == 202, "a deciding record was answered {status}; lower the rate");
        found.accepted.push(took.as_secs_f64() * 1e3);
    }
    let complete = async {
        while received.all().len() < sent.len() {
            received.more.notified().await;
        }
    };
    timeout(PATIENCE, complete).await.map_err(|_| {
        anyhow!("{} of {} alerts came within {} s", received.all().len(), sent.len(), PATIENCE.as_secs())
    })?;
    let received = received.all();
    let took = |(number, at): (&usize, &Instant)| received.get(number).map(|got| got.duration_since(*at).as_secs_f64());
    found.received = sent.iter().filter_map(took).map(|seconds| seconds * 1e3).collect();
    Ok(found)
}

async fn send(client: reqwest::Client, url: String, body: Vec<u8>) -> anyhow::Result<(u16, Duration)> {
    let began = Instant::now();
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await?;
    Ok((answer.status().as_u16(), began.elapsed()))
}

/// The next ordinary records, one a line.
fn lines(generator: &mut Generator, records: u32) -> anyhow::Result<Vec<u8>> {
    let chunk = generator.chunk(usize::try_from(records)?);
    let mut body = Vec::with_capacity(chunk.bytes().len().saturating_add(chunk.len()));
    for (record, _) in chunk.iter() {
        body.extend_from_slice(record);
        body.push(b'\n');
    }
    Ok(body)
}

/// A record that raises an alert of its own.
fn decide(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut record: serde_json::Value = serde_json::from_str(DECIDING)?;
    let fields = record.as_object_mut().context("a record is an object")?;
    fields.insert("eventID".to_owned(), format!("{MARK}{number:0DIGITS$}").into());
    // An alert is about a principal and a day, so each record has a principal of its own.
    let user = serde_json::json!({ "type": "IAMUser", "accountId": "111122223333", "userName": format!("ci-{number}"),
        "arn": format!("arn:aws:iam::111122223333:user/ci-{number}"), "accessKeyId": "AKIAIOSFODNN7EXAMPLE" });
    fields.insert("userIdentity".to_owned(), user);
    Ok(record.to_string().into_bytes())
}

/// The nearest-rank percentile.
fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(real(0))
}
