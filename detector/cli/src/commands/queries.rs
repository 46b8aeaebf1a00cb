//! `queries`: what an investigator asks about an alert or a principal, to be pasted.

use std::{
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::Path,
};

use anyhow::Context;
use bedrock_watch_engine::{
    DAY_S, Inquiry, Language, Second,
    alert::{Alert, Query},
};
use bedrock_watch_service::{
    format::{Format, read, visible},
    incident::Joining,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Failure, Outcome, alerts, place::Target, print, run::runtime};
use crate::{
    args::{Place, QueriesArguments, QueriesFormat},
    terminal,
};

/// Days of a principal's past that are searched unless told otherwise.
const DAYS: u32 = 7;

/// Runs the command.
pub(super) fn run(arguments: &QueriesArguments) -> Result<Outcome, Failure> {
    let (alert, mut inquiry) = match (&arguments.id, &arguments.principal) {
        (Some(id), _) => {
            let alert = find(arguments, id)?;
            let inquiry = Inquiry::of_alert(&alert);
            (Some(alert), inquiry)
        }
        (None, principal) => {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
            let until = arguments.until.or_else(|| Second::from_unix(i64::try_from(now).ok()?));
            let until = until.unwrap_or(Second::MAX);
            let since = until.minus(DAYS.saturating_mul(DAY_S));
            (None, Inquiry::of_principal(principal.as_deref().unwrap_or_default(), since, until))
        }
    };
    inquiry.since = arguments.since.unwrap_or(inquiry.since);
    inquiry.until = arguments.until.unwrap_or(inquiry.until);
    if inquiry.since > inquiry.until {
        return Err(Failure::Arguments("--since is later than --until".to_owned()));
    }
    inquiry.confined |= arguments.account.is_some() || arguments.region.is_some();
    if let Some(account) = &arguments.account {
        inquiry.account = Some(account.clone());
    }
    inquiry.region.clone_from(&arguments.region);
    let mut languages: Vec<Language> = arguments.languages.iter().map(|one| Language::from(*one)).collect();
    languages.dedup();
    if languages.is_empty() {
        languages = Language::ALL.to_vec();
    }
    let queries = inquiry.queries(alert.as_ref(), &languages);
    let default = if terminal::default_format() == Format::Human { QueriesFormat::Text } else { QueriesFormat::Json };
    print(&match arguments.format.unwrap_or(default) {
        QueriesFormat::Text => queries.iter().map(for_people).collect::<String>(),
        QueriesFormat::Json => queries.iter().map(as_json).collect(),
    })?;
    Ok(Outcome::Fine)
}

/// A query below its title, which is a comment in its language.
fn for_people(query: &Query) -> String {
    if query.language == Language::Insights.as_str() {
        return format!("# {} ({})\n{}\n\n", query.title, query.language, query.text);
    }
    format!("-- {} ({})\n{};\n\n", query.title, query.language, query.text)
}

fn as_json(query: &Query) -> String {
    format!("{}\n", json!({ "title": query.title, "language": query.language, "text": query.text }))
}

/// The alert with this id.
fn find(arguments: &QueriesArguments, id: &str) -> Result<Alert, Failure> {
    if let Some(file) = &arguments.alerts {
        return Ok(in_file(file, id)?);
    }
    let place = Place { config: arguments.config.clone(), url: arguments.url.clone(), format: None };
    let details = runtime()?.block_on(async {
        let target = Target::of(&place).await?;
        Ok::<_, Failure>(alerts::details((&target, &Joining::default()), id).await?)
    })?;
    #[derive(Deserialize)]
    struct Details {
        alert: Box<RawValue>,
    }
    let details: Details = serde_json::from_str(&details).context("the alert is unreadable")?;
    Ok(read::alert(details.alert.get()).context("the alert is unreadable")?)
}

/// The last state of an alert in a file of alerts.
fn in_file(file: &Path, id: &str) -> anyhow::Result<Alert> {
    let shown = file.display();
    let lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).with_context(|| format!("cannot open {shown}"))?))
    };
    let mut found: Option<Alert> = None;
    for (number, line) in lines.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {shown}"))?;
        if line.trim().is_empty() || !line.contains(id) {
            continue;
        }
        let number = number.saturating_add(1);
        let alert = read::alert(&line).with_context(|| format!("{shown}:{number}: this is no alert"))?;
        if !alert.id.starts_with(id) {
            continue;
        }
        if let Some(other) = found.as_ref().filter(|other| other.id != alert.id) {
            anyhow::bail!("{shown} has several alerts that begin so: {} and {}", other.id, alert.id);
        }
        found = Some(alert);
    }
    found.with_context(|| format!("there is no alert `{}` in {shown}", visible(id)))
}
