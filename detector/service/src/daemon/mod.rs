//! Puts the service together from its configuration, and takes it down in order.
//!
//! Down means: sources stop, what they handed over is judged and stored, the memory is kept, and sinks have what is left
//! of the configured grace. What is not delivered by then waits in the store for the next start.

mod evidence;
mod loops;
mod outgoing;
mod sources;

use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    evidence::Evidence,
    loops::{Loop, Shell},
    outgoing::{Outgoing, measured},
};
use crate::{
    cloud::{Beside, Cloud, CloudError},
    config::{Config, SourceConfig},
    evidence::Watched,
    format::{Colour, Format},
    http::{self, Tls},
    incident::{Gatherer, Stages},
    live_rules::LiveRules,
    pipeline::{Clock, PipelineError, Report, RestoreError, Told},
    routing::{ActiveSilences, Router},
    sink::{self, Confirmations, Workers},
    source::Intake,
    status::Status,
    store::{Store, StoreError, sqlite::SqliteStore},
    telemetry,
    units::UnitError,
};

/// Questions to the loop that may wait.
const QUESTIONS_MAX: usize = 16;
/// Stored changes that a slow listener may lag behind before it misses some.
const TOLD_MAX: usize = 1_024;
/// Sources get this share of the grace, in percent; the rest is for judging, memory and sinks.
const SOURCES_GRACE_PERCENT: u64 = 50;
/// How often it is looked whether there is a new certificate.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60);
/// How often silences are read from the store, where commands may have changed them.
const SILENCES_EVERY: Duration = Duration::from_secs(2);
/// How often alerts that nothing has changed for long are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// The name under which starting appears in `/readyz`.
const STARTING: &str = "starting";

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
    /// What a build with AWS adds.
    pub cloud: Option<Arc<dyn Cloud>>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The memory cannot be used.
    #[error(transparent)]
    Memory(#[from] RestoreError),
    /// A sink cannot be told.
    #[error(transparent)]
    Sink(#[from] sink::StartError),
    /// HTTPS is not possible.
    #[error(transparent)]
    Tls(#[from] http::TlsError),
    /// Something of AWS cannot be set up.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// This build lacks AWS.
    #[error("this build has no AWS, which the configuration asks for: {0}; use the standard build, or remove it")]
    NoCloud(String),
    /// Telemetry cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] telemetry::ClientError),
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
    /// The loop failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A shard was not given back in order.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// Something took too long.
    #[error("shutting down took longer than {0} s; what was accepted is stored, the rest was not accepted")]
    Grace(u64),
    /// A task failed.
    #[error("the loop failed: {0}")]
    Loop(#[from] tokio::task::JoinError),
}

/// What the store says is silenced now.
async fn silences_in_force(store: &dyn Store) -> Result<ActiveSilences, StartError> {
    let silences = ActiveSilences::default();
    silences.refresh(store, Timestamp::now()).await?;
    Ok(silences)
}

/// A daemon whose sources are attached.
#[derive(Debug)]
pub struct Daemon {
    looping: Loop,
    store: Arc<dyn Store>,
    address: Option<SocketAddr>,
    grace: Duration,
    /// Tasks that hand over records.
    sources: TaskTracker,
    stop_sources: CancellationToken,
    stop_loop: CancellationToken,
    outgoing: Outgoing,
    /// Tasks that keep the house; nothing waits for them.
    chores: (TaskTracker, CancellationToken),
    evidence: Evidence,
}

impl Daemon {
    /// Opens the store, restores the memory, starts sinks and attaches sources. `rules` are a set that stays, or
    /// [`LiveRules`] that change with their source.
    ///
    /// # Errors
    /// When the store, the memory or the address cannot be used.
    pub async fn start(
        config: &Config,
        rules: impl Into<LiveRules>,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let (rules, cloud): (LiveRules, _) = (rules.into(), surroundings.cloud.clone());
        let store = open_store(config, cloud.as_deref()).await?;
        let (status, canaries, outlet) = measured(config)?;
        let remembered = loops::remember(config, &store, &rules).await?;
        let (sources, stop_sources, stop_loop) =
            (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let (reports_in, reports) = watch::channel(Report::default());
        let (questions_in, questions) = mpsc::channel(QUESTIONS_MAX);
        let (intake, batches) = Intake::queue("http", config.pipeline.queue_batches_max);
        let (told, _) = broadcast::channel::<Arc<Told>>(TOLD_MAX);
        let silences = silences_in_force(&*store).await?;

        // What can fail comes first: nothing must be told by a daemon that does not start.
        let bound = bind(config).await?;
        let (address, clock) = (bound.as_ref().map(|bound| bound.address), surroundings.clock);
        let (chores, stop_chores) = (TaskTracker::new(), CancellationToken::new());
        // Before the sinks, so that nothing is in the evidence before the beginning.
        let watched = Watched::new(&store, (&rules, &status), &canaries, &reports);
        let evidence = Evidence::begin(config, watched, cloud.as_deref(), &chores).await?;
        let incidents = Gatherer::new(Arc::clone(&store), config.incidents.clone(), Stages::of(rules.clone()));
        let workers = start_sinks(config, &store, (&status, &silences, &incidents), (surroundings, &intake))?;
        let (nudged, nudged_by_http, reported) = (workers.clone(), workers.clone(), workers.clone());

        let parts = http::Parts {
            intake: config.sources.contains(&SourceConfig::Http).then(|| intake.clone()),
            store: Arc::clone(&store),
            incidents,
            contacts: config.contacts.clone(),
            told: told.clone(),
            nudge: http::Nudge(Arc::new(move || nudged_by_http.nudge())),
            silences: silences.clone(),
            rules: rules.clone(),
            reports,
            questions: questions_in,
            status: status.clone(),
            sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
            links: http::Link::of(config),
            sink_reports: http::SinkReports(Arc::new(move || reported.counters())),
        };
        let outgoing = Outgoing { workers, sending: outlet.start(parts.collector()) };
        // From here on `/readyz` is answered, and not everything that has a say in it is there.
        status.set(STARTING, "not everything is set up yet");
        let tls = serve(config, bound, parts, (&sources, &stop_sources));
        rules.watch().map(|watch| chores.spawn(watch.keep_fresh(stop_chores.clone())));
        let shell = Shell {
            store: Arc::clone(&store),
            rules,
            clock,
            router: Router::new(&config.routing, &config.sinks),
            silences: silences.clone(),
            nudge: Arc::new(move || nudged.nudge()),
            told,
            canaries: canaries.clone(),
            status: status.clone(),
            cloud: cloud.clone(),
            intake: intake.clone(),
            batches,
            questions,
            reports: reports_in,
            sources: sources.clone(),
            stop_sources: stop_sources.clone(),
            stop_loop: stop_loop.clone(),
            chores: chores.clone(),
        };
        let looping = shell.start(config, remembered).await?;
        sources.close();
        let (tracker, stop) = (chores.clone(), stop_chores.clone());
        let beside = Beside { intake: intake.named("inventory"), canaries, status: status.clone(), tracker, stop };
        cloud.map_or(Ok(()), |cloud| cloud.start_beside(config, beside))?;
        keep_house(config, &store, (silences, tls), (&chores, &stop_chores));
        status.clear(STARTING);
        let (grace, chores) = (Duration::from_secs(config.shutdown_grace_s), (chores, stop_chores));
        Ok(Self { looping, store, address, grace, sources, stop_sources, stop_loop, outgoing, chores, evidence })
    }

    /// Where the HTTP server listens.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Runs until `shutdown`, or until every source has ended, and then takes everything down.
    ///
    /// # Errors
    /// When memory was not kept or the grace was not enough.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let tracker = TaskTracker::new();
        let mut looping = tracker.spawn(self.looping.run());
        let ended = tokio::select! {
            ended = &mut looping => Some(ended),
            () = shutdown => None,
        };
        tracing::info!("shutting down");
        let began = Instant::now();
        self.stop_sources.cancel();
        let judged = async {
            match ended {
                Some(ended) => ended,
                None => {
                    let patience = sources_grace(self.grace);
                    if tokio::time::timeout(patience, self.sources.wait()).await.is_err() {
                        tracing::warn!("a source or client has not ended in time and is left behind");
                    }
                    self.stop_loop.cancel();
                    looping.await
                }
            }
        };
        let judged = tokio::time::timeout(self.grace, judged).await;
        let judged = match judged {
            Ok(judged) => judged.unwrap_or_else(|error| Err(RunError::Loop(error))),
            Err(_) => Err(RunError::Grace(self.grace.as_secs())),
        };
        // Everything is stored. What sinks are not told in the rest of the grace, they are told after the next start.
        self.outgoing.end(&*self.store, (began, self.grace)).await;
        self.evidence.end(judged.is_ok()).await;
        let (chores, stop_chores) = self.chores;
        stop_chores.cancel();
        chores.close();
        judged
    }
}

/// Opens the store that is configured; says so where this build lacks what the configuration asks for.
async fn open_store(config: &Config, cloud: Option<&dyn Cloud>) -> Result<Arc<dyn Store>, StartError> {
    let needs = config.needs_aws();
    if cloud.is_none() && !needs.is_empty() {
        return Err(StartError::NoCloud(needs.join(", ")));
    }
    Ok(match (&config.store.dynamodb, cloud) {
        (Some(dynamodb), Some(cloud)) => cloud.store(dynamodb).await?,
        _ => Arc::new(SqliteStore::open(&config.store.path)?),
    })
}

/// Starts the workers of the sinks.
fn start_sinks(
    config: &Config,
    store: &Arc<dyn Store>,
    (status, silences, incidents): (&Status, &ActiveSilences, &Gatherer),
    (surroundings, intake): (Surroundings, &Intake),
) -> Result<Workers, StartError> {
    let Surroundings { stdout, format, colour, cloud, .. } = surroundings;
    let confirmations = cloud.as_ref().and_then(|cloud| confirmations(config, &**cloud, intake));
    let told_to = sink::Surroundings {
        cloud,
        silences: silences.clone(),
        confirmations,
        incidents: Some(incidents.clone()),
        ..sink::Surroundings::wall(stdout, format, colour, status.clone())
    };
    Ok(sink::start_all(&config.sinks, &config.routing, store, told_to)?)
}

/// How long sources may take to end.
const fn sources_grace(grace: Duration) -> Duration {
    Duration::from_millis(grace.as_secs().saturating_mul(SOURCES_GRACE_PERCENT * 10))
}

/// Starts what keeps the house: silences and certificates stay fresh, what is over for long is forgotten.
fn keep_house(
    config: &Config,
    store: &Arc<dyn Store>,
    (silences, tls): (ActiveSilences, Option<Tls>),
    (chores, stop): (&TaskTracker, &CancellationToken),
) {
    chores.spawn(silences.keep_fresh(Arc::clone(store), SILENCES_EVERY, stop.clone()));
    if let Some(tls) = tls {
        chores.spawn(tls.keep_fresh(CERTIFICATE_EVERY, stop.clone()));
    }
    chores.spawn(forget(Arc::clone(store), config.store.retention_days, stop.clone()));
}

/// What asks AWS before the first word about a job, where that is wanted.
fn confirmations(config: &Config, cloud: &dyn Cloud, intake: &Intake) -> Option<Confirmations> {
    let limit = Duration::from_millis(config.inventory.confirm_ms);
    if !config.inventory.enabled || limit.is_zero() {
        return None;
    }
    Some(Confirmations::new(cloud.confirm(intake.named("confirmation"))?, limit))
}

/// Forgets alerts that have been over, or of which nothing was heard, for `days`, now and every so often.
async fn forget(store: Arc<dyn Store>, days: u32, stop: CancellationToken) {
    let kept = SignedDuration::from_hours(i64::from(days).saturating_mul(24));
    loop {
        let before = Timestamp::now().checked_sub(kept).unwrap_or(Timestamp::MIN);
        match store.forget(before).await {
            Ok(0) => {}
            Ok(alerts) => tracing::info!(alerts, "alerts forgotten after {days} days"),
            Err(error) => tracing::warn!(%error, "old alerts were not forgotten"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(FORGET_EVERY)).await.is_none() {
            return;
        }
    }
}

/// The HTTP server before it serves.
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

async fn bind(config: &Config) -> Result<Option<Bound>, StartError> {
    let Some(http) = &config.http else { return Ok(None) };
    let tls = http.tls.as_ref().map(Tls::new).transpose()?;
    let error = |source| StartError::Listen { address: http.listen, source };
    let listener = TcpListener::bind(http.listen).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok(Some(Bound { listener, address, tls }))
}

/// Serves what is bound; returns the certificate it serves with, if any.
fn serve(
    config: &Config,
    bound: Option<Bound>,
    parts: http::Parts,
    (tracker, stop): (&TaskTracker, &CancellationToken),
) -> Option<Tls> {
    let Bound { listener, address, tls } = bound?;
    let http = config.http.as_ref()?;
    let router = http::router(parts, http, &config.api_keys, address, (tracker, stop));
    tracing::info!(tls = tls.is_some(), %address, "listening");
    tracker.spawn(http::serve(listener, router, http.connections_max, tls.clone(), stop.clone()));
    tls
}
