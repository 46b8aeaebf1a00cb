//! The command line: what can be asked for, with an example of each.
//!
//! Deliberately no logic: this is the text people read, and the types the commands get.

mod audit;
mod doctor;
#[cfg(test)]
mod documents;
mod evidence;
mod incident;
mod manual;
mod queries;
mod stored;

use std::path::PathBuf;

use bedrock_watch_engine::{Second, alert::Severity};
use bedrock_watch_service::format::Format;
use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling::Styles};

#[cfg_attr(not(feature = "aws"), expect(unused_imports, reason = "what only the build with AWS reads"))]
pub(crate) use audit::{AuditArguments, AuditFormat};
pub(crate) use doctor::DoctorArguments;
#[cfg(feature = "aws")]
pub(crate) use doctor::DoctorFormat;
pub(crate) use evidence::{EvidenceArguments, EvidenceFormat};
pub(crate) use incident::{IncidentArguments, IncidentCommand, ReportFormat};
pub(crate) use manual::{CompletionsArguments, ManArguments};
pub(crate) use queries::{QueriesArguments, QueriesFormat};
pub(crate) use stored::{
    AlertsArguments, AlertsCommand, AlertsListArguments, Place, SilencesAddArguments, SilencesArguments,
    SilencesCommand,
};

/// Real-time protection of Amazon Bedrock: CloudTrail in, alerts out.
///
/// Tells, within a second of the event, when somebody deletes what a live customization job depends on, when model
/// invocation logging is switched off or weakened, and when a principal's calls turn into a burst, a fan-out or a probe.
#[derive(Debug, Parser)]
#[command(name = "bedrock-watch", version, styles = Styles::plain(), after_help = MAIN_EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const MAIN_EXAMPLES: &str = "\
Examples:
  bedrock-watch demo                          watch an included attack being found
  bedrock-watch replay trail.json.gz          judge recorded events
  bedrock-watch run                           judge what is posted to http://127.0.0.1:8787/v1/events

Exit codes: 0 fine; 1 it failed while running; 2 wrong arguments; 3 it worked and found something;
64 bad configuration.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the daemon and play an included attack into it
    Demo(DemoArguments),
    /// Run the daemon
    Run(RunArguments),
    /// Judge recorded events
    Replay(ReplayArguments),
    /// Check now that every customization job has the security groups it names
    Audit(AuditArguments),
    /// List, show, check, test and make rules
    Rules(RulesArguments),
    /// List, show and resolve alerts, and deliver again what was given up
    Alerts(AlertsArguments),
    /// List, make and end silences
    Silences(SilencesArguments),
    /// Print the queries that investigate an alert or a principal
    Queries(Box<QueriesArguments>),
    /// List what belongs together, and print the report for a support case
    Incident(IncidentArguments),
    /// Verify the log of what the detector did and was told, and print an auditor's report
    Evidence(EvidenceArguments),
    /// Prove that events really reach this service, link by link
    Doctor(DoctorArguments),
    /// Check a configuration, or describe one
    Config(ConfigArguments),
    /// Ask the running daemon whether it is alive
    Health(HealthArguments),
    /// Print or install manual pages
    Man(ManArguments),
    /// Print the completion script of a shell
    Completions(CompletionsArguments),
    /// Print the version
    Version,
}

/// The forms in which alerts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArgument {
    /// A block of text for people
    Human,
    /// One JSON object a line
    Json,
    /// One OCSF Detection Finding a line
    Ocsf,
}

