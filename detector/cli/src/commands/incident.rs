//! `incident list|show`.

use std::sync::Arc;

use anyhow::Context;
use bedrock_watch_service::{
    config::Config,
    format::visible,
    http::wire,
    incident::{Gatherer, Located, Overview, Report, Stages, human, markdown, report},
    store::Store,
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::{
    Failure, Outcome, config,
    place::{Remote, open_configured},
    print,
    run::runtime,
    table::{items, table, text},
};
use crate::{
    args::{IncidentArguments, IncidentCommand, ReportFormat},
    terminal,
};

/// Where incidents are.
enum Source {
    Store(Box<Config>, Arc<dyn Store>, Gatherer),
    Daemon(Remote),
}

/// Runs the command.
pub(super) fn run(arguments: &IncidentArguments) -> Result<Outcome, Failure> {
    let format = arguments.format.unwrap_or_else(default_format);
    runtime()?.block_on(async {
        let source = source(arguments).await?;
        match &arguments.command {
            IncidentCommand::List { status, severity, limit } => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let overview = Overview { status: *status, severity_min: *severity, limit };
                list(&source.list(overview).await?, format)
            }
            IncidentCommand::Show { id } => show(&source.show(id).await?, id, format),
        }
    })
}

async fn source(arguments: &IncidentArguments) -> Result<Source, Failure> {
    if let Some(url) = &arguments.url {
        return Ok(Source::Daemon(Remote::new(url)?));
    }
    let config = config::load_without_secrets(arguments.config.as_deref())?;
    let rules = config::rules(&config, None)?;
    let store = open_configured(&config).await?;
    let gatherer = Gatherer::new(Arc::clone(&store), config.incidents.clone(), Stages::of(rules));
    Ok(Source::Store(Box::new(config), store, gatherer))
}

fn default_format() -> ReportFormat {
    use bedrock_watch_service::format::Format;
    if terminal::default_format() == Format::Human { ReportFormat::Human } else { ReportFormat::Json }
}

impl Source {
    /// The JSON of `/v1/incidents`.
    async fn list(&self, wanted: Overview) -> anyhow::Result<String> {
        match self {
            Self::Store(_, _, gatherer) => Ok(wire::incidents(&gatherer.list(wanted).await?)),
            Self::Daemon(remote) => {
                let parameters = [
                    ("status", wanted.status.map(|status| status.as_str().to_owned())),
                    ("severity", wanted.severity_min.map(|severity| severity.as_str().to_owned())),
                    ("limit", Some(wanted.limit.to_string())),
                ];
                let query: Vec<(&str, String)> =
                    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                remote.ask(Method::GET, &["v1", "incidents"], &query, None).await
            }
        }
    }

    /// The JSON of `/v1/incidents/ID`.
    async fn show(&self, id: &str) -> anyhow::Result<String> {
        match self {
            Self::Store(config, store, gatherer) => {
                let located: Option<Located> = gatherer.locate(id).await?;
                let located = located.with_context(|| {
                    format!(
                        "there is no incident `{}`; `bedrock-watch incident list` shows those there are",
                        visible(id)
                    )
                })?;
                let silences = store.silences(Timestamp::now(), true).await?;
                let report = report(&located.incident, &located.stored, &silences, &config.contacts);
                Ok(wire::incident(&located, &report))
            }
            Self::Daemon(remote) => remote.ask(Method::GET, &["v1", "incidents", id], &[], None).await,
        }
    }
}

fn list(json: &str, format: ReportFormat) -> Result<Outcome, Failure> {
    let list: Value = serde_json::from_str(json).context("the list of incidents is unreadable")?;
    let all = items(&list, "/incidents");
    if format == ReportFormat::Json {
        print(&all.iter().map(|incident| format!("{incident}\n")).collect::<String>())?;
        return Ok(Outcome::Fine);
    }
    let stages = |incident: &Value| {
        let stages = items(incident, "/stages").iter().filter_map(Value::as_str).collect::<Vec<_>>();
        stages.join(", ")
    };
    let row = |incident: &Value| {
        let mut cells: Vec<String> = ["/score", "/severity", "/status", "/last_event_time", "/alerts"]
            .iter()
            .map(|pointer| text(incident, pointer))
            .collect();
        cells.extend([stages(incident), text(incident, "/title"), text(incident, "/id")]);
        cells
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    print(&table(&["SCORE", "SEVERITY", "STATUS", "LAST EVENT", "ALERTS", "STAGES", "WHAT", "ID"], &rows))?;
    Ok(Outcome::Fine)
}

fn show(json: &str, asked: &str, format: ReportFormat) -> Result<Outcome, Failure> {
    if format == ReportFormat::Json {
        print(&format!("{json}\n"))?;
        return Ok(Outcome::Fine);
    }
    let mut details: Value = serde_json::from_str(json).context("the incident is unreadable")?;
    if let Some(id) = details.pointer("/merged_into").and_then(Value::as_str) {
        terminal::say(&format!("{} is part of incident {}", visible(asked), visible(id)));
    }
    let report = details.get_mut("report").map(Value::take).unwrap_or_default();
    let report: Report = serde_json::from_value(report).context("the report is unreadable")?;
    print(&if format == ReportFormat::Markdown { markdown(&report) } else { human(&report) })?;
    Ok(Outcome::Fine)
}
