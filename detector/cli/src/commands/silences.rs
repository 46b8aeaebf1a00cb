//! `silences list|add|end`.

use anyhow::{Context, anyhow};
use bedrock_watch_service::{format::visible, routing::Wish, store::Matcher};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Failure, Outcome,
    place::{Target, format},
    print,
    run::runtime,
    table::{items, table, text},
};
use crate::{
    args::{ListFormat, SilencesAddArguments, SilencesArguments, SilencesCommand},
    terminal,
};

/// What a silence may name.
const MATCHERS: [&str; 7] = ["alert", "rule", "account", "region", "principal", "subject", "severity_max"];

/// Runs the command.
pub(super) fn run(arguments: SilencesArguments) -> Result<Outcome, Failure> {
    let format = format(&arguments.place);
    let runtime = runtime()?;
    runtime.block_on(async {
        let target = Target::of(&arguments.place).await?;
        match arguments.command {
            SilencesCommand::List { ended } => {
                let list = list(&target, ended).await?;
                print(&if format == ListFormat::Json { list + "\n" } else { human(&list)? })?;
            }
            SilencesCommand::Add(wanted) => {
                let silence = add(&target, wish(*wanted)?).await?;
                let silence: Value = serde_json::from_str(&silence).context("the silence is unreadable")?;
                print(&format!(
                    "{}\n",
                    if format == ListFormat::Json { silence.to_string() } else { text(&silence, "/id") }
                ))?;
            }
            SilencesCommand::End { id } => {
                end(&target, &id).await?;
                terminal::say(&format!("{} has ended", visible(&id)));
            }
        }
        Ok(Outcome::Fine)
    })
}

async fn list(target: &Target, ended: bool) -> anyhow::Result<String> {
    match target {
        Target::Store(store) => {
            let silences = store.silences(Timestamp::now(), ended).await?;
            Ok(json!({ "silences": silences }).to_string())
        }
        Target::Daemon(remote) => {
            remote.ask(Method::GET, &["v1", "silences"], &[("ended", ended.to_string())], None).await
        }
    }
}

fn human(list: &str) -> anyhow::Result<String> {
    let list: Value = serde_json::from_str(list).context("the list of silences is unreadable")?;
    let row = |silence: &Value| {
        let named = MATCHERS.iter().map(|name| (name, text(silence, &format!("/{name}"))));
        let named = named.filter(|(_, value)| value != "-").map(|(name, value)| format!("{name}={value}"));
        let matches = named.collect::<Vec<_>>().join(" ");
        let cell = |name: &str| text(silence, &format!("/{name}"));
        vec![cell("id"), cell("starts_at"), cell("ends_at"), cell("author"), matches, cell("reason")]
    };
    let rows: Vec<Vec<String>> = items(&list, "/silences").iter().map(row).collect();
    Ok(table(&["ID", "FROM", "UNTIL", "AUTHOR", "MATCHES", "REASON"], &rows))
}

fn wish(wanted: SilencesAddArguments) -> Result<Wish, Failure> {
    let starts_at = wanted.from.unwrap_or_else(Timestamp::now);
    let ends_at = match (wanted.until, wanted.lasts) {
        (Some(until), _) => Some(until),
        (None, Some(lasts)) => {
            let end = starts_at.checked_add(lasts);
            Some(end.map_err(|_| Failure::Arguments("--for reaches beyond the end of time".to_owned()))?)
        }
        (None, None) => None,
    };
    let matcher = Matcher {
        alert: wanted.alert,
        rule: wanted.rule,
        account: wanted.account,
        region: wanted.region,
        principal: wanted.principal,
        subject: wanted.subject,
        severity_max: wanted.severity_max,
    };
    Ok(Wish { starts_at: wanted.from, ends_at, author: wanted.author, reason: wanted.reason, matcher })
}

async fn add(target: &Target, wish: Wish) -> Result<String, Failure> {
    // Checked here as well, so that a senseless wish is a wrong argument wherever it would have gone.
    let now = Timestamp::now();
    let granted = wish.clone().grant(now);
    let silence = granted.map_err(|problems| Failure::Arguments(problems.join("; ")))?;
    match target {
        Target::Store(store) => {
            let json = serde_json::to_string(&silence).context("no JSON")?;
            store.put_silence(silence, now).await.map_err(|error| anyhow!(error))?;
            Ok(json)
        }
        Target::Daemon(remote) => {
            let body = serde_json::to_string(&wish).context("no JSON")?;
            Ok(remote.ask(Method::POST, &["v1", "silences"], &[], Some(body)).await?)
        }
    }
}

async fn end(target: &Target, id: &str) -> anyhow::Result<()> {
    match target {
        Target::Store(store) => {
            if !store.end_silence(id, Timestamp::now()).await? {
                return Err(anyhow!("there is no silence `{}` that still holds", visible(id)));
            }
        }
        Target::Daemon(remote) => {
            remote.ask(Method::DELETE, &["v1", "silences"], &[("id", id.to_owned())], None).await?;
        }
    }
    Ok(())
}
