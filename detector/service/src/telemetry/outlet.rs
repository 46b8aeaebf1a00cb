//! The tasks that send: spans as they come, metrics every so often.
//!
//! They share nothing with the rest but the queue of spans and numbers that are read. A receiver that is away, slow or
//! hangs costs what waits in the queue and a line in the log now and then.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, trace::SpanData};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Collector, Sent, Telemetry,
    otlp::{self, Client, ClientError, Request, SendError},
    spans::Spans,
};
use crate::config::telemetry::TelemetryConfig;

/// Spans of one request.
const SPANS_MAX: usize = 512;
/// How long the first span of a request waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How often a request is made before what it holds is given up.
const TRIES_MAX: u32 = 3;
/// Pause after the first try, and so much more after each.
const AGAIN: Duration = Duration::from_secs(1);

/// What will send, once it is started.
#[derive(Debug)]
pub struct Outlet {
    traces: Option<(Client, mpsc::Receiver<SpanData>)>,
    metrics: Option<(Client, Duration)>,
    resource: Resource,
    telemetry: Telemetry,
}

/// What sends.
#[derive(Debug, Clone)]
pub struct Sending {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Outlet {
    /// What the configuration asks for.
    ///
    /// # Errors
    /// When a header or TLS cannot be used.
    pub fn new(config: &TelemetryConfig) -> Result<(Telemetry, Self), ClientError> {
        let mut telemetry = Telemetry::default();
        let mut traces = None;
        if let Some(signal) = &config.traces {
            let client = Client::new(signal)?;
            tracing::info!(host = client.host(), protocol = ?signal.protocol, "traces are sent");
            let (spans, waiting) = Spans::queue(config.batches_sampled_per_million);
            telemetry.spans = spans;
            traces = Some((client, waiting));
        }
        let mut metrics = None;
        if let Some(signal) = &config.metrics {
            let client = Client::new(signal)?;
            tracing::info!(host = client.host(), protocol = ?signal.protocol, "metrics are sent");
            metrics = Some((client, config.metrics_every));
        }
        let outlet = Self { traces, metrics, resource: resource(config), telemetry: telemetry.clone() };
        Ok((telemetry, outlet))
    }

    /// Sends from now on.
    #[must_use]
    pub fn start(self, collector: Collector) -> Sending {
        let sending = Sending { tasks: TaskTracker::new(), stop: CancellationToken::new() };
        let Self { traces, metrics, resource, telemetry } = self;
        if let Some((client, spans)) = traces {
            let link = Link { client, stop: sending.stop.clone(), failures: 0 };
            sending.tasks.spawn(send_spans(link, spans, resource.clone(), telemetry.clone()));
        }
        if let Some((client, every)) = metrics {
            let link = Link { client, stop: sending.stop.clone(), failures: 0 };
            sending.tasks.spawn(send_metrics(link, every, resource, collector, telemetry));
        }
        sending.tasks.close();
        sending
    }
}

impl Sending {
    /// Sends what waits, for at most `limit`, and ends.
    pub async fn finish(&self, limit: Duration) {
        self.stop.cancel();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!("the receiver of OTLP did not take the last spans and metrics in time");
        }
    }
}

/// Who it is from, by OpenTelemetry's conventions; what is configured goes before what is known.
fn resource(config: &TelemetryConfig) -> Resource {
    let instance = format!("{:032x}", fastrand::u128(..));
    let standard = [
        KeyValue::new("service.name", "bedrock-watch"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance),
        KeyValue::new("telemetry.sdk.name", "bedrock-watch"),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    let given = config.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty().with_attributes(standard).with_attributes(given).build()
}

/// The way to a receiver, and how it has been of late.
struct Link {
    client: Client,
    stop: CancellationToken,
    failures: u32,
}

impl Link {
    /// Sends a request, again if that may help; says how many of its items were refused, or that none was taken.
    async fn send<T: Request>(&mut self, request: &T) -> Result<u64, SendError> {
        let mut tries = 1;
        let outcome = loop {
            match self.client.send(request).await {
                // When it ends there is no time to wait.
                Err(error) if error.temporary && tries < TRIES_MAX && !self.stop.is_cancelled() => {
                    self.stop.run_until_cancelled(tokio::time::sleep(AGAIN.saturating_mul(tries))).await;
                    tries = tries.saturating_add(1);
                }
                outcome => break outcome,
            }
        };
        self.note(T::SIGNAL, outcome.as_ref().err());
        outcome
    }

    /// Says in the log when it begins to fail, now and then while it does, and when it works again.
    fn note(&mut self, signal: &str, error: Option<&SendError>) {
        if let Some(error) = error {
            self.failures = self.failures.saturating_add(1);
            if self.failures.is_power_of_two() {
                let (host, failures) = (self.client.host(), self.failures);
                tracing::warn!(signal, host, failures, %error, "OTLP is not taken; detection goes on");
            }
        } else if self.failures > 0 {
            tracing::info!(signal, failures = self.failures, "OTLP is taken again");
            self.failures = 0;
        }
    }
}

fn count(sent: &Sent, items: usize, outcome: &Result<u64, SendError>) {
    let items = u64::try_from(items).unwrap_or(u64::MAX);
    let rejected = outcome.as_ref().map_or(items, |rejected| (*rejected).min(items));
    sent.failed.add(rejected);
    sent.exported.add(items.saturating_sub(rejected));
}

async fn send_spans(mut link: Link, mut spans: mpsc::Receiver<SpanData>, resource: Resource, telemetry: Telemetry) {
    let stop = link.stop.clone();
    let mut request = Vec::new();
    loop {
        let stopped = stop.run_until_cancelled(gather(&mut spans, &mut request)).await.is_none();
        if stopped {
            // What waits, and nothing that comes after it.
            let waits = spans.len().min(SPANS_MAX.saturating_sub(request.len()));
            request.extend((0..waits).map_while(|_| spans.try_recv().ok()));
        }
        if request.is_empty() {
            return;
        }
        let items = request.len();
        let outcome = link.send(&otlp::traces(&resource, std::mem::take(&mut request))).await;
        count(&telemetry.meters.spans, items, &outcome);
        if stopped && outcome.is_err() {
            return;
        }
    }
}

/// Waits for spans: until there are enough for a request, or the first has waited for some time.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, request: &mut Vec<SpanData>) {
    if request.is_empty() && spans.recv_many(request, SPANS_MAX).await == 0 {
        // Nobody traces any more; the end is told otherwise.
        std::future::pending::<()>().await;
    }
    let end = Instant::now() + GATHER;
    while request.len() < SPANS_MAX {
        let room = SPANS_MAX.saturating_sub(request.len());
        match timeout_at(end, spans.recv_many(request, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

async fn send_metrics(mut link: Link, every: Duration, resource: Resource, collector: Collector, telemetry: Telemetry) {
    let (stop, start) = (link.stop.clone(), Timestamp::now());
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first one is at once, when there is nothing to say.
    ticks.tick().await;
    loop {
        let stopped = stop.run_until_cancelled(ticks.tick()).await.is_none();
        let outcome = link.send(&otlp::metrics(&resource, &collector.gather().await, start)).await;
        // Points are refused one by one, and here sets are counted.
        let outcome = outcome.map(|rejected| u64::from(rejected > 0));
        count(&telemetry.meters.metrics, 1, &outcome);
        if stopped {
            return;
        }
    }
}
