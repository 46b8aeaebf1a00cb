//! The configuration file: TOML, read into types, every problem reported at once with its place.
//!
//! `keys` is the one list of sections and keys; reading, checking, schema, example and reference are all derived
//! from it, so they cannot disagree. Deliberately no layering of files and no flags that override keys: one file says
//! everything, and `${NAME}` brings in what differs between deployments.

pub mod aws;
mod build;
pub mod delivery;
mod environment;
pub mod evidence;
mod example;
mod keys;
mod named;
mod problem;
mod read;
mod reference;
mod schema;
mod secret;
mod secrets;
pub mod telemetry;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use bedrock_watch_engine::{
    Settings,
    rule::{Placeholders, Tuning, TuningProblem},
};

pub use delivery::{
    AccountConfig, GroupBy, GroupConfig, Pace, Route, RoutingConfig, SinkConfig, SinkKind, SlackAccess, Suppression,
};
pub use example::example;
pub use problem::Problem;
pub use reference::reference;
pub use schema::schema;
pub use secret::Secret;
pub use secrets::{SecretNames, Secrets};

use crate::routing::glob;

/// Everything the daemon is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Times and limits of the engine.
    pub engine: Settings,
    /// The loop between sources and sinks.
    pub pipeline: PipelineConfig,
    /// Which rules are judged by.
    pub rules: RulesConfig,
    /// The HTTP server; `None` when it is switched off.
    pub http: Option<HttpConfig>,
    /// Who may use the HTTP server beyond loopback.
    pub api_keys: Vec<ApiKey>,
    /// Where records come from.
    pub sources: Vec<SourceConfig>,
    /// Where alerts go.
    pub sinks: Vec<SinkConfig>,
    /// Which alerts go where.
    pub routing: RoutingConfig,
    /// Which alerts belong together.
    pub incidents: crate::incident::Joining,
    /// Who to turn to in an incident.
    pub contacts: crate::incident::Contacts,
    /// How AWS is reached.
    pub aws: aws::AwsConfig,
    /// Asking AWS what there is.
    pub inventory: aws::InventoryConfig,
    /// The daemon's own event.
    pub canary: aws::CanaryConfig,
    /// Sharing shards between workers.
    pub leases: aws::LeasesConfig,
    /// Where alerts and memory are kept.
    pub store: StoreConfig,
    /// Where evidence is archived.
    pub evidence: evidence::EvidenceConfig,
    /// How long shutting down may take, in seconds.
    pub shutdown_grace_s: u64,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What is sent to machines that watch the service.
    pub telemetry: telemetry::TelemetryConfig,
    /// `[telemetry]` as the file has it; see [`Config::heeding`].
    written_telemetry: telemetry::Written,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Problem>,
    /// Where rules are named; see [`Config::unknown_rules`].
    mentions: Vec<Mention>,
    /// Where rules are tuned; see [`Config::tuning_problem`].
    tuned: BTreeMap<TunedPlace, Problem>,
}

/// A rule, a key of its section, and which of the tables in it, if it is in one.
type TunedPlace = (String, &'static str, Option<usize>);

/// A rule that is named somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mention {
    rule: String,
    /// The place, without a message.
    place: Problem,
}

/// The loop between sources and sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineConfig {
    /// Batches that may wait for the engine before sources are held back.
    pub queue_batches_max: usize,
    /// A record this much later than the clock, in seconds, is put aside.
    pub future_s: u32,
}

/// Which rules are judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct RulesConfig {
    /// A folder whose rules are added, or replace built-in rules of the same id.
    pub dir: Option<PathBuf>,
    /// Whether the built-in rules are used.
    pub builtin: bool,
    /// Ids of rules that are left out.
    pub disabled: Vec<String>,
    /// Values for the placeholders of `|expand`.
    pub placeholders: Placeholders,
    /// How often it is looked whether they have changed, in seconds; 0 never.
    pub reload_s: u64,
    /// What is changed about single rules.
    pub tuning: Tuning,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Request bodies being read and judged at once.
    pub requests_max: usize,
    /// Requests a second of one client.
    pub requests_per_s: u32,
    /// Connections at once.
    pub connections_max: usize,
    /// HTTPS instead of HTTP.
    pub tls: Option<TlsConfig>,
}

