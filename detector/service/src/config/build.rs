//! From checked values to the typed configuration, and the checks that concern several keys.

use std::path::PathBuf;

use bedrock_watch_engine::{Limits, Settings};

use super::{
    ApiKey, Config, HttpConfig, LogConfig, PipelineConfig, Problem, Right, RulesConfig, SinkConfig, SourceConfig,
    StoreConfig,
    read::{Document, Table},
    secret::Secret,
};
use crate::format::Format;

/// The shortest API key that is accepted, in bytes.
const API_KEY_BYTES_MIN: usize = 16;

/// Builds the configuration; what is wrong is added to `problems`.
pub(super) fn build(document: &Document, problems: &mut Vec<Problem>) -> Config {
    let (rules, store, log) = (document.table("rules"), document.table("store"), document.table("log"));
    let pipeline = document.table("pipeline");
    let api_keys: Vec<ApiKey> =
        document.tables("api_key").iter().filter_map(|table| api_key(document, table, problems)).collect();
    let http = http(document, &api_keys, problems);
    let sources = sources(document, http.is_some(), problems);
    Config {
        engine: engine(document),
        pipeline: PipelineConfig {
            queue_batches_max: pipeline.number_usize("queue_batches_max"),
            future_s: pipeline.number_u32("future_s"),
        },
        rules: RulesConfig {
            dir: rules.text("dir").map(PathBuf::from),
            builtin: rules.flag("builtin"),
            disabled: rules.texts("disabled"),
        },
        http,
        api_keys,
        sources,
        sinks: sinks(document, problems),
        store: StoreConfig {
            path: store.text("path").map(PathBuf::from).unwrap_or_default(),
            snapshot_interval_s: store.number("snapshot_interval_s"),
            retention_days: u32::try_from(store.number("retention_days")).unwrap_or(u32::MAX),
        },
        shutdown_grace_s: document.table("shutdown").number("grace_s"),
        log: LogConfig {
            json: log.text("format").as_deref() == Some("json"),
            level: log.text("level").unwrap_or_default(),
        },
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
        limits: Limits {
            principals_max: limits.number_u32("principals_max"),
            accounts_max: limits.number_u32("accounts_max"),
            jobs_max: limits.number_u32("jobs_max"),
            dependencies_max: limits.number_u32("dependencies_max"),
            changes_max: limits.number_u32("changes_max"),
            alerts_max: limits.number_u32("alerts_max"),
            event_ids_max: limits.number_u32("event_ids_max"),
            distinct_max: limits.number_u32("distinct_max"),
            models_max: limits.number_u32("models_max"),
            correlation_groups_max: limits.number_u32("correlation_groups_max"),
            correlation_events_max: limits.number_u32("correlation_events_max"),
        },
    }
}

fn http(document: &Document, api_keys: &[ApiKey], problems: &mut Vec<Problem>) -> Option<HttpConfig> {
    let table = document.table("http");
    if !table.flag("enabled") {
        return None;
    }
    let listen = table.text("listen").unwrap_or_default();
    let listen: std::net::SocketAddr = match listen.parse() {
        Ok(address) => address,
        Err(_) => {
            let message = format!("`listen` must be an address and a port such as 127.0.0.1:8787, not `{listen}`");
            problems.push(document.problem(&table, "listen", message));
            return None;
        }
    };
    if !listen.ip().is_loopback() && api_keys.is_empty() && document.tables("api_key").is_empty() {
        let message = "listening beyond loopback needs at least one [[api_key]]".to_owned();
        problems.push(document.problem(&table, "listen", message));
    }
    Some(HttpConfig {
        listen,
        body_bytes_max: table.number_usize("body_bytes_max"),
        requests_max: table.number_usize("requests_max"),
    })
}

fn api_key(document: &Document, table: &Table, problems: &mut Vec<Problem>) -> Option<ApiKey> {
    let key = match (table.has("key"), table.text("key_file")) {
        (true, None) => table.secret("key")?,
        (false, Some(file)) => match std::fs::read_to_string(&file) {
            Ok(text) => Secret::new(text.lines().next().unwrap_or_default().trim().to_owned()),
            Err(error) => {
                problems.push(document.problem(table, "key_file", format!("cannot read `{file}`: {error}")));
                return None;
            }
        },
        _ => {
            let message = "give exactly one of `key` and `key_file`".to_owned();
            problems.push(document.problem(table, "key", message));
            return None;
        }
    };
    if key.len() < API_KEY_BYTES_MIN {
        let message = format!("an API key has at least {API_KEY_BYTES_MIN} characters, this one has {}", key.len());
        problems.push(document.problem(table, if table.has("key") { "key" } else { "key_file" }, message));
    }
    let rights = table.texts("rights");
    let rights = rights.iter().filter_map(|right| match right.as_str() {
        "events" => Some(Right::Events),
        "read" => Some(Right::Read),
        _ => None,
    });
    Some(ApiKey { name: table.text("name")?, key, rights: rights.collect() })
}

fn sources(document: &Document, http_listens: bool, problems: &mut Vec<Problem>) -> Vec<SourceConfig> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for table in document.tables("source") {
        let source = match table.kind {
            "http" => SourceConfig::Http,
            "stdin" => SourceConfig::Stdin,
            _ => SourceConfig::File {
                path: table.text("path").map(PathBuf::from).unwrap_or_default(),
                from_start: table.flag("from_start"),
                poll_ms: table.number("poll_ms"),
            },
        };
        if source == SourceConfig::Http && !http_listens {
            let message = "this source needs the HTTP server: remove `enabled = false` from [http]".to_owned();
            problems.push(document.problem(table, "kind", message));
        }
        if same_twice(&sources, &source) {
            problems.push(document.problem(table, "kind", "this source is there already".to_owned()));
        }
        sources.push(source);
    }
    if sources.is_empty() && document.tables("source").is_empty() {
        if http_listens {
            sources.push(SourceConfig::Http);
        } else {
            let message = "there is no source: add a [[source]], or let [http] be enabled".to_owned();
            problems.push(document.problem(&document.table("http"), "enabled", message));
        }
    }
    sources
}

fn same_twice(sources: &[SourceConfig], source: &SourceConfig) -> bool {
    sources.iter().any(|other| match (other, source) {
        (SourceConfig::File { path, .. }, SourceConfig::File { path: second, .. }) => path == second,
        _ => other == source,
    })
}

fn sinks(document: &Document, problems: &mut Vec<Problem>) -> Vec<SinkConfig> {
    let tables = document.tables("sink");
    if tables.is_empty() {
        return vec![SinkConfig::Stdout { format: None }];
    }
    for second in tables.iter().skip(1) {
        problems.push(document.problem(second, "kind", "standard output is a sink already".to_owned()));
    }
    let format = |table: &Table| table.text("format").as_deref().and_then(Format::named);
    tables.iter().map(|table| SinkConfig::Stdout { format: format(table) }).collect()
}
