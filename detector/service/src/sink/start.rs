//! Starts the workers of all configured sinks, and takes them down together.

use std::{io::Write, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    Confirmations, Counted, Now, Parts, Sink,
    lines::Lines,
    pagerduty::PagerDuty,
    payload::Context,
    slack,
    webhook::Webhook,
    worker::{Handle, Phase, Worker},
};
use crate::{
    cloud::{Cloud, CloudError},
    config::delivery::{RoutingConfig, SinkConfig, SinkKind},
    format::{Colour, Format},
    incident::{Gatherer, Joining, Stages},
    routing::ActiveSilences,
    status::Status,
    store::Store,
};

/// What sinks need of their surroundings.
pub struct Surroundings {
    /// Standard output. The first sink that wants it has it.
    pub stdout: Box<dyn Write + Send>,
    /// The form of alerts there, where the configuration leaves it open.
    pub format: Format,
    /// Whether alerts are coloured there.
    pub colour: Colour,
    /// What time it is.
    pub now: Now,
    /// Where lasting trouble is reported.
    pub status: Status,
    /// What a build with AWS adds.
    pub cloud: Option<Arc<dyn Cloud>>,
    /// What nobody is reminded of for now.
    pub silences: ActiveSilences,
    /// Asks AWS before the first word about a job; `None` asks nothing.
    pub confirmations: Option<Confirmations>,
    /// Which alerts belong together; `None` is by the standard values.
    pub incidents: Option<Gatherer>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The machine's clock, no silences, and these.
    #[must_use]
    pub fn wall(stdout: Box<dyn Write + Send>, format: Format, colour: Colour, status: Status) -> Self {
        Self {
            stdout,
            format,
            colour,
            now: Arc::new(jiff::Timestamp::now),
            status,
            cloud: None,
            silences: ActiveSilences::default(),
            confirmations: None,
            incidents: None,
        }
    }
}

/// Why sinks could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is none.
    #[error("the address of sink {sink} is wrong: {reason}; correct its url in the configuration")]
    Address {
        /// The sink.
        sink: String,
        /// What is wrong.
        reason: String,
    },
    /// A key is none.
    #[error("the {what} of sink {sink} cannot be used: {reason}; correct it in the configuration")]
    Key {
        /// The sink.
        sink: String,
        /// Which key.
        what: &'static str,
        /// What is wrong, without the key.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up HTTPS for sink {sink}: {reason}; is there a certificate store (ca-certificates)?")]
    Client {
        /// The sink.
        sink: String,
        /// What is wrong.
        reason: String,
    },
    /// It is a service of AWS and cannot be set up.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// It is a service of AWS, which this build cannot tell.
    #[error("sink {sink} is a service of AWS, and this build has none; use the standard build, or remove it")]
    NoCloud {
        /// The sink.
        sink: String,
    },
    /// Two sinks want standard output.
    #[error("sink {sink} wants standard output, which another sink has; remove one of them")]
    StdoutTwice {
        /// The second one.
        sink: String,
    },
}

/// One sink, for metrics and the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// What it has done.
    pub counted: Counted,
}

/// The workers of all sinks. Clones are the same workers.
#[derive(Debug, Clone)]
pub struct Workers {
    handles: Arc<[Handle]>,
    tracker: TaskTracker,
}

impl Workers {
    /// Says that something new is in the store. Never waits.
    pub fn nudge(&self) {
        for handle in self.handles.iter() {
            handle.nudge.notify_one();
        }
    }

    /// Tells what is due, for at most `grace`, and ends. What is not told by then waits in the store for the next
    /// start; what is just being told is cut off half a second before the end and marked as possibly arrived.
    pub async fn drain(&self, grace: Duration) {
        let now = Instant::now();
        let end = now.checked_add(grace).unwrap_or(now);
        for handle in self.handles.iter() {
            handle.phase.send_replace(Phase::Draining(end));
        }
        self.tracker.close();
        // A moment more than the grace, for settling what was cut off.
        if tokio::time::timeout_at(end, self.tracker.wait()).await.is_err() {
            tracing::warn!("a sink has not ended in time; its deliveries are made again after the next start");
        }
    }