/// The files of HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificates, PEM, the server's own first.
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// A key for the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is called in logs.
    pub name: String,
    /// The key.
    pub key: Secret,
    /// What it may do.
    pub rights: Vec<Right>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Send records.
    Events,
    /// Read alerts, state and metrics.
    Read,
    /// Resolve alerts, and make and end silences.
    Write,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 3] = [Self::Events, Self::Read, Self::Write];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceConfig {
    /// `POST /v1/events`.
    Http,
    /// Standard input.
    Stdin,
    /// A file that grows.
    File {
        /// The file; it need not exist yet.
        path: PathBuf,
        /// Whether what is in the file already is judged too.
        from_start: bool,
        /// How often it is looked at, in milliseconds.
        poll_ms: u64,
    },
    /// A Kinesis data stream.
    Kinesis(aws::KinesisSource),
    /// An SQS queue.
    Sqs(aws::SqsSource),
    /// CloudTrail's files in S3.
    S3(aws::S3Source),
}

/// Where alerts and memory are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The table in DynamoDB; `None` is the SQLite file.
    pub dynamodb: Option<aws::DynamoDbStore>,
    /// The SQLite file.
    pub path: PathBuf,
    /// How often the engine's memory is written, in seconds.
    pub snapshot_interval_s: u64,
    /// How long alerts that are over are kept, in days.
    pub retention_days: u32,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// How often the same line is written a minute; 0 is without a limit.
    pub repeats_per_minute: u32,
}

impl SourceConfig {
    /// Whether it is a service of AWS.
    #[must_use]
    pub const fn is_aws(&self) -> bool {
        matches!(self, Self::Kinesis(_) | Self::Sqs(_) | Self::S3(_))
    }
}

impl Config {
    /// What of it only a build with AWS can do.
    #[must_use]
    pub fn needs_aws(&self) -> Vec<&'static str> {
        let sink = |sink: &SinkConfig| matches!(sink.kind, SinkKind::Aws(_));
        let needs = [
            ("a [[source]] of AWS", self.sources.iter().any(SourceConfig::is_aws)),
            ("a [[sink]] of AWS", self.sinks.iter().any(sink)),
            ("the DynamoDB store", self.store.dynamodb.is_some()),
            ("[inventory]", self.inventory.enabled || self.inventory.organization),
            ("[canary]", self.canary.enabled),
            ("[evidence] bucket", matches!(self.evidence.archived, Some(evidence::Archived::Bucket { .. }))),
        ];
        needs.into_iter().filter(|(_, needed)| *needed).map(|(what, _)| what).collect()
    }

    /// What holds without a file: HTTP on 127.0.0.1:8787, alerts to standard output, SQLite in `./bedrock-watch.db`.
    #[must_use]
    pub fn standard() -> Self {
        let document = read::read("defaults", "", &|_| Ok(String::new())).0;
        build::build(&document, &mut build::Findings::default())
    }

    /// The same with what OpenTelemetry's own variables say about telemetry, where the file does not.
    #[must_use]
    pub fn heeding(mut self, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let (telemetry, warnings) = telemetry::resolve(&self.written_telemetry, environment);
        self.telemetry = telemetry;
        self.warnings.extend(warnings);
        self
    }

    /// Reads a configuration; `environment` answers `${NAME}`.
    ///
    /// # Errors
    /// With every problem of the text, in the order of the text.
    pub fn load(file: &str, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        Self::load_with(file, text, environment, &Secrets::default())
    }

    /// The same; `secrets` answers `${secretsmanager:...}`, with everything that [`SecretNames`] found.
    ///
    /// # Errors
    /// With every problem of the text, in the order of the text.
    pub fn load_with(
        file: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
        secrets: &Secrets,
    ) -> Result<Self, Vec<Problem>> {
        let (document, mut problems) = read::read(file, text, &secrets.beside(environment));
        let mut found = build::Findings::default();
        let config = build::build(&document, &mut found);
        problems.append(&mut found.problems);
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// A problem with what is changed about a rule, at its place in the text.
    #[must_use]
    pub fn tuning_problem(&self, problem: &TuningProblem) -> Problem {
        let place = |key: &'static str, item: Option<usize>| self.tuned.get(&(problem.rule.clone(), key, item));
        let item = problem.exclusion;
        let found = place(problem.key, item).or_else(|| place("", item)).or_else(|| place("", None));
        let fallback = Problem { file: String::new(), line: 1, column: 1, message: String::new() };
        Problem { message: problem.message.clone(), ..found.cloned().unwrap_or(fallback) }
    }

    /// The places where a rule is named that is not among `known`; a name with `*` must fit at least one.
    #[must_use]
    pub fn unknown_rules<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Vec<Problem> {
        let known: Vec<&str> = known.into_iter().collect();
        let unknown = self.mentions.iter().filter(|mention| !known.iter().any(|id| glob(&mention.rule, id)));
        let problem = |mention: &Mention| Problem {
            message: format!("there is no rule `{}`{}", mention.rule, problem::suggestion(&mention.rule, &known)),
            ..mention.place.clone()
        };
        unknown.map(problem).collect()
    }
}

#[cfg(test)]
mod tests;
