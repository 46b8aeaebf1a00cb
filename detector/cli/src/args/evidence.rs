//! The arguments of `evidence`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The forms in which the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvidenceFormat {
    /// For an auditor
    Markdown,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The detector writes down what it does and is told: start and stop, the rules in force, silences, suppressions, who
resolved what, every alert and delivery, canaries, and every gap in the protection. Each line carries a hash over itself
and the line before, so whoever changes, removes, moves or adds one breaks the chain. This command verifies the chain
and prints what happened in the period, by the criteria CC6.1 and CC7.2 to CC7.4 of SOC 2.

Where it looks: without arguments, in ./bedrock-watch.db; with --config, in the archive and the store of that
configuration; with --path or an s3:// address, in the archive alone, which needs nothing of the detector. For evidence
that nobody who runs the detector can change, archive it to a bucket with object lock ([evidence] bucket).

To check one line by hand, without this program:
  line=$(head -1 evidence/WORKER/2026-11-22/000000000001.jsonl)
  printf '%s}' \"${line%,\\\"hash\\\":*}\" | sha256sum     the hash at the end of the line, and `prev` in the next one

Exit codes: 0 the evidence is whole; 3 it is not: the report begins with what is wrong, by worker, entry, file and line.

Examples:
  bedrock-watch evidence --config bedrock-watch.toml --from 2026-10-01 --to 2026-11-01 > october.md
  bedrock-watch evidence --path ./evidence --format json
  bedrock-watch evidence s3://bedrock-watch-evidence/evidence/ --from 2026-01-01")]
pub(crate) struct EvidenceArguments {
    /// An archive in S3: s3://BUCKET/PREFIX
    #[arg(value_name = "s3://BUCKET/PREFIX", conflicts_with_all = ["config", "path"])]
    pub(crate) bucket: Option<String>,
    /// The daemon's configuration, to learn where its store and its archive are [without it: ./bedrock-watch.db]
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    pub(crate) config: Option<PathBuf>,
    /// A folder with an archive
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// From then on: a day or a time, UTC [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Timestamp>,
    /// Up to then, exclusive [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<Timestamp>,
    /// How the report is printed
    #[arg(long, value_enum, default_value = "markdown")]
    pub(crate) format: EvidenceFormat,
}

/// A day (its beginning in UTC) or a time.
fn moment(text: &str) -> Result<Timestamp, String> {
    let of_day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse()
        .ok()
        .or_else(of_day)
        .ok_or_else(|| "a day such as 2026-11-22 or a time such as 2026-11-22T10:00:00Z".to_owned())
}
