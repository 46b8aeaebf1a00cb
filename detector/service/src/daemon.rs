//! Puts the service together from its configuration, and takes it down in order.
//!
//! Down means: sources stop, what they handed over is judged, sinks empty their queues, the memory is kept. All of it
//! within the configured grace.

use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};

use bedrock_watch_engine::{Engine, SnapshotError, alert::AlertChange, rule::RuleSet};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, SinkKind, SourceConfig},
    format::{Colour, Format},
    http,
    pipeline::{AlertView, Clock, Parts, Pipeline, Report, Told},
    routing::ActiveSilences,
    sink::{self, Sink, SinkError, SinkHandle, Stdout},
    source::{Follow, Intake, Stdin},
    state_file::{StateError, StateFile},
    status::Status,
    store::{Change, Commit, Store, StoreError, sqlite::SqliteStore},
};

/// Questions to the loop that may wait.
const PINGS_MAX: usize = 16;
/// Stored changes that may wait for those who watch.
const TOLD_MAX: usize = 1_024;
/// Sources get this share of the grace, in percent; the rest is for judging, sinks and memory.
const SOURCES_GRACE_PERCENT: u32 = 50;

/// What the daemon needs of its surroundings.
pub struct Surroundings {
    /// Standard output.
    pub stdout: Box<dyn Write + Send>,
    /// The form of alerts there, where the configuration leaves it open.
    pub format: Format,
    /// Whether alerts are coloured there.
    pub colour: Colour,
    /// What time it is.
    pub clock: Clock,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The snapshot in the state file cannot be used.
    #[error("the memory in {file} cannot be used: {source}")]
    Snapshot {
        /// The state file.
        file: String,
        /// Why.
        source: SnapshotError,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// HTTPS is not possible.
    #[error(transparent)]
    Tls(#[from] http::TlsError),
    /// The address is not free.
    #[error("cannot listen on {address}: {source}; choose another `listen` in [http], port 0 for any free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Why the daemon did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The memory was not kept at the end.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something took too long.
    #[error("shutting down took longer than {0} s; what was not yet judged or delivered is lost")]
    Grace(u64),
    /// A task failed.
    #[error("the loop failed: {0}")]
    Loop(#[from] tokio::task::JoinError),
}

/// A daemon whose sources are attached.
#[derive(Debug)]
pub struct Daemon {
    pipeline: Pipeline,
    view: AlertView,
    address: Option<SocketAddr>,
    grace: Duration,
    /// Tasks that hand over records.
    sources: TaskTracker,
    /// Tasks that deliver alerts.
    sinks: TaskTracker,
    stop_sources: CancellationToken,
    stop_loop: CancellationToken,
}

impl Daemon {
    /// Restores the memory, starts sinks and attaches sources.
    ///
    /// # Errors
    /// When the memory or the address cannot be used.
    pub async fn start(config: &Config, rules: Arc<RuleSet>, surroundings: Surroundings) -> Result<Self, StartError> {
        let (engine, state, positions) = restore(config, rules)?;
        let status = Status::default();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.store.path)?);
        let told = broadcast::Sender::new(TOLD_MAX);
        let (sources, sinks) = (TaskTracker::new(), TaskTracker::new());
        let (stop_sources, stop_loop) = (CancellationToken::new(), CancellationToken::new());
        let view = AlertView::of(&engine, config.engine.limits.alerts_max);
        let (reports_in, reports) = watch::channel(Report::default());
        let (pings_in, pings) = mpsc::channel(PINGS_MAX);
        let (intake, batches) = Intake::queue("http", config.pipeline.queue_batches_max);

        let has_http_source = config.sources.contains(&SourceConfig::Http);
        let parts = http::Parts {
            intake: has_http_source.then(|| intake.clone()),
            store: Arc::clone(&store),
            told: told.clone(),
            nudge: http::Nudge(Arc::new(|| {})),
            silences: ActiveSilences::default(),
            reports,
            pings: pings_in,
            status: status.clone(),
            sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        };
        let address = serve(config, parts, &sources, &stop_sources).await?;
        for source in &config.sources {
            attach(source, &intake, &positions, (&sources, &stop_sources, &status));
        }
        sources.close();
        let pipeline = Pipeline::new(Parts {
            engine,
            clock: surroundings.clock,
            future_s: config.pipeline.future_s,
            intake: batches,
            pings,
            sinks: {
                let mut handles = start_sinks(config, surroundings, &sinks, &status);
                handles.push(sink::start(Recorder { store, told }, &sinks, status.clone()));
                handles
            },
            view: view.clone(),
            reports: reports_in,
            state: Arc::new(state),
            positions,
            save_every: Duration::from_secs(config.store.snapshot_interval_s),
            status,
            stop: stop_loop.clone(),
        });
        sinks.close();
        let grace = Duration::from_secs(config.shutdown_grace_s);
        Ok(Self { pipeline, view, address, grace, sources, sinks, stop_sources, stop_loop })
    }

    /// Where the HTTP server listens.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The alerts.
    #[must_use]
    pub fn alerts(&self) -> AlertView {
        self.view.clone()
    }

    /// Runs until `shutdown`, or until every source has ended, and then takes everything down.
    ///
    /// # Errors
    /// When memory was not kept or the grace was not enough.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let tracker = TaskTracker::new();
        let mut pipeline = tracker.spawn(self.pipeline.run());
        let ended = tokio::select! {
            ended = &mut pipeline => Some(ended),
            () = shutdown => None,
        };
        tracing::info!("shutting down");
        self.stop_sources.cancel();
        let down = async {
            let kept = match ended {
                Some(ended) => ended,
                None => {
                    let patience = self.grace.saturating_mul(SOURCES_GRACE_PERCENT) / 100;
                    if tokio::time::timeout(patience, self.sources.wait()).await.is_err() {
                        tracing::warn!("a source or client has not ended in time and is left behind");
                    }
                    self.stop_loop.cancel();
                    pipeline.await
                }
            };
            self.sinks.wait().await;
            kept
        };
        match tokio::time::timeout(self.grace, down).await {
            Ok(kept) => Ok(kept??),
            Err(_) => Err(RunError::Grace(self.grace.as_secs())),
        }
    }
}

