//! `replay --notify`: tells the alerts of a recording to the configured sinks, as they stand at its end.
//!
//! The same sinks and routes as the daemon's, through a store of their own that is thrown away. Standard output is left
//! out, because the replay itself prints there; so are waits and groups, because nothing more will come.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Status};
use bedrock_watch_service::{
    cloud::Cloud,
    config::{Config, delivery::SinkKind},
    format::{Colour, Format},
    incident::{Gatherer, Stages},
    routing::Router,
    sink::{Delivered, Surroundings, check_all, deliver_all},
    status,
    store::{Change, Store, sqlite::SqliteStore},
};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Failure, cloud, config, run::runtime};
use crate::terminal;

/// How long sinks may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The sinks that will be told. Made before the replay begins: a fault in the configuration must not show only after
/// hours of reading.
pub(super) struct Notifier {
    config: Config,
    /// For the store.
    folder: TempDir,
    /// Where connections live.
    runtime: Runtime,
    cloud: Option<Arc<dyn Cloud>>,
}

impl Notifier {
    /// Reads and checks the configuration in `file`.
    pub(super) fn prepare(file: &Path) -> Result<Self, Failure> {
        let mut config = config::load(Some(file))?;
        config.sinks.retain(|sink| !matches!(sink.kind, SinkKind::Stdout { .. }));
        if config.sinks.is_empty() {
            let message = format!("{}: --notify needs a [[sink]] other than standard output", file.display());
            return Err(Failure::Configuration(vec![message]));
        }
        let runtime = runtime()?;
        let cloud = runtime.block_on(cloud::connect(&config))?;
        check_all(&config.sinks, &config.routing, cloud.as_deref())
            .map_err(|error| Failure::Configuration(vec![format!("{}: {error}", file.display())]))?;
        let folder = tempfile::Builder::new().prefix("bedrock-watch-notify-").tempdir();
        Ok(Self { config, folder: folder.context("no temporary folder")?, runtime, cloud })
    }

    /// Tells `alerts`; an error when some sink did not hear of some.
    pub(super) fn tell(self, alerts: Vec<Alert>) -> Result<(), Failure> {
        let Self { config, folder, runtime, cloud } = self;
        let changes = routed(alerts, &config);
        terminal::say(&format!("telling {} alerts to {} sinks", changes.len(), config.sinks.len()));
        let delivered = runtime.block_on(async {
            let store = SqliteStore::open(&folder.path().join("notify.db"))?;
            let store: Arc<dyn Store> = Arc::new(store);
            let surroundings =
                Surroundings::wall(Box::new(std::io::sink()), Format::Json, Colour::Never, status::Status::default());
            let incidents = Gatherer::new(Arc::clone(&store), config.incidents.clone(), Stages::default());
            let surroundings = Surroundings { cloud, incidents: Some(incidents), ..surroundings };
            let sinks = (config.sinks.as_slice(), &config.routing);
            deliver_all(changes, sinks, &store, surroundings, PATIENCE).await.context("cannot notify")
        })?;
        report(&delivered)
    }
}

/// What the sinks are told: only those alerts that a route wants somewhere.
fn routed(alerts: Vec<Alert>, config: &Config) -> Vec<Change> {
    let router = Router::new(&config.routing, &config.sinks);
    let now = Timestamp::now();
    let changes = alerts.into_iter().filter_map(|mut alert| {
        // Also what is over by now is told where it would have been told when it fired.
        let routed = router.route(&alert, ChangeKind::Fired, &[], now);
        alert.severity = routed.severity;
        let mut destinations = routed.destinations;
        for destination in &mut destinations {
            (destination.not_before, destination.group, destination.skip_if_undone) = (None, None, false);
        }
        let kind = if alert.status == Status::Firing { ChangeKind::Fired } else { ChangeKind::Resolved };
        let change = Change {
            kind,
            alert: Arc::new(alert),
            trace_id: None,
            destinations,
            silence: None,
            suppressed: None,
            only_if_new: false,
        };
        (!change.destinations.is_empty()).then_some(change)
    });
    changes.collect()
}

fn report(delivered: &[Delivered]) -> Result<(), Failure> {
    let mut failed: u64 = 0;
    for sink in delivered {
        let Delivered { sink, told, waiting, dead } = sink;
        terminal::say(&format!("{sink}: {told} told, {waiting} not reached, {dead} refused"));
        failed = failed.saturating_add(*waiting).saturating_add(*dead);
    }
    if failed > 0 {
        return Err(anyhow::anyhow!("{failed} deliveries failed; the log says why").into());
    }
    Ok(())
}
