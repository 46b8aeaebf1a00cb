//! `evidence`: verifies the chain and prints the report.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use bedrock_watch_service::{
    config::{Config, evidence::Archived},
    evidence::{
        Folder,
        archive::Archive,
        reading::{Period, read},
        report::{Reporter, markdown},
    },
    store::Store,
};
use jiff::Timestamp;

use super::{Failure, Outcome, cloud, config, place::open_configured, print, run::runtime};
use crate::{
    args::{EvidenceArguments, EvidenceFormat},
    terminal,
};

/// Where evidence lies.
struct Places {
    archive: Option<Arc<dyn Archive>>,
    store: Option<Arc<dyn Store>>,
}

/// Runs the command.
pub(super) fn run(arguments: &EvidenceArguments) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let period = Period { from: arguments.from.unwrap_or(Timestamp::MIN), to: arguments.to.unwrap_or(now) };
    if period.from >= period.to {
        return Err(Failure::Arguments("the period ends before it begins: --from is before --to".to_owned()));
    }
    runtime()?.block_on(async {
        let places = places(arguments).await?;
        let mut reporter = Reporter::new(period);
        let (archive, store) = (places.archive.as_deref(), places.store.as_deref());
        let verdict = read(archive, store, period, &mut |entry| reporter.take(entry)).await;
        let report = reporter.finish(verdict.context("the evidence cannot be read")?);
        print(&match arguments.format {
            EvidenceFormat::Markdown => markdown(&report),
            EvidenceFormat::Json => serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)? + "\n",
        })?;
        if report.whole {
            return Ok(Outcome::Fine);
        }
        for finding in &report.findings {
            let line = finding.line.map_or_else(String::new, |line| format!(":{line}"));
            let entry = finding.seq.map_or_else(String::new, |seq| format!(", entry {seq}"));
            terminal::say(&format!("{}{line}: {}{entry}: {}", finding.file, finding.worker, finding.what));
        }
        terminal::say("the evidence is not whole");
        Ok(Outcome::FoundSomething)
    })
}

async fn places(arguments: &EvidenceArguments) -> Result<Places, Failure> {
    if let Some(path) = &arguments.path {
        return folder(path);
    }
    if let Some(address) = &arguments.bucket {
        return bucket(address).await;
    }
    let config = config::load_without_secrets(arguments.config.as_deref())?;
    let needs_aws =
        config.store.dynamodb.is_some() || matches!(config.evidence.archived, Some(Archived::Bucket { .. }));
    let cloud = if needs_aws { cloud::connect(&config).await? } else { None };
    let none = || anyhow!("this build has no AWS, where the evidence lies; use the standard build");
    let store = match &config.store.dynamodb {
        Some(table) => cloud.as_deref().ok_or_else(none)?.store(table).await.map_err(anyhow::Error::from)?,
        None => open_configured(&config).await?,
    };
    let archive: Option<Arc<dyn Archive>> = match &config.evidence.archived {
        Some(Archived::Bucket { bucket, prefix }) => Some(cloud.as_deref().ok_or_else(none)?.evidence(bucket, prefix)),
        // One that is gone is empty, which is found where the store knows that something was archived.
        Some(Archived::Folder(path)) => Some(Arc::new(Folder::new(path.clone()))),
        None => None,
    };
    Ok(Places { archive, store: Some(store) })
}

fn folder(path: &Path) -> Result<Places, Failure> {
    if !path.is_dir() {
        return Err(anyhow!("there is no folder {}; give the `path` of [evidence]", path.display()).into());
    }
    Ok(Places { archive: Some(Arc::new(Folder::new(path.to_owned()))), store: None })
}

async fn bucket(address: &str) -> Result<Places, Failure> {
    let rest = address.strip_prefix("s3://").filter(|rest| !rest.is_empty());
    let rest =
        rest.ok_or_else(|| Failure::Arguments(format!("`{address}` is no address such as s3://BUCKET/PREFIX")))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let mut config = Config::standard();
    config.evidence.archived = Some(Archived::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
    let cloud = cloud::connect(&config).await?;
    let cloud = cloud.context("this build has no AWS; copy the bucket to a folder and give that with --path")?;
    Ok(Places { archive: Some(cloud.evidence(bucket, prefix)), store: None })
}
