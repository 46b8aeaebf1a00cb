//! The HTTP server: events in, and what the service knows out.
//!
//! On loopback it trusts the machine, though not web pages that point a browser at it. Beyond loopback every path but
//! `/healthz` and `/readyz` needs an API key. `openapi.json` documents every path, and a test compares it with
//! [`paths`] and with what a running server answers.

mod access;
mod alerts;
mod body;
mod console;
mod events;
mod firing;
mod health;
mod incidents;
mod knowledge;
mod limit;
mod links;
mod metrics;
mod serve;
mod silences;
mod state;
mod stream;
mod tls;
mod view;
pub mod wire;

use std::{fmt, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use access::Peer;
pub use firing::Firing;
pub use links::Link;
pub use serve::serve;
pub use tls::{Tls, TlsError};

use crate::{
    config::{ApiKey, HttpConfig},
    incident::{Contacts, Gatherer},
    live_rules::LiveRules,
    pipeline::{Question, Report, Told},
    routing::ActiveSilences,
    sink::SinkReport,
    source::Intake,
    status::Status,
    store::Store,
    telemetry::Collector,
};

/// Clients that may watch the stream at once.
const WATCHERS_MAX: usize = 64;
/// What documents the server, for programs.
const OPENAPI: &str = include_str!("../../openapi.json");

/// Wakes the workers of the sinks.
#[derive(Clone)]
pub struct Nudge(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Nudge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nudge")
    }
}

/// Reads what the sinks have done.
#[derive(Clone)]
pub struct SinkReports(pub Arc<dyn Fn() -> Vec<SinkReport> + Send + Sync>);

impl fmt::Debug for SinkReports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SinkReports")
    }
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    intake: Option<Intake>,
    store: Arc<dyn Store>,
    incidents: Gatherer,
    contacts: Arc<Contacts>,
    collector: Collector,
    told: broadcast::Sender<Arc<Told>>,
    feed: stream::Feed,
    nudge: Nudge,
    silences: ActiveSilences,
    rules: LiveRules,
    reports: watch::Receiver<Report>,
    questions: mpsc::Sender<Question>,
    knowledge: knowledge::Knowledge,
    status: Status,
    sinks: Arc<[String]>,
    links: Arc<[Link]>,
    sink_reports: SinkReports,
    firing: Firing,
    api_keys: Arc<[ApiKey]>,
    /// Whether only this machine can connect.
    loopback: bool,
    body_bytes_max: usize,
    requests: Arc<Semaphore>,
    limiter: Arc<limit::Limiter>,
    watchers: Arc<Semaphore>,
    stop: CancellationToken,
}

/// What the server needs of the rest.
#[derive(Debug)]
pub struct Parts {
    /// Where posted records go; without it `POST /v1/events` answers 404.
    pub intake: Option<Intake>,
    /// Alerts, silences and what waits for sinks.
    pub store: Arc<dyn Store>,
    /// Which alerts belong together.
    pub incidents: Gatherer,
    /// Who to turn to in an incident.
    pub contacts: Contacts,
    /// The changes that are stored; resolutions by hand are added to them here.
    pub told: broadcast::Sender<Arc<Told>>,
    /// Wakes the sinks after a resolution by hand.
    pub nudge: Nudge,
    /// The silences as the loop sees them; read anew when one is made or ended here.
    pub silences: ActiveSilences,
    /// The rules in force, and what became of reading them again.
    pub rules: LiveRules,
    /// The counters.
    pub reports: watch::Receiver<Report>,
    /// Questions to the loop.
    pub questions: mpsc::Sender<Question>,
    /// What does not work.
    pub status: Status,
    /// The names of the sinks.
    pub sinks: Vec<String>,
    /// What else stands between AWS and people.
    pub links: Vec<Link>,
    /// What the sinks have done.
    pub sink_reports: SinkReports,
}

impl Parts {
    /// What metrics are gathered from.
    #[must_use]
    pub fn collector(&self) -> Collector {
        Collector {
            store: Arc::clone(&self.store),
            incidents: self.incidents.clone(),
            rules: self.rules.clone(),
            reports: self.reports.clone(),
            status: self.status.clone(),
            sinks: self.sinks.clone().into(),
            sink_reports: self.sink_reports.clone(),
            firing: Firing::default(),
        }
    }
}

/// The server's paths, for a server that listens on `address`. What feeds the stream runs on `tracker` until `stop`,
/// which also ends the streams.
pub fn router(
    parts: Parts,
    config: &HttpConfig,
    api_keys: &[ApiKey],
    address: SocketAddr,
    (tracker, stop): (&TaskTracker, &CancellationToken),
) -> Router {
    let feed = stream::Feed::new();
    tracker.spawn(feed.clone().pump(parts.told.subscribe(), stop.clone()));
    let collector = parts.collector();
    let app = App {
        intake: parts.intake,
        store: parts.store,
        firing: collector.firing.clone(),
        collector,
        incidents: parts.incidents,
        contacts: Arc::new(parts.contacts),
        told: parts.told,
        feed,
        nudge: parts.nudge,
        silences: parts.silences,
        rules: parts.rules,
        reports: parts.reports,
        questions: parts.questions,
        knowledge: knowledge::Knowledge::default(),
        status: parts.status,
        sinks: Arc::from(parts.sinks),
        links: Arc::from(parts.links),
        sink_reports: parts.sink_reports,
        api_keys: Arc::from(api_keys),
        loopback: address.ip().is_loopback(),
        body_bytes_max: config.body_bytes_max,
        requests: Arc::new(Semaphore::new(config.requests_max)),
        limiter: Arc::new(limit::Limiter::new(config.requests_per_s)),
        watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
        stop: stop.clone(),
    };
    let mut router = Router::new();
    for (path, _, handlers) in table() {
        router = router.route(path, handlers);
    }
    router
        .fallback(|| async { access::refuse(StatusCode::NOT_FOUND, "there is no such path; see /v1/openapi.json") })
        .method_not_allowed_fallback(|| async {
            access::refuse(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; see /v1/openapi.json")
        })
        .layer(middleware::from_fn_with_state(app.clone(), access::guard))
        .with_state(app)
}

/// Every path with its methods, as the documentation must have them.
#[must_use]
pub fn paths() -> Vec<(&'static str, &'static [&'static str])> {
    table().into_iter().map(|(path, methods, _)| (path, methods)).collect()
}

type Entry = (&'static str, &'static [&'static str], MethodRouter<App>);

fn table() -> Vec<Entry> {
    vec![
        ("/", &["get"], get(console::page)),
        ("/console/{file}", &["get"], get(console::file)),
        ("/healthz", &["get"], get(health::alive)),
        ("/readyz", &["get"], get(health::ready)),
        ("/metrics", &["get"], get(metrics::metrics)),
        ("/v1/events", &["post"], post(events::post)),
        ("/v1/alerts", &["get"], get(alerts::list)),
        ("/v1/alerts/{id}", &["get"], get(alerts::show)),
        ("/v1/alerts/{id}/resolve", &["post"], post(alerts::resolve)),
        ("/v1/incidents", &["get"], get(incidents::list)),
        ("/v1/incidents/{id}", &["get"], get(incidents::show)),
        (
            "/v1/silences",
            &["get", "post", "delete"],
            get(silences::list).post(silences::add).delete(silences::end_named),
        ),
        ("/v1/silences/{id}", &["delete"], delete(silences::end_at)),
        ("/v1/state", &["get"], get(state::state)),
        ("/v1/stream", &["get"], get(stream::stream)),
        ("/v1/openapi.json", &["get"], get(openapi)),
    ]
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
