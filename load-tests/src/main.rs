//! Measures the engine beside its peers: `throughput` and `disorder`; the daemon: `latency`; and the rules: `month`.
//! Memory is measured by the binary `principals`.

mod disorder;
mod latency;
mod month;
mod throughput;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Load tests of bedrock-watch")]
struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
    /// Fail when a budget of the scenario is exceeded
    #[arg(long, global = true)]
    check: bool,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Records a second on one core, beside plain JSON parsing and rsigma-eval
    Throughput {
        /// Records of each stream; the scenario's number unless given
        #[arg(long)]
        records: Option<u64>,
        /// Leave the peers out: for a profiler
        #[arg(long)]
        engine_only: bool,
        /// Only this stream; both unless given
        #[arg(long, value_enum)]
        stream: Option<throughput::StreamName>,
    },
    /// Bursts found when delivery is delayed, beside rsigma-eval
    Disorder {
        /// Callers; the scenario's number unless given
        #[arg(long)]
        principals: Option<u32>,
    },
    /// Time from the POST of a record to the receipt of its alert by a webhook
    Latency {
        /// How long each run lasts, in seconds; the scenario's number unless given
        #[arg(long)]
        seconds: Option<u32>,
    },
    /// False alarms and attacks found in a month of busy accounts; exit code 3 when a budget is exceeded
    Month {
        /// Records, about; the scenario's number unless given
        #[arg(long)]
        events: Option<u64>,
        /// Seed of the generator; the scenario's unless given
        #[arg(long)]
        seed: Option<u64>,
        /// Only the first days of the month
        #[arg(long)]
        days: Option<u32>,
    },
}

/// The exit code that says: measured, and a budget is exceeded.
const EXCEEDED: u8 = 3;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let rules = bedrock_watch_load_tests::built_in_rules()?;
    match arguments.measurement {
        Measurement::Throughput { records, engine_only, stream } => {
            throughput::run(&rules, throughput::Wanted { records, engine_only, stream }, arguments.check)?;
        }
        Measurement::Disorder { principals } => disorder::run(&rules, principals, arguments.check)?,
        Measurement::Latency { seconds } => latency::run(&rules, seconds, arguments.check)?,
        Measurement::Month { events, seed, days } => {
            let is_kept = month::run(&rules, month::Wanted { events, seed, days })?;
            return Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::from(EXCEEDED) });
        }
    }
    Ok(ExitCode::SUCCESS)
}
