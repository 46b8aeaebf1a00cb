//! Gathers from all over the service what metrics are read from.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};

use super::metric::Gathered;
use crate::{
    http::{Firing, SinkReports},
    incident::Gatherer,
    live_rules::LiveRules,
    pipeline::Report,
    status::Status,
    store::{Store, StoreError, Waiting},
};

/// How long the store may take; scrapes usually wait ten seconds.
const STORE_WAIT: Duration = Duration::from_secs(5);

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
    /// Everything as it is now. While the store does not answer, what it alone knows is left out: the rest is needed
    /// most then.
    pub async fn gather(&self) -> Gathered {
        let (waiting, firing) = match timeout(STORE_WAIT, self.stored()).await {
            Ok(Ok(stored)) => stored,
            Ok(Err(_)) | Err(_) => Default::default(),
        };
        Gathered {
            firing,
            incidents_cut: self.incidents.cut(),
            sinks: (self.sink_reports.0)(),
            waiting,
            reloads: self.rules.reloads(),
            lags: self.status.lags(),
            ready: self.status.reasons().is_empty(),
            meters: Arc::clone(&self.status.telemetry().meters),
            report: self.reports.borrow().clone(),
            now: Timestamp::now(),
        }
    }

    /// What waits for each sink, and how many alerts fire.
    async fn stored(&self) -> Result<(Vec<(String, Waiting)>, BTreeMap<Severity, u64>), StoreError> {
        let mut waiting = Vec::new();
        for sink in self.sinks.iter() {
            waiting.push((sink.clone(), self.store.waiting(sink).await?));
        }
        Ok((waiting, self.firing.counts(&*self.store).await?))
    }
}
