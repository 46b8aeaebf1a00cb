//! Records posted to a daemon at a rate, and how long it takes until a webhook hears of those that raise an alert.
//!
//! Nobody waits for an answer before the next is sent, so a slow answer delays no other and hides none. Times are on the
//! wall: they depend on what else the machine does.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::Context as _;
use bedrock_watch_load_tests::{
    generator::{Generator, Population, Stream},
    load::{DaemonLoad, Figures, percentile},
    measure::{self, real},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    daemon::{Serving, Sink},
    receiver::{self, DIGITS, MARK, Received},
};

/// A record that raises an alert by itself: a model-access API called with a long-term key.
const DECIDING: &str = include_str!("../../../rules/events/bedrock/PutUseCaseForModelAccess.json");
/// An account in which nothing else happens: its time is another one.
const DECIDING_ACCOUNT: &str = "999988887777";
/// How long the last alerts may take after the last record.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests made ahead.
const AHEAD: usize = 64;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_secs(1);

/// Sends everything and waits for the last alert.
pub(super) fn play(load: &DaemonLoad, seed: u64) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let received = Received::default();
        let mut webhooks = JoinSet::new();
        let mut sinks = vec![Sink { name: "quick", url: receiver::quick(&received, &mut webhooks).await? }];
        if let Some(delay) = load.slow_sink_ms {
            let url = receiver::slow(Duration::from_millis(delay), &mut webhooks).await?;
            sinks.push(Sink { name: "slow", url });
        }
        let serving = Serving::start(&sinks)?;
        let before = measure::cpu_of(serving.id())?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let memory = tokio::spawn(sample_memory(serving.id(), stopped));
        let mut figures = send(load, seed, &serving.url, &received).await?;
        // Whoever takes the samples has ended if the daemon has; then nobody is told.
        stop.send(()).ok();
        let memory = memory.await?;
        let cpu = measure::cpu_of(serving.id())?.saturating_sub(before);
        let sent = figures.0.get("records").copied().unwrap_or_default();
        figures.set("cpu_us_each", cpu.as_secs_f64() * 1e6 / sent.max(1.0));
        figures.set("memory_mb", memory.iter().copied().fold(0.0, f64::max));
        figures.set("memory_growth", growth(&memory));
        serving.end()?;
        Ok(figures)
    })
}

/// The last quarter by the second one, their medians: the first is when everything gets going.
fn growth(samples: &[f64]) -> f64 {
    let quarter = samples.len() / 4;
    let median = |part: &[f64]| {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        percentile(&sorted, 0.5)
    };
    let second = samples.get(quarter..quarter.saturating_mul(2)).unwrap_or_default();
    let last = samples.get(samples.len().saturating_sub(quarter)..).unwrap_or_default();
    if second.is_empty() { 1.0 } else { median(last) / median(second).max(1e-9) }
}

async fn sample_memory(process: u32, mut stopped: tokio::sync::oneshot::Receiver<()>) -> Vec<f64> {
    let mut samples = Vec::new();
    loop {
        let Ok(sample) = measure::memory_mb(process) else { return samples };
        samples.push(sample);
        tokio::select! {
            () = sleep(SAMPLE) => {}
            _ = &mut stopped => return samples,
        }
    }
}

/// Makes the requests on a thread of its own, a few ahead.
fn requests(load: &DaemonLoad, seed: u64) -> mpsc::Receiver<Vec<u8>> {
    let (ready, taken) = mpsc::channel(AHEAD);
    let load = load.clone();
    thread::spawn(move || {
        let population = Population::new(load.principals);
        let rate = load.phases.iter().map(|phase| u64::from(phase.rate)).max().unwrap_or(1);
        let mut generator = Generator::new(seed, Stream::Shares(load.shares), population)
            .with_callers(load.callers)
            .with_step_micros(1_000_000 / rate.max(1));
        let records = usize::try_from(load.batch).unwrap_or(1);
        while ready.blocking_send(generator.lines(records)).is_ok() {}
    });
    taken
}

fn every(per_second: f64) -> Interval {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second.max(1e-3)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}

/// What is under way and what came back.
#[derive(Debug, Default)]
struct Sent {
    posts: JoinSet<anyhow::Result<(u16, Duration)>>,
    /// With their numbers.
    deciding: JoinSet<anyhow::Result<(usize, u16, Duration)>>,
    /// When each deciding record was sent.
    at: BTreeMap<usize, Instant>,
    records: u64,
}

