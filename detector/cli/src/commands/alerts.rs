//! `alerts list|show|resolve|redrive`.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use bedrock_watch_service::{
    format::visible,
    http::wire,
    incident::{Gatherer, Joining, Stages},
    store::{AlertFilter, DeadLetter, Resolution, Store},
};
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Failure, Outcome, config,
    place::{Target, format},
    print,
    run::runtime,
    table::{items, table, text},
};
use crate::{
    args::{AlertsArguments, AlertsCommand, AlertsListArguments, ListFormat},
    terminal,
};

/// Alerts asked for at once.
const PAGE_ALERTS: u32 = 500;
/// Dead letters looked through.
const DEAD_LETTERS_MAX: usize = 10_000;

/// Runs the command.
pub(super) fn run(arguments: AlertsArguments) -> Result<Outcome, Failure> {
    let format = format(&arguments.place);
    let joining = config::load_without_secrets(arguments.place.config.as_deref())?.incidents;
    let runtime = runtime()?;
    runtime.block_on(async {
        let target = Target::of(&arguments.place).await?;
        match arguments.command {
            AlertsCommand::List(wanted) => list((&target, &joining), &wanted, format).await,
            AlertsCommand::Show { id } => show(&details((&target, &joining), &id).await?, format),
            AlertsCommand::Resolve { id, reason, author } => {
                resolve(&target, &id, Resolution { author, reason }).await?;
                terminal::say(&format!("{} is resolved", visible(&id)));
                Ok(Outcome::Fine)
            }
            AlertsCommand::Redrive { sink, list } => redrive(&target, sink.as_deref(), list, format).await,
        }
    })
}

