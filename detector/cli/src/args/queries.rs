//! The arguments of `queries`.

use std::path::PathBuf;

use bedrock_watch_engine::{Language, Second};
use clap::{Args, ValueEnum};

use super::time;

/// The languages queries are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageArgument {
    /// Athena, over CloudTrail's files and the invocation log's, with the tables to be made
    Athena,
    /// CloudTrail Lake
    Lake,
    /// CloudWatch Logs Insights, over both log groups
    Insights,
}

impl From<LanguageArgument> for Language {
    fn from(language: LanguageArgument) -> Self {
        match language {
            LanguageArgument::Athena => Self::Athena,
            LanguageArgument::Lake => Self::Lake,
            LanguageArgument::Insights => Self::Insights,
        }
    }
}

/// The forms in which queries are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueriesFormat {
    /// The queries, each below its title
    Text,
    /// One JSON object a line: title, language, text
    Json,
}

#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("whom").required(true),
    after_help = "\
Nothing is asked of AWS: the queries are printed, to be pasted. An alert is looked up in the daemon's store, in the
daemon itself (--url), or in a file of alerts as `replay --format json` writes it (--alerts). Without --since and --until
an alert is investigated from a day before it to a day after, a principal over the last seven days.

Examples:
  bedrock-watch queries 7d1c2f
  bedrock-watch queries 7d1c2f --language lake
  bedrock-watch replay --final --format json trail/ > alerts.jsonl; bedrock-watch queries 7d1c2f --alerts alerts.jsonl
  bedrock-watch queries --principal arn:aws:iam::111122223333:role/app --since 2026-11-18 --language insights"
)]
pub(crate) struct QueriesArguments {
    /// The alert's id, or the beginning of one in a file
    #[arg(group = "whom")]
    pub(crate) id: Option<String>,
    /// A principal instead of an alert: an IAM user's or role's ARN, or what alerts call it
    #[arg(long, value_name = "ARN", group = "whom")]
    pub(crate) principal: Option<String>,
    /// A file of alerts, one JSON object a line; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["principal", "config", "url"])]
    pub(crate) alerts: Option<PathBuf>,
    /// The daemon's configuration, to learn where its store is [without it: ./bedrock-watch.db]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["principal", "url"])]
    pub(crate) config: Option<PathBuf>,
    /// Ask a daemon over HTTP instead; BEDROCK_WATCH_API_KEY is sent as the key if it is set
    #[arg(long, value_name = "URL", conflicts_with = "principal")]
    pub(crate) url: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Second>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Second>,
    /// Only what was done in this account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Only what was done in this region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Only queries of this language; may be repeated [default: all of them]
    #[arg(long = "language", value_enum)]
    pub(crate) languages: Vec<LanguageArgument>,
    /// How they are printed [default: text on a terminal, json otherwise]
    #[arg(long, value_enum)]
    pub(crate) format: Option<QueriesFormat>,
}