    /// What each sink has done, in the order of the configuration.
    #[must_use]
    pub fn counters(&self) -> Vec<SinkReport> {
        let report = |handle: &Handle| SinkReport {
            name: handle.name.clone(),
            kind: handle.kind,
            counted: handle.counters.read(),
        };
        self.handles.iter().map(report).collect()
    }
}

/// Makes the configured sinks and starts a worker for each.
///
/// # Errors
/// When a sink cannot be made from its configuration; nothing is started then.
pub fn start_all(
    configs: &[SinkConfig],
    routing: &RoutingConfig,
    store: &Arc<dyn Store>,
    surroundings: Surroundings,
) -> Result<Workers, StartError> {
    let Surroundings { stdout, format, colour, now, status, cloud, silences, confirmations, incidents } = surroundings;
    let standard = || Gatherer::new(Arc::clone(store), Joining::default(), Stages::default());
    let incidents = incidents.unwrap_or_else(standard);
    let context = Arc::new(Context::new(routing));
    let owner = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
    let mut stream = Some(stdout);
    let mut parts = Vec::new();
    for config in configs {
        let sink: Arc<dyn Sink> = match &config.kind {
            SinkKind::Stdout { format: chosen } => {
                let stream = stream.take().ok_or_else(|| StartError::StdoutTwice { sink: config.name.clone() })?;
                Arc::new(Lines::stream(&config.name, stream, chosen.unwrap_or(format), colour))
            }
            SinkKind::Aws(_) => match &cloud {
                Some(cloud) => cloud.sink(config, &context)?,
                None => return Err(StartError::NoCloud { sink: config.name.clone() }),
            },
            _ => make(config, &context)?,
        };
        let (store, owner, now) = (Arc::clone(store), owner.clone(), Arc::clone(&now));
        let (status, silences, confirmations) = (status.clone(), silences.clone(), confirmations.clone());
        let (pace, incidents) = (config.pace, Some(incidents.clone()));
        parts.push(Parts { sink, pace, store, owner, now, status, silences, confirmations, incidents });
    }
    Ok(start_sinks(parts))
}

/// Makes every configured sink and lets it go again, to find out whether [`start_all`] could.
///
/// # Errors
/// When a sink cannot be made from its configuration.
pub fn check_all(configs: &[SinkConfig], routing: &RoutingConfig, cloud: Option<&dyn Cloud>) -> Result<(), StartError> {
    let context = Arc::new(Context::new(routing));
    let mut others = configs.iter().filter(|config| !matches!(config.kind, SinkKind::Stdout { .. }));
    others.try_for_each(|config| match (&config.kind, cloud) {
        (SinkKind::Aws(_), Some(cloud)) => cloud.sink(config, &context).map(drop).map_err(StartError::from),
        _ => make(config, &context).map(drop),
    })
}

fn make(config: &SinkConfig, context: &Arc<Context>) -> Result<Arc<dyn Sink>, StartError> {
    let (name, context) = (config.name.as_str(), Arc::clone(context));
    let timeout = Duration::from_millis(config.pace.timeout_ms);
    Ok(match &config.kind {
        SinkKind::Stdout { .. } => return Err(StartError::StdoutTwice { sink: name.to_owned() }),
        SinkKind::Aws(_) => return Err(StartError::NoCloud { sink: name.to_owned() }),
        SinkKind::File { path, format } => Arc::new(Lines::file(name, path.clone(), *format)),
        SinkKind::Slack { access, group_by } => slack::sink(name, (access, *group_by), timeout, context)?,
        SinkKind::PagerDuty { routing_key, url, group_by } => {
            Arc::new(PagerDuty::new(name, routing_key, (url, *group_by), timeout, context)?)
        }
        SinkKind::Webhook { url, format, signing_secret, headers } => {
            Arc::new(Webhook::new(name, url, *format, signing_secret.as_ref(), headers, timeout)?)
        }
    })
}

/// Starts a worker for each of these sinks.
#[must_use]
pub fn start_sinks(parts: Vec<Parts>) -> Workers {
    let tracker = TaskTracker::new();
    let start = |parts: Parts| {
        let (worker, handle) = Worker::new(parts);
        tracker.spawn(worker.run());
        handle
    };
    let handles = parts.into_iter().map(start).collect();
    Workers { handles, tracker }
}
