//! What leaves the daemon, and how that ends: alerts first, then what machines are told.

use std::time::Duration;

use tokio::time::Instant;

use super::StartError;
use crate::{
    canary::Canaries,
    config::Config,
    sink::Workers,
    status::Status,
    store::Store,
    telemetry::{Outlet, Sending},
};

/// How long the last spans and metrics may take at a shutdown.
const TELEMETRY_GRACE: Duration = Duration::from_secs(2);

/// What says whether everything works and measures it, what waits for canaries, and what sends what is measured.
pub(super) fn measured(config: &Config) -> Result<(Status, Canaries, Outlet), StartError> {
    let (telemetry, outlet) = Outlet::new(&config.telemetry)?;
    let canaries = Canaries::measured(&telemetry.meters);
    Ok((Status::measured(telemetry), canaries, outlet))
}

/// What leaves the daemon: alerts to people, spans and metrics to machines.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) workers: Workers,
    pub(super) sending: Sending,
}

impl Outgoing {
    /// Tells sinks what is left of the grace, and then receivers of OTLP for a moment; what is not told by then, sinks
    /// are told after the next start.
    pub(super) async fn end(&self, store: &dyn Store, (began, grace): (Instant, Duration)) {
        self.workers.drain(grace.saturating_sub(began.elapsed())).await;
        say_what_waits(store, &self.workers).await;
        let rest = grace.saturating_sub(began.elapsed());
        self.sending.finish(rest.min(TELEMETRY_GRACE)).await;
    }
}

/// Says of each sink what it was told and what it will be told only after the next start.
async fn say_what_waits(store: &dyn Store, workers: &Workers) {
    for report in workers.counters() {
        let (sink, counted) = (report.name, report.counted);
        match store.waiting(&sink).await {
            Ok(waiting) => tracing::info!(sink, told = counted.told, waiting = waiting.alerts, "the sink has ended"),
            Err(error) => tracing::warn!(sink, %error, "the store does not say what waits for the sink"),
        }
    }
}
