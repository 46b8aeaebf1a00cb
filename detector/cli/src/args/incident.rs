//! The arguments of `incident`.

use std::path::PathBuf;

use bedrock_watch_engine::alert::{Severity, Status};
use clap::{Args, Subcommand, ValueEnum};

use super::severity;

/// The forms in which incidents are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For reading on a terminal
    Human,
    /// For a support case or a ticket
    Markdown,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
An incident is made of alerts that share a principal, an access key, an address or a person and are near in time, in
all accounts and regions. It follows from its alerts, so nothing has to be opened, merged or closed: resolve its alerts
(`bedrock-watch alerts resolve`) and it is over. The store may be looked into beside the running daemon.

Examples:
  bedrock-watch incident list
  bedrock-watch incident show i-7d1c2f
  bedrock-watch incident show i-7d1c2f --format markdown > case.md
  bedrock-watch incident list --url https://bedrock-watch.example.com")]
pub(crate) struct IncidentArguments {
    /// The daemon's configuration, to learn where its store is [without it: ./bedrock-watch.db]
    #[arg(long, value_name = "FILE", conflicts_with = "url", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Ask a daemon over HTTP instead; BEDROCK_WATCH_API_KEY is sent as the key if it is set
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// How it is printed [default: human on a terminal, json otherwise]
    #[arg(long, value_enum, global = true)]
    pub(crate) format: Option<ReportFormat>,
    #[command(subcommand)]
    pub(crate) command: IncidentCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentCommand {
    /// List incidents, newest first
    #[command(after_help = "\
Those of the newest 500 alerts. The score, from 5 to 100, adds up points for the worst severity, for the stages of an
attack that were reached, and for how many accounts, regions and principals are concerned.

Examples:
  bedrock-watch incident list --status firing
  bedrock-watch incident list --severity high --format json")]
    List {
        /// Only those that stand so: firing or resolved
        #[arg(long, value_parser = bedrock_watch_service::http::wire::status)]
        status: Option<Status>,
        /// Only those of at least this severity
        #[arg(long, value_name = "LEVEL", value_parser = severity)]
        severity: Option<Severity>,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Show an incident: the report that a support case asks for
    #[command(after_help = "\
The report says when it was first recognised, what happened in which order, which principals, keys and addresses are
suspected, which account was impacted first, what is affected, what it means for the business, which events and queries
prove it, how to open the support case, and what was done so far. Contacts, support plan and business impact come from
[contacts] of the configuration.

Examples:
  bedrock-watch incident show i-7d1c2f
  bedrock-watch incident show i-7d1c2f --format markdown > case.md
  bedrock-watch incident show 7d1c2f              the incident that this alert is in")]
    Show {
        /// The incident's id, or that of one of its alerts
        id: String,
    },
}
