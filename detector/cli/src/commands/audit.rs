//! `audit`: every customization job with its security groups, now.
//!
//! Deliberately no verdict here, only what is asked for and how it is printed.

use std::collections::BTreeMap;

use anyhow::anyhow;
use bedrock_watch_aws::{
    Aws,
    audit::{Progress, Report, Row, accounts, audit},
};
use bedrock_watch_service::{
    config::{AccountConfig, Config, aws::AwsConfig},
    format::{Format, visible},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::{Failure, Outcome, config, print, run::runtime, table::table};
use crate::{
    args::{AuditArguments, AuditFormat},
    terminal,
};

/// Asked which regions there are, where the environment names none.
const ANY_REGION: &str = "us-east-1";

/// Runs the command.
pub(super) fn run(arguments: &AuditArguments) -> Result<Outcome, Failure> {
    let config = config::load(arguments.config.as_deref())?;
    let report = runtime()?.block_on(async {
        let aws = connect(&config, arguments).await?;
        let known = accounts(&aws).await.map_err(anyhow::Error::from)?;
        if let Some(unknown) = arguments.accounts.iter().find(|account| !known.contains(account)) {
            let message = format!(
                "there is no way to ask account {unknown}: it is neither the own account nor an [[account]] with a \
                 role_arn; known are {}",
                known.join(", ")
            );
            return Err(Failure::Arguments(message));
        }
        let shown = Shown::start();
        let report = audit(&aws, &arguments.accounts, |progress| shown.advance(progress)).await;
        shown.end();
        Ok(report.map_err(anyhow::Error::from)?)
    })?;
    report.failures.iter().for_each(|failure| terminal::say(&format!("warning: {failure}")));
    print(&render(&report, arguments.format.unwrap_or_else(default_format)))?;
    outcome(&report, arguments.strict)
}

fn outcome(report: &Report, strict: bool) -> Result<Outcome, Failure> {
    if report.has_findings(strict) {
        return Ok(Outcome::FoundSomething);
    }
    match report.failures.len() {
        0 => Ok(Outcome::Fine),
        failures => Err(anyhow!("the audit is incomplete: {failures} questions were not answered, see above").into()),
    }
}

/// The way to AWS, with the regions of the command line in place of those of the configuration.
async fn connect(config: &Config, arguments: &AuditArguments) -> anyhow::Result<Aws> {
    let (mut aws, mut accounts) = (config.aws.clone(), config.routing.accounts.clone());
    if arguments.all_regions || !arguments.regions.is_empty() {
        aws.regions = if arguments.all_regions { vec!["*".to_owned()] } else { arguments.regions.clone() };
        for access in accounts.values_mut().filter_map(|account: &mut AccountConfig| account.access.as_mut()) {
            access.regions.clear();
        }
    }
    reach(aws, &accounts, arguments).await
}

async fn reach(
    aws: AwsConfig,
    accounts: &BTreeMap<String, AccountConfig>,
    arguments: &AuditArguments,
) -> anyhow::Result<Aws> {
    match Aws::connect(&aws, accounts).await {
        Ok(reached) => Ok(reached),
        // The command line names regions, and any of them will do to ask who we are.
        Err(_) if aws.region.is_none() && !aws.regions.is_empty() => {
            let region = arguments.regions.first().cloned().unwrap_or_else(|| ANY_REGION.to_owned());
            Ok(Aws::connect(&AwsConfig { region: Some(region), ..aws }, accounts).await?)
        }
        Err(error) => Err(error.into()),
    }
}

fn default_format() -> AuditFormat {
    if terminal::default_format() == Format::Human { AuditFormat::Human } else { AuditFormat::Json }
}

fn render(report: &Report, format: AuditFormat) -> String {
    let lines = |values: Vec<Value>| values.iter().map(|value| format!("{value}\n")).collect();
    match format {
        AuditFormat::Human => human(report),
        AuditFormat::Json => lines(report.to_json()),
        AuditFormat::Ocsf => lines(report.to_ocsf()),
        AuditFormat::Asff => lines(report.to_asff()),
    }
}

fn human(report: &Report) -> String {
    let row = |row: &Row| {
        let group = row.group.clone().unwrap_or_else(|| "-".to_owned());
        let job = (row.job_name().to_owned(), row.job.status.clone());
        vec![row.account.clone(), row.region.clone(), job.0, job.1, group, row.verdict.text()]
    };
    let rows: Vec<Vec<String>> = report.rows.iter().map(row).collect();
    let mut lines = Vec::new();
    if !rows.is_empty() {
        lines.push(table(&["ACCOUNT", "REGION", "JOB", "STATUS", "GROUP", "VERDICT"], &rows));
    }
    for finding in report.findings() {
        lines.push(format!("[{}] {}", finding.severity.as_str(), visible(&finding.summary)));
        for step in &finding.remediation {
            lines.push(format!("  {}:", visible(&step.title)));
            lines.extend(step.command.lines().map(|line| format!("    {line}")));
        }
        lines.push(String::new());
    }
    let summary = report.summary();
    let counts: Vec<String> = summary.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let counts = if counts.is_empty() { "nothing to look at".to_owned() } else { counts.join(", ") };
    let complete = if summary.complete { "" } else { "; incomplete, see standard error" };
    lines.push(format!("{} jobs in {} places: {counts}{complete}\n", summary.jobs, summary.places));
    lines.join("\n")
}

/// How far the audit is, on standard error, only where somebody watches.
struct Shown(ProgressBar);

impl Shown {
    fn start() -> Self {
        let watched = terminal::stderr_is_watched();
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {elapsed} {pos} of {len} places, {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self(bar)
    }

    fn advance(&self, progress: &Progress) {
        self.0.set_length(u64::try_from(progress.all).unwrap_or(u64::MAX));
        self.0.set_position(u64::try_from(progress.done).unwrap_or(u64::MAX));
        self.0.set_message(progress.place.clone());
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
