//! Gathers from all over the service what metrics are read from.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::metric::Gathered;
use crate::{
    http::{Firing, SinkReports},
    incident::Gatherer,
    live_rules::LiveRules,
    pipeline::Report,
    status::Status,
    store::{Store, StoreError},
};

/// Knows where everything is counted. Clones are the same.
#[derive(Debug, Clone)]
pub struct Collector {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) incidents: Gatherer,
    pub(crate) rules: LiveRules,
    pub(crate) reports: watch::Receiver<Report>,
    pub(crate) status: Status,
    pub(crate) sinks: Arc<[String]>,
    pub(crate) sink_reports: SinkReports,
    pub(crate) firing: Firing,
}

impl Collector {
    /// Everything as it is now.
    ///
    /// # Errors
    /// When the store does not say what waits.
    pub async fn gather(&self) -> Result<Gathered, StoreError> {
        let mut waiting = Vec::new();
        for sink in self.sinks.iter() {
            waiting.push((sink.clone(), self.store.waiting(sink).await?));
        }
        Ok(Gathered {
            firing: self.firing.counts(&*self.store).await?,
            incidents_cut: self.incidents.cut(),
            sinks: (self.sink_reports.0)(),
            waiting,
            reloads: self.rules.reloads(),
            lags: self.status.lags(),
            ready: self.status.reasons().is_empty(),
            meters: Arc::clone(&self.status.telemetry().meters),
            report: self.reports.borrow().clone(),
            now: Timestamp::now(),
        })
    }
}