async fn send(load: &DaemonLoad, seed: u64, url: &str, received: &Received) -> anyhow::Result<Figures> {
    let client = reqwest::Client::new();
    let mut requests = requests(load, seed);
    let mut deciding = every(f64::from(load.alerts_per_second));
    let mut sent = Sent::default();
    let began = Instant::now();
    for phase in &load.phases {
        let end = Instant::now() + Duration::from_secs_f64(phase.seconds);
        let mut ordinary = every(f64::from(phase.rate) / f64::from(load.batch));
        while Instant::now() < end {
            tokio::select! {
                _ = ordinary.tick() => {
                    let body = requests.recv().await.context("no more records")?;
                    sent.records = sent.records.saturating_add(load.batch.into());
                    sent.posts.spawn(post(client.clone(), url.to_owned(), body));
                }
                _ = deciding.tick() => {
                    let number = sent.at.len();
                    sent.at.insert(number, Instant::now());
                    let answer = post(client.clone(), url.to_owned(), decide(number, load.one_incident)?);
                    sent.deciding.spawn(async move { answer.await.map(|(status, took)| (number, status, took)) });
                }
            }
        }
    }
    let offered = load.phases.iter().map(|phase| f64::from(phase.rate) * phase.seconds).sum::<f64>();
    let took = began.elapsed();
    let mut figures = outcome(sent, load.batch, received).await?;
    figures.set("offered_share", figures.0.get("records").copied().unwrap_or_default() / offered.max(1.0));
    let accepted = figures.0.get("accepted").copied().unwrap_or_default();
    figures.set("records_per_second", accepted / took.as_secs_f64());
    figures.set("accepted_share", accepted / figures.0.get("records").copied().unwrap_or(1.0).max(1.0));
    figures.set("lag_s", began.elapsed().saturating_sub(took).as_secs_f64());
    Ok(figures)
}

/// Waits for every answer and every alert.
async fn outcome(mut sent: Sent, batch: u32, received: &Received) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut accepted = 0.0;
    for answer in sent.posts.join_all().await {
        accepted += if answer?.0 == 202 { f64::from(batch) } else { 0.0 };
    }
    let mut answered = Vec::new();
    let mut refused = 0_u64;
    for answer in sent.deciding.join_all().await {
        let (number, status, took) = answer?;
        if status == 202 {
            answered.push(took.as_secs_f64() * 1e3);
        } else {
            // What is refused would be sent again; its alert is not waited for.
            sent.at.remove(&number);
            refused = refused.saturating_add(1);
        }
    }
    let all = timeout(PATIENCE, received.complete(sent.at.len())).await;
    let missing = if all.is_ok() { 0 } else { sent.at.len().saturating_sub(received.all().len()) };
    figures.set("alerts_refused", real(refused));
    figures.set("alerts_missing", real(u64::try_from(missing)?));
    let received = received.all();
    let took = |(number, at): (&usize, &Instant)| {
        received.get(number).map(|got| got.saturating_duration_since(*at).as_secs_f64() * 1e3)
    };
    let mut times = sent.at.iter().filter_map(took).collect::<Vec<_>>();
    let quarter = times.len() / 4;
    let p99 = |part: Option<&[f64]>| {
        let mut sorted = part.unwrap_or_default().to_vec();
        sorted.sort_by(f64::total_cmp);
        percentile(&sorted, 0.99)
    };
    let (second, last) =
        (times.get(quarter..quarter.saturating_mul(2)), times.get(times.len().saturating_sub(quarter)..));
    figures.set("p99_growth", p99(last) / p99(second).max(1e-3));
    figures.set_times(&mut times);
    answered.sort_by(f64::total_cmp);
    figures.set("answer_p99_ms", percentile(&answered, 0.99));
    figures.set("records", real(sent.records));
    figures.set("accepted", accepted);
    figures.set("alerts", real(u64::try_from(times.len())?));
    Ok(figures)
}

async fn post(client: reqwest::Client, url: String, body: Vec<u8>) -> anyhow::Result<(u16, Duration)> {
    let began = Instant::now();
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await?;
    Ok((answer.status().as_u16(), began.elapsed()))
}

/// A record that raises an alert of its own. An alert is about a principal and a day, so each has a principal of its own;
/// what else ties alerts together is one for all, or each one's own too.
fn decide(number: usize, one_incident: bool) -> anyhow::Result<Vec<u8>> {
    let mut record: serde_json::Value = serde_json::from_str(DECIDING)?;
    let fields = record.as_object_mut().context("a record is an object")?;
    let whose = if one_incident { 0 } else { number };
    // 198.18.0.0/15 is set aside for measurements (RFC 2544).
    let [_, high, middle, low] = u32::try_from(whose).unwrap_or(u32::MAX).to_be_bytes();
    let address = format!("198.{}.{middle}.{low}", 18_u8.saturating_add(high & 1));
    let user = serde_json::json!({ "type": "IAMUser", "accountId": DECIDING_ACCOUNT, "userName": format!("ci-{number}"),
        "arn": format!("arn:aws:iam::{DECIDING_ACCOUNT}:user/ci-{number}"), "accessKeyId": format!("AKIA{whose:016}") });
    for (name, value) in [
        ("eventID", format!("{MARK}{number:0DIGITS$}").into()),
        ("recipientAccountId", DECIDING_ACCOUNT.into()),
        ("sourceIPAddress", address.into()),
        ("userIdentity", user),
    ] {
        fields.insert(name.to_owned(), value);
    }
    Ok(record.to_string().into_bytes())
}
