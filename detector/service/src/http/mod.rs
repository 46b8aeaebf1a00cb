//! The HTTP server: events in, and what the service knows out.
//!
//! On loopback it trusts the machine, though not web pages that point a browser at it. Beyond loopback every path but
//! `/healthz` and `/readyz` needs an API key. Deliberately no TLS: a load balancer or API destination ends it.

mod access;
mod console;
mod events;
mod health;
mod metrics;
mod views;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::{
    config::{ApiKey, HttpConfig},
    pipeline::{AlertView, Report},
    source::Intake,
    status::Status,
};

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct App {
    intake: Option<Intake>,
    view: AlertView,
    reports: watch::Receiver<Report>,
    pings: mpsc::Sender<oneshot::Sender<()>>,
    status: Status,
    api_keys: Arc<[ApiKey]>,
    /// Whether only this machine can connect.
    loopback: bool,
    body_bytes_max: usize,
    requests: Arc<Semaphore>,
}

/// What the server needs of the rest.
#[derive(Debug)]
pub struct Parts {
    /// Where posted records go; without it `POST /v1/events` is not there.
    pub intake: Option<Intake>,
    /// The alerts.
    pub view: AlertView,
    /// The counters.
    pub reports: watch::Receiver<Report>,
    /// Asks whether the loop turns.
    pub pings: mpsc::Sender<oneshot::Sender<()>>,
    /// What does not work.
    pub status: Status,
}

/// The server's paths, for a server that listens on `address`.
pub fn router(parts: Parts, config: &HttpConfig, api_keys: &[ApiKey], address: SocketAddr) -> Router {
    let app = App {
        intake: parts.intake,
        view: parts.view,
        reports: parts.reports,
        pings: parts.pings,
        status: parts.status,
        api_keys: Arc::from(api_keys),
        loopback: address.ip().is_loopback(),
        body_bytes_max: config.body_bytes_max,
        requests: Arc::new(Semaphore::new(config.requests_max)),
    };
    let mut router = Router::new()
        .route("/", get(console::page))
        .route("/console.css", get(console::style))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/alerts", get(views::alerts))
        .route("/v1/alerts/{id}", get(views::alert))
        .route("/v1/state", get(views::state));
    if app.intake.is_some() {
        router = router.route("/v1/events", post(events::post));
    }
    router
        .layer(middleware::from_fn_with_state(app.clone(), access::guard))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(app)
}
