//! From checked values to the typed configuration, and the checks that concern several keys.

mod aws;
mod delivery;
mod evidence;
mod incidents;
mod routing;
mod rules;
mod telemetry;

use std::{collections::BTreeMap, path::PathBuf};

use bedrock_watch_engine::{Limits, Settings};

use super::{
    ApiKey, Config, HttpConfig, LogConfig, Mention, PipelineConfig, Problem, Right, SourceConfig, StoreConfig,
    TlsConfig, TunedPlace,
    aws::{AwsConfig, S3Source, SqsSource},
    read::{Document, Table},
    secret::Secret,
};

/// The shortest API key that is accepted, in bytes.
const API_KEY_BYTES_MIN: usize = 16;

/// What was noticed while building.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// What is allowed and probably not meant.
    pub(super) warnings: Vec<Problem>,
    /// Rules that were named.
    pub(super) mentions: Vec<Mention>,
    /// Where rules are tuned.
    pub(super) tuned: BTreeMap<TunedPlace, Problem>,
}

impl Findings {
    fn error(&mut self, document: &Document, table: &Table, key: &str, message: impl Into<String>) {
        self.problems.push(document.problem(table, key, message.into()));
    }

    fn warning(&mut self, document: &Document, table: &Table, key: &str, message: impl Into<String>) {
        self.warnings.push(document.problem(table, key, message.into()));
    }
}

/// How AWS is reached; what is wrong with it is reported by [`build`].
pub(super) fn aws_of(document: &Document) -> AwsConfig {
    aws::aws(document, &mut Findings::default())
}

/// Builds the configuration; what is wrong is added to `found`.
pub(super) fn build(document: &Document, found: &mut Findings) -> Config {
    let (store, log) = (document.table("store"), document.table("log"));
    let pipeline = document.table("pipeline");
    let api_keys = api_keys(document, found);
    let http = http(document, &api_keys, found);
    let sources = sources(document, http.is_some(), found);
    let sinks = delivery::sinks(document, found);
    let dynamodb = aws::dynamodb(document, found);
    let uses_aws = dynamodb.is_some() || sources.iter().any(SourceConfig::is_aws);
    let written_telemetry = telemetry::telemetry(document, found);
    let leases = aws::leases(document, &sources, dynamodb.is_some(), found);
    let routing = routing::routing(document, &sinks, found);
    Config {
        engine: engine(document),
        pipeline: PipelineConfig {
            queue_batches_max: pipeline.number_usize("queue_batches_max"),
            future_s: pipeline.number_u32("future_s"),
        },
        rules: rules::rules(document, found),
        http,
        api_keys,
        sources,
        sinks,
        routing,
        incidents: incidents::incidents(document, found),
        contacts: incidents::contacts(document),
        aws: aws::aws(document, found),
        inventory: aws::inventory(document, uses_aws),
        canary: aws::canary(document, found),
        leases,
        store: StoreConfig {
            dynamodb,
            path: store.text("path").map(PathBuf::from).unwrap_or_default(),
            snapshot_interval_s: store.number("snapshot_interval_s"),
            retention_days: store.number_u32("retention_days"),
        },
        evidence: evidence::evidence(document, found),
        shutdown_grace_s: document.table("shutdown").number("grace_s"),
        log: LogConfig {
            json: log.text("format").as_deref() == Some("json"),
            level: log.text("level").unwrap_or_default(),
            repeats_per_minute: log.number_u32("repeats_per_minute"),
        },
        // The environment has its say later.
        telemetry: super::telemetry::resolve(&written_telemetry, &|_| None).0,
        written_telemetry,
        warnings: std::mem::take(&mut found.warnings),
        mentions: std::mem::take(&mut found.mentions),
        tuned: std::mem::take(&mut found.tuned),
    }
}

fn engine(document: &Document) -> Settings {
    let (engine, limits) = (document.table("engine"), document.table("limits"));
    Settings {
        lateness_s: engine.number_u32("lateness_s"),
        emptied_grace_s: engine.number_u32("emptied_grace_s"),
        quiet_s: engine.number_u32("quiet_s"),
        history_days: engine.number_u32("history_days"),
        baseline_days: engine.number_u32("baseline_days"),
        baseline_minutes_min: engine.number_u32("baseline_minutes_min"),
        baseline_hours_min: engine.number_u32("baseline_hours_min"),
        limits: Limits {
            principals_max: limits.number_u32("principals_max"),
            accounts_max: limits.number_u32("accounts_max"),
            jobs_max: limits.number_u32("jobs_max"),
            dependents_max: limits.number_u32("dependents_max"),
            dependencies_max: limits.number_u32("dependencies_max"),
            changes_max: limits.number_u32("changes_max"),
            alerts_max: limits.number_u32("alerts_max"),
            event_ids_max: limits.number_u32("event_ids_max"),
            distinct_max: limits.number_u32("distinct_max"),
            models_max: limits.number_u32("models_max"),
            correlation_groups_max: limits.number_u32("correlation_groups_max"),
            correlation_events_max: limits.number_u32("correlation_events_max"),
            sightings_max: limits.number_u32("sightings_max"),
            firsts_max: limits.number_u32("firsts_max"),
            usage_principals_max: limits.number_u32("usage_principals_max"),
        },
    }
}

