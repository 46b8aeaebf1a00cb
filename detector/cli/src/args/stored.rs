//! The arguments of `alerts` and `silences`, which look into the store of a daemon.

use std::path::PathBuf;

use bedrock_watch_engine::alert::{Severity, Status};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::{ListFormat, severity};

/// Where the alerts are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The daemon's configuration, to learn where its store is [without it: ./bedrock-watch.db]
    #[arg(long, value_name = "FILE", conflicts_with = "url", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Ask a daemon over HTTP instead; BEDROCK_WATCH_API_KEY is sent as the key if it is set
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// How it is printed [default: human on a terminal, json otherwise]
    #[arg(long, value_enum, global = true)]
    pub(crate) format: Option<ListFormat>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The store may be looked into beside the running daemon, which hears of a resolution or a silence within seconds.

Examples:
  bedrock-watch alerts list --status firing --severity high
  bedrock-watch alerts show 7d1c2f
  bedrock-watch alerts list --url https://bedrock-watch.example.com")]
pub(crate) struct AlertsArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts, newest first
    #[command(after_help = "\
Examples:
  bedrock-watch alerts list
  bedrock-watch alerts list --status firing --severity high
  bedrock-watch alerts list --rule invocation-burst --account 111122223333 --format json")]
    List(AlertsListArguments),
    /// Show an alert, its history, and the sinks that could not be told of it
    #[command(after_help = "Example:\n  bedrock-watch alerts show 7d1c2f")]
    Show {
        /// The alert's id
        id: String,
    },
    /// Say that an alert is over; the sinks that were told of it are told so
    #[command(after_help = "\
It opens again when it fires again or becomes worse.

Example:
  bedrock-watch alerts resolve 7d1c2f --reason \"the pipeline recreated the group\"")]
    Resolve {
        /// The alert's id
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, env = "USER")]
        author: String,
    },
    /// Deliver again what sinks could not be told and was given up
    #[command(after_help = "\
Works on the store itself, so not with --url.

Examples:
  bedrock-watch alerts redrive --list           what was given up, and why
  bedrock-watch alerts redrive                  deliver all of it again
  bedrock-watch alerts redrive --sink slack     only that of one sink")]
    Redrive {
        /// Only that of this sink
        #[arg(long, value_name = "NAME")]
        sink: Option<String>,
        /// Only list it
        #[arg(long)]
        list: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AlertsListArguments {
    /// Only those that stand so: firing, resolved or withdrawn [default: all but withdrawn]
    #[arg(long, value_parser = status)]
    pub(crate) status: Option<Status>,
    /// Only those of at least this severity
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    pub(crate) severity: Option<Severity>,
    /// Only those of this rule
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// Only those of this account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Only those of this principal
    #[arg(long, value_name = "ARN")]
    pub(crate) principal: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Under a silence, sinks do not hear of what it matches; the alerts are stored all the same. It ends by itself.

Examples:
  bedrock-watch silences add --rule 'invocation-*' --principal '*:role/load-test' --for 2h --reason \"load test\"
  bedrock-watch silences list
  bedrock-watch silences end s-1f09ac")]
pub(crate) struct SilencesArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: SilencesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SilencesCommand {
    /// List the silences that have not ended
    #[command(after_help = "Examples:\n  bedrock-watch silences list\n  bedrock-watch silences list --ended")]
    List {
        /// Also those that ended within the last 30 days
        #[arg(long)]
        ended: bool,
    },
    /// Make a silence; prints its id
    #[command(after_help = "\
Everything that is named must match; * stands for any text in rules, principals and subjects.

Examples:
  bedrock-watch silences add --account 111122223333 --severity-max medium --for 8h --reason \"change 42\"
  bedrock-watch silences add --alert 7d1c2f --until 2026-11-30T08:00:00Z --reason \"known, being repaired\"")]
    Add(Box<SilencesAddArguments>),
    /// End a silence now
    #[command(after_help = "Example:\n  bedrock-watch silences end s-1f09ac")]
    End {
        /// The silence's id
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
pub(crate) struct SilencesAddArguments {
    /// Only this alert
    #[arg(long, value_name = "ID")]
    pub(crate) alert: Option<String>,
    /// Only this rule
    #[arg(long, value_name = "PATTERN")]
    pub(crate) rule: Option<String>,
    /// Only this account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Only this region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Only this principal
    #[arg(long, value_name = "PATTERN")]
    pub(crate) principal: Option<String>,
    /// Only this subject, such as a security group's id
    #[arg(long, value_name = "PATTERN")]
    pub(crate) subject: Option<String>,
    /// Only alerts of at most this severity
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    pub(crate) severity_max: Option<Severity>,
    /// How long it lasts, such as 90m, 8h or 7d; at most 90 days
    #[arg(long = "for", value_name = "DURATION", group = "end", value_parser = duration)]
    pub(crate) lasts: Option<SignedDuration>,
    /// Until when it lasts
    #[arg(long, value_name = "TIME", group = "end")]
    pub(crate) until: Option<Timestamp>,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Who makes it
    #[arg(long, env = "USER")]
    pub(crate) author: String,
}

fn status(text: &str) -> Result<Status, String> {
    bedrock_watch_service::http::wire::status(text)
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let span: Result<jiff::Span, _> = text.parse();
    let lasts = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()));
    let lasts = lasts.ok().filter(SignedDuration::is_positive);
    lasts.ok_or_else(|| "use a duration such as 90m, 8h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let check =
            |text: &str, hours: i64| assert_eq!(duration(text), Ok(SignedDuration::from_hours(hours)), "{text}");
        check("8h", 8);
        check("60m", 1);
        check("7d", 168);
        check("1 week", 168);
        for text in ["", "8", "-1h", "0s", "soon", "1 month"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