/// A page as the server writes it; alerts stay text, so that their fields keep their order.
#[derive(Debug, Deserialize)]
struct Page {
    alerts: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// Where alerts are, and how they are joined.
type Joined<'a> = (&'a Target, &'a Joining);

async fn list(target: Joined<'_>, wanted: &AlertsListArguments, format: ListFormat) -> Result<Outcome, Failure> {
    let (mut alerts, mut after) = (Vec::new(), None);
    loop {
        let left = wanted.limit.saturating_sub(u32::try_from(alerts.len()).unwrap_or(u32::MAX));
        let page = page(target, wanted, left.min(PAGE_ALERTS), after).await?;
        let page: Page = serde_json::from_str(&page).context("the list of alerts is unreadable")?;
        alerts.extend(page.alerts);
        after = page.next;
        if after.is_none() || u32::try_from(alerts.len()).is_ok_and(|count| count >= wanted.limit) {
            break;
        }
    }
    if format == ListFormat::Json {
        print(&alerts.iter().map(|alert| format!("{alert}\n")).collect::<String>())?;
        return Ok(Outcome::Fine);
    }
    let row = |alert: &RawValue| {
        let alert: Value = serde_json::from_str(alert.get()).unwrap_or_default();
        let cell = |pointer: &str| text(&alert, pointer);
        let fields = ["/severity", "/status", "/last_event_time", "/rule", "/account", "/subject/id", "/id"];
        fields.iter().map(|pointer| cell(pointer)).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = alerts.iter().map(|alert| row(alert)).collect();
    print(&table(&["SEVERITY", "STATUS", "LAST EVENT", "RULE", "ACCOUNT", "ABOUT", "ID"], &rows))?;
    if after.is_some() {
        terminal::say(&format!("there are more; these are the newest {}", alerts.len()));
    }
    Ok(Outcome::Fine)
}

async fn page(
    (target, joining): Joined<'_>,
    wanted: &AlertsListArguments,
    limit: u32,
    after: Option<String>,
) -> anyhow::Result<String> {
    match target {
        Target::Store(store) => {
            let filter = AlertFilter {
                status: wanted.status,
                severity_min: wanted.severity,
                rule: wanted.rule.clone(),
                account: wanted.account.clone(),
                principal: wanted.principal.clone(),
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
                after,
            };
            let page = store.alerts(&filter).await?;
            let incidents = gatherer(store, joining).of_alerts(page.alerts.clone()).await?;
            Ok(wire::page(&page, &incidents))
        }
        Target::Daemon(remote) => {
            let parameters = [
                ("status", wanted.status.map(|status| status.as_str().to_owned())),
                ("severity", wanted.severity.map(|severity| severity.as_str().to_owned())),
                ("rule", wanted.rule.clone()),
                ("account", wanted.account.clone()),
                ("principal", wanted.principal.clone()),
                ("limit", Some(limit.to_string())),
                ("after", after),
            ];
            let query: Vec<(&str, String)> =
                parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            remote.ask(Method::GET, &["v1", "alerts"], &query, None).await
        }
    }
}

/// An alert with its history, as JSON.
pub(super) async fn details((target, joining): Joined<'_>, id: &str) -> anyhow::Result<String> {
    match target {
        Target::Store(store) => {
            let stored = store.alert(id).await?.with_context(|| unknown(id))?;
            let history = store.history(id).await?;
            let mut letters: Vec<DeadLetter> = store.dead_letters(DEAD_LETTERS_MAX).await?;
            letters.retain(|letter| letter.alert == id);
            let incidents = gatherer(store, joining).of_alerts(vec![stored.clone()]).await?;
            Ok(wire::details(&stored, &history, &letters, &incidents))
        }
        Target::Daemon(remote) => remote.ask(Method::GET, &["v1", "alerts", id], &[], None).await,
    }
}

/// Which incidents there are, without their stages, which no alert shows.
fn gatherer(store: &Arc<dyn Store>, joining: &Joining) -> Gatherer {
    Gatherer::new(Arc::clone(store), joining.clone(), Stages::default())
}

fn unknown(id: &str) -> String {
    format!("there is no alert `{}`", visible(id))
}

fn show(details: &str, format: ListFormat) -> Result<Outcome, Failure> {
    if format == ListFormat::Json {
        print(&format!("{details}\n"))?;
        return Ok(Outcome::Fine);
    }
    let details: Value = serde_json::from_str(details).context("the alert is unreadable")?;
    print(&human(&details))?;
    Ok(Outcome::Fine)
}

/// An alert for people: what happened first, what to do after it, how it came about last.
fn human(details: &Value) -> String {
    let get = |pointer: &str| visible(&text(details, pointer)).to_string();
    let mut out = format!(
        "{} {}: {}\n{}\n\n",
        get("/alert/severity").to_uppercase(),
        get("/alert/status"),
        get("/alert/title"),
        get("/alert/summary")
    );
    let fields = [
        ("id", "/alert/id"),
        ("rule", "/alert/rule"),
        ("account", "/alert/account"),
        ("region", "/alert/region"),
        ("about", "/alert/subject/id"),
        ("principal", "/alert/principal"),
        ("address", "/alert/actor/source_ip"),
        ("client", "/alert/actor/user_agent"),
        ("first event", "/alert/first_event_time"),
        ("last event", "/alert/last_event_time"),
        ("events", "/alert/event_count"),
        ("runbook", "/alert/runbook"),
        ("incident", "/alert/incident"),
        ("silence", "/silence"),
        ("resolved by", "/resolution/author"),
        ("because", "/resolution/reason"),
    ];
    for (name, pointer) in fields {
        let value = get(pointer);
        if value != "-" {
            out.push_str(&format_args!("{name:<12} {value}\n").to_string());
        }
    }
    for step in items(details, "/alert/remediation") {
        let command: Vec<String> =
            text(step, "/command").lines().map(|line| format!("  {}\n", visible(line))).collect();
        out.push_str(&format_args!("\n{}\n{}", visible(&text(step, "/title")), command.concat()).to_string());
    }
    let cells =
        |item: &Value, pointers: &[&str]| pointers.iter().map(|pointer| text(item, pointer)).collect::<Vec<_>>();
    let history = items(details, "/history").iter();
    let history = history.map(|item| cells(item, &["/at", "/kind", "/severity", "/event_count", "/summary"]));
    out.push('\n');
    out.push_str(&table(&["STORED", "CHANGE", "SEVERITY", "EVENTS", "SUMMARY"], &history.collect::<Vec<_>>()));
    let letters = items(details, "/dead_letters").iter();
    let letters: Vec<Vec<String>> = letters.map(|item| cells(item, &["/sink", "/at", "/attempts", "/error"])).collect();
    if !letters.is_empty() {
        out.push_str("\nNot delivered:\n");
        out.push_str(&table(&["SINK", "GIVEN UP", "ATTEMPTS", "ERROR"], &letters));
    }
    out
}

async fn resolve(target: &Target, id: &str, by: Resolution) -> anyhow::Result<()> {
    match target {
        Target::Store(store) => {
            store.resolve(id, &by, Timestamp::now()).await?.with_context(|| unknown(id))?;
        }
        Target::Daemon(remote) => {
            let body = json!({ "author": by.author, "reason": by.reason }).to_string();
            remote.ask(Method::POST, &["v1", "alerts", id, "resolve"], &[], Some(body)).await?;
        }
    }
    Ok(())
}

async fn redrive(target: &Target, sink: Option<&str>, list: bool, format: ListFormat) -> Result<Outcome, Failure> {
    let Target::Store(store) = target else {
        let message = "redrive works on the daemon's store: run it beside the daemon, with its --config";
        return Err(Failure::Arguments(message.to_owned()));
    };
    if !list {
        let count = store.redrive(sink, Timestamp::now()).await.map_err(|error| anyhow!(error))?;
        terminal::say(&format!("{count} deliveries are made again; a running daemon sees to it within seconds"));
        return Ok(Outcome::Fine);
    }
    let mut letters = store.dead_letters(DEAD_LETTERS_MAX).await.map_err(|error| anyhow!(error))?;
    letters.retain(|letter| sink.is_none_or(|sink| sink == letter.sink));
    if format == ListFormat::Json {
        print(&(wire::dead_letters(&letters) + "\n"))?;
        return Ok(Outcome::Fine);
    }
    let row = |letter: &DeadLetter| {
        let at = letter.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        vec![letter.sink.clone(), at, letter.attempts.to_string(), letter.alert.clone(), letter.error.clone()]
    };
    let rows: Vec<Vec<String>> = letters.iter().map(row).collect();
    print(&table(&["SINK", "GIVEN UP", "ATTEMPTS", "ALERT", "ERROR"], &rows))?;
    Ok(Outcome::Fine)
}