fn http(document: &Document, api_keys: &[ApiKey], found: &mut Findings) -> Option<HttpConfig> {
    let table = document.table("http");
    if !table.flag("enabled") {
        return None;
    }
    let listen = table.text("listen").unwrap_or_default();
    let Ok(listen) = listen.parse::<std::net::SocketAddr>() else {
        let message = format!("`listen` must be an address and a port such as 127.0.0.1:8787, not `{listen}`");
        found.error(document, &table, "listen", message);
        return None;
    };
    if !listen.ip().is_loopback() && api_keys.is_empty() && document.tables("api_key").is_empty() {
        found.error(document, &table, "listen", "listening beyond loopback needs at least one [[api_key]]");
    }
    let tls = match (table.text("tls_cert"), table.text("tls_key")) {
        (Some(cert), Some(key)) => Some(TlsConfig { cert: PathBuf::from(cert), key: PathBuf::from(key) }),
        (None, None) => None,
        (cert, _) => {
            let given = if cert.is_some() { "tls_cert" } else { "tls_key" };
            found.error(document, &table, given, "give both `tls_cert` and `tls_key`, or neither");
            None
        }
    };
    Some(HttpConfig {
        listen,
        body_bytes_max: table.number_usize("body_bytes_max"),
        requests_max: table.number_usize("requests_max"),
        requests_per_s: table.number_u32("requests_per_s"),
        connections_max: table.number_usize("connections_max"),
        tls,
    })
}

fn api_keys(document: &Document, found: &mut Findings) -> Vec<ApiKey> {
    let mut keys: Vec<ApiKey> = Vec::new();
    for table in document.tables("api_key") {
        let Some(key) = api_key(document, table, found) else { continue };
        if keys.iter().any(|other| other.name == key.name) {
            found.error(document, table, "name", format!("another API key is called `{}`", key.name));
        }
        if keys.iter().any(|other| other.key == key.key) {
            found.error(document, table, "name", format!("`{}` is the same key as another one", key.name));
        }
        keys.push(key);
    }
    keys
}

fn api_key(document: &Document, table: &Table, found: &mut Findings) -> Option<ApiKey> {
    let key = needed_secret(document, table, "key", found)?;
    if key.len() < API_KEY_BYTES_MIN {
        let message = format!("an API key has at least {API_KEY_BYTES_MIN} characters, this one has {}", key.len());
        found.error(document, table, if table.has("key") { "key" } else { "key_file" }, message);
    }
    let rights = table.texts("rights");
    let rights = rights.iter().filter_map(|right| Right::ALL.into_iter().find(|known| known.as_str() == right));
    Some(ApiKey { name: table.text("name")?, key, rights: rights.collect() })
}

/// The secret `key`, or the first line of the file `key_file`; none when neither was given or it cannot be read.
fn secret(document: &Document, table: &Table, key: &str, found: &mut Findings) -> Option<Secret> {
    let file_key = format!("{key}_file");
    let secret = match (table.secret(key), table.text(&file_key)) {
        (Some(_), Some(_)) => {
            found.error(document, table, key, format!("give exactly one of `{key}` and `{file_key}`"));
            return None;
        }
        (Some(secret), None) => secret,
        (None, Some(file)) => match std::fs::read_to_string(&file) {
            Ok(text) => Secret::new(text.lines().next().unwrap_or_default().trim().to_owned()),
            Err(error) => {
                found.error(document, table, &file_key, format!("cannot read `{file}`: {error}"));
                return None;
            }
        },
        (None, None) => return None,
    };
    if secret.is_empty() {
        let given = if table.has(key) { key } else { &file_key };
        found.error(document, table, given, format!("`{given}` is empty"));
        return None;
    }
    Some(secret)
}

/// Like [`secret`], and it is an error when neither was given.
fn needed_secret(document: &Document, table: &Table, key: &str, found: &mut Findings) -> Option<Secret> {
    let file_key = format!("{key}_file");
    // What was given and is bad has been reported where it was read.
    if !table.was_written(key) && !table.was_written(&file_key) {
        found.error(document, table, key, format!("give exactly one of `{key}` and `{file_key}`"));
    }
    secret(document, table, key, found)
}

fn sources(document: &Document, http_listens: bool, found: &mut Findings) -> Vec<SourceConfig> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for table in document.tables("source") {
        let source = match table.kind {
            "http" => SourceConfig::Http,
            "stdin" => SourceConfig::Stdin,
            "kinesis" => SourceConfig::Kinesis(aws::kinesis(document, table, found)),
            "sqs" => SourceConfig::Sqs(aws::sqs(document, table, found)),
            "s3" => SourceConfig::S3(aws::s3(document, table, found)),
            _ => SourceConfig::File {
                path: table.text("path").map(PathBuf::from).unwrap_or_default(),
                from_start: table.flag("from_start"),
                poll_ms: table.number("poll_ms"),
            },
        };
        if source == SourceConfig::Http && !http_listens {
            let message = "this source needs the HTTP server: remove `enabled = false` from [http]";
            found.error(document, table, "kind", message);
        }
        if same_twice(&sources, &source) {
            found.error(document, table, "kind", "this source is there already");
        }
        sources.push(source);
    }
    if sources.is_empty() && document.tables("source").is_empty() {
        if http_listens {
            sources.push(SourceConfig::Http);
        } else {
            let message = "there is no source: add a [[source]], or let [http] be enabled";
            found.error(document, &document.table("http"), "enabled", message);
        }
    }
    sources
}

fn same_twice(sources: &[SourceConfig], source: &SourceConfig) -> bool {
    sources.iter().any(|other| match (other, source) {
        (SourceConfig::File { path, .. }, SourceConfig::File { path: second, .. }) => path == second,
        (SourceConfig::Kinesis(first), SourceConfig::Kinesis(second)) => first.stream == second.stream,
        (
            SourceConfig::Sqs(SqsSource { queue_url: first, .. }) | SourceConfig::S3(S3Source { queue_url: first, .. }),
            SourceConfig::Sqs(SqsSource { queue_url: second, .. })
            | SourceConfig::S3(S3Source { queue_url: second, .. }),
        ) => first == second,
        _ => other == source,
    })
}