/// Stopgap until the loop commits to the store itself.
#[derive(Debug)]
struct Recorder {
    store: Arc<dyn Store>,
    told: broadcast::Sender<Told>,
}

impl Sink for Recorder {
    fn name(&self) -> String {
        "store".to_owned()
    }

    async fn deliver(&mut self, change: &AlertChange) -> Result<(), SinkError> {
        let failed = |error: StoreError| SinkError::Write(std::io::Error::other(error));
        let (kind, alert) = (change.kind, Arc::new(change.alert.clone()));
        let id = alert.id.clone();
        let change = Change { kind, alert, trace_id: None, destinations: Vec::new(), silence: None };
        let commit = Commit { changes: vec![change], ..Commit::default() };
        self.store.commit(commit, jiff::Timestamp::now()).await.map_err(failed)?;
        if let Some(alert) = self.store.alert(&id).await.map_err(failed)? {
            self.told.send(Told { kind, alert: Arc::new(alert) }).map(drop).unwrap_or_default();
        }
        Ok(())
    }
}

type Positions = std::collections::BTreeMap<String, String>;

fn restore(config: &Config, rules: Arc<RuleSet>) -> Result<(Engine, StateFile, Positions), StartError> {
    let state = StateFile::claim(&config.store.path.with_extension("state"))?;
    let Some(kept) = state.load()? else {
        tracing::info!(file = %state.path().display(), "starting without memory; it will be kept in this file");
        return Ok((Engine::new(rules, config.engine.clone()), state, Positions::new()));
    };
    let engine = Engine::restore(rules, config.engine.clone(), &kept.snapshot)
        .map_err(|source| StartError::Snapshot { file: state.path().display().to_string(), source })?;
    tracing::info!(file = %state.path().display(), "memory restored");
    Ok((engine, state, kept.positions))
}

async fn serve(
    config: &Config,
    parts: http::Parts,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(http) = &config.http else { return Ok(None) };
    let error = |source| StartError::Listen { address: http.listen, source };
    let listener = TcpListener::bind(http.listen).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    let tls = http.tls.as_ref().map(http::acceptor).transpose()?;
    tracing::info!(%address, "listening");
    let router = http::router(parts, http, &config.api_keys, address, (tracker, stop));
    tracker.spawn(http::serve(listener, router, http.connections_max, tls, stop.clone()));
    Ok(Some(address))
}

fn attach(
    source: &SourceConfig,
    intake: &Intake,
    positions: &Positions,
    (tracker, stop, status): (&TaskTracker, &CancellationToken, &Status),
) {
    match source {
        // It is a path of the HTTP server, which is there already.
        SourceConfig::Http => {}
        SourceConfig::Stdin => {
            // The thread sits in a read that only the other side can end, so nothing waits for it; it leaves with the
            // process. That is why it is not tracked.
            Stdin::new(intake.named("stdin")).start();
            tracing::info!("reading standard input");
        }
        SourceConfig::File { path, from_start, poll_ms } => {
            let name = format!("file {}", path.display());
            let resume = positions.get(&name).cloned();
            tracing::info!(path = %path.display(), resumes = resume.is_some(), "following");
            let follow = Follow {
                path: path.clone(),
                from_start: *from_start,
                poll: Duration::from_millis(*poll_ms),
                resume,
                intake: intake.named(&name),
                stop: stop.clone(),
                status: status.clone(),
            };
            tracker.spawn_blocking(move || follow.run());
        }
    }
}

fn start_sinks(config: &Config, surroundings: Surroundings, tracker: &TaskTracker, status: &Status) -> Vec<SinkHandle> {
    // Standard output is one stream: however often it is configured, the first one has it.
    let mut stream = Some(surroundings.stdout);
    let started = config.sinks.iter().filter_map(|sink| {
        let SinkKind::Stdout { format } = sink.kind else { return None };
        let format = format.unwrap_or(surroundings.format);
        let stdout = Stdout::new(stream.take()?, format, surroundings.colour);
        Some(sink::start(stdout, tracker, status.clone()))
    });
    started.collect()
}