impl From<FormatArgument> for Format {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Human => Self::Human,
            FormatArgument::Json => Self::Json,
            FormatArgument::Ocsf => Self::Ocsf,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The daemon is started exactly as `bedrock-watch run` starts it without a configuration, but its memory is kept in a
temporary folder, and its clock is that of the recording, so nothing is put aside for being old.

Examples:
  bedrock-watch demo                    watch; Ctrl-C ends it
  bedrock-watch demo --exit             end after the recording; 0 only if every expected alert came
  bedrock-watch demo --exit --pace 0    the same as quickly as possible")]
pub(crate) struct DemoArguments {
    /// End after the last alert instead of staying until Ctrl-C
    #[arg(long)]
    pub(crate) exit: bool,
    /// How many seconds the recording takes to play
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) pace: u64,
    /// How alerts are printed
    #[arg(long, value_enum, default_value_t = FormatArgument::Human)]
    pub(crate) format: FormatArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without --config: events are accepted by POST on http://127.0.0.1:8787/v1/events, alerts go to standard output, and
alerts and memory are kept in ./bedrock-watch.db. `bedrock-watch config example` prints every key.

Examples:
  bedrock-watch run
  bedrock-watch run --config /etc/bedrock-watch.toml
  curl --data-binary @trail.json.gz http://127.0.0.1:8787/v1/events")]
pub(crate) struct RunArguments {
    /// The configuration, TOML; BEDROCK_WATCH_CONFIG names it as well
    #[arg(long, value_name = "FILE", env = "BEDROCK_WATCH_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// A folder of rules that are added, or replace built-in rules of the same id
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Accepts any mix of EventBridge envelopes, CloudTrail records, {\"Records\": [...]}, JSON arrays, JSON Lines and
CloudWatch Logs messages, plain or gzip; what a file holds is found out from its bytes. What is printed depends only
on the records, never on when this is run.

Examples:
  bedrock-watch replay AWSLogs/                       a folder, in name order, merged by event time
  zcat trail.gz | bedrock-watch replay -              standard input
  bedrock-watch replay --since 2026-08-01 s3://my-trail/AWSLogs/
  bedrock-watch replay --final --format json trail/   the last state of each alert
  bedrock-watch replay --incidents trail/             what belongs together, as incidents
  bedrock-watch replay --fail-on high trail/          exit code 3 if anything high or critical is found
  bedrock-watch replay --report trail/                alerts by rule, pages a week, suggested tuning
  bedrock-watch replay --compare my-rules/ trail/     what these rules would have changed
  bedrock-watch replay --teach --state memory last-month/
  bedrock-watch replay --state memory today/          judge with what was taught")]
pub(crate) struct ReplayArguments {
    /// Files and folders, s3://BUCKET/PREFIX; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How alerts are printed [default: human on a terminal, json otherwise]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArgument>,
    /// Print only the last state of each alert, at the end
    #[arg(long = "final")]
    pub(crate) final_only: bool,
    /// Print only the incidents that the alerts form, at the end
    #[arg(long, conflicts_with_all = ["final_only", "teach"])]
    pub(crate) incidents: bool,
    /// Exit with 3 if an alert has this severity or a higher one
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    pub(crate) fail_on: Option<Severity>,
    /// Judge only events at or after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Second>,
    /// Judge only events before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Second>,
    /// Sort all records by event time first, on disk where needed
    #[arg(long)]
    pub(crate) sort: bool,
    /// A folder of rules that are added, or replace built-in rules of the same id
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// Start from the memory in this file; with --teach, also write it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Fill the memory (what is normal, what has been seen) and raise nothing
    #[arg(long, requires = "state")]
    pub(crate) teach: bool,
    /// At the end, tell each alert to the sinks of --config by its routes
    #[arg(long, requires = "config", conflicts_with = "teach")]
    pub(crate) notify: bool,
    /// The configuration whose rules are used, and whose sinks and routes --notify uses
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Judge with the rules of this folder as well, and print only what they would change; --fail-on is about that
    #[arg(long, value_name = "DIR", conflicts_with_all = ["teach", "notify", "final_only", "incidents", "report"])]
    pub(crate) compare: Option<PathBuf>,
    /// Print no alerts, but how many there are of each rule, pages a week, who is noisy, and what could be tuned
    #[arg(long, conflicts_with_all = ["teach", "final_only", "incidents"])]
    pub(crate) report: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArguments {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules
    #[command(after_help = "Example:\n  bedrock-watch rules list --format json")]
    List {
        /// A folder of rules that are added, or replace built-in rules of the same id
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// The configuration, for its rules and what it changes about them
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How they are listed
        #[arg(long, value_enum, default_value_t = ListFormat::Human)]
        format: ListFormat,
    },
    /// Show a rule in plain words, its numbers, an alert of it, its file and its runbook
    #[command(after_help = "\
Examples:
  bedrock-watch rules show invocation-burst
  bedrock-watch rules show invocation-burst --config bedrock-watch.toml")]
    Show {
        /// The rule's id
        id: String,
        /// A folder of rules that are added, or replace built-in rules of the same id
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
        /// The configuration, for its rules and what it changes about them
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check rules: every problem at once, exit code 3 if there is any
    #[command(after_help = "\
Warnings are about what is allowed and probably not meant, or missing for whoever answers the alerts.

Examples:
  bedrock-watch rules check
  bedrock-watch rules check my-rules/ --strict")]
    Check {
        /// The folder; without it, the built-in rules
        dir: Option<PathBuf>,
        /// Also exit with 3 for warnings
        #[arg(long)]
        strict: bool,
        /// The configuration, for the placeholders of |expand
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Run the cases of rules, exit code 3 if one fails
    #[command(after_help = "\
Examples:
  bedrock-watch rules test
  bedrock-watch rules test my-rules/ --junit results.xml")]
    Test {
        /// The folder; without it, the built-in rules
        dir: Option<PathBuf>,
        /// Also write the results into this file, as JUnit XML
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// The configuration, for the placeholders of |expand
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Make the folder of a new rule, with a case that fails until the rule is written
    #[command(after_help = "Example:\n  bedrock-watch rules new guardrail-deleted --dir my-rules")]
    New {
        /// The rule's id: lower-case words joined by hyphens
        id: String,
        /// Where the folder is made
        #[arg(long, value_name = "DIR", default_value = "rules")]
        dir: PathBuf,
    },
}

/// The forms in which rules, alerts and silences are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table
    Human,
    /// JSON
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration and its rules: every problem at once, exit code 64 if there is any
    #[command(after_help = "Example:\n  bedrock-watch config check /etc/bedrock-watch.toml")]
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration
    #[command(after_help = "Example:\n  bedrock-watch config schema > bedrock-watch.schema.json")]
    Schema,
    /// Print a configuration with every key and its default
    #[command(after_help = "Example:\n  bedrock-watch config example > bedrock-watch.toml")]
    Example,
    /// Print the reference of all keys, as Markdown
    #[command(after_help = "Example:\n  bedrock-watch config reference > docs/configuration.md")]
    Reference,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0 when the daemon answers, 1 when it does not. Needs no key and no other program, so it suits a container's
health check.

Examples:
  bedrock-watch health
  bedrock-watch health --config /etc/bedrock-watch.toml
  bedrock-watch health --address 127.0.0.1:9000")]
pub(crate) struct HealthArguments {
    /// The daemon's configuration, to learn its address; BEDROCK_WATCH_CONFIG names it as well
    #[arg(long, value_name = "FILE", env = "BEDROCK_WATCH_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// The daemon's address, whatever the configuration says [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) address: Option<std::net::SocketAddr>,
}

fn severity(text: &str) -> Result<Severity, String> {
    let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
    found.ok_or_else(|| "use informational, low, medium, high or critical".to_owned())
}

/// A moment; a date alone is its beginning, in UTC.
fn time(text: &str) -> Result<Second, String> {
    let found = Second::parse(text).or_else(|| Second::parse(&format!("{text}T00:00:00Z")));
    found.ok_or_else(|| "use a time such as 2026-11-18T14:00:00Z, or a date such as 2026-11-18".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn is_consistent_and_shows_an_example_everywhere() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        command.build();
        check(&command);
    }

    fn check(command: &clap::Command) {
        let is_leaf = !command.has_subcommands() && !["version", "help"].contains(&command.get_name());
        if is_leaf {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`{}` shows no example", command.get_name());
        }
        for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            check(subcommand);
        }
    }

    #[test]
    fn reads_times() {
        assert_eq!(time("2026-11-18").unwrap(), time("2026-11-18T01:00:00+01:00").unwrap());
        assert!(time("yesterday").is_err());
    }
}
