//! Measures the engine beside its peers and the floors: `compare`; under load, with its budgets: `run`; under delayed
//! delivery: `disorder`; and the rules: `month`. `counts` and `memory` are binaries of their own.

mod compare;
mod disorder;
mod month;
mod run;

use std::{path::PathBuf, process::ExitCode};

use bedrock_watch_load_tests::built_in_rules;
use clap::{Parser, Subcommand};
use compare::StreamName;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Load tests of bedrock-watch; exit code 3 past a budget")]
struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Records a second on one core, beside the floors and the peers, and whether their answers agree
    Compare {
        /// A file of EventBridge envelopes, one a line; made otherwise
        #[arg(long)]
        file: Option<PathBuf>,
        /// Records to make; the scenario's number unless given
        #[arg(long)]
        records: Option<usize>,
        /// What they are about
        #[arg(long, value_enum, default_value = "mix")]
        stream: StreamName,
        /// Judge with so many threads as well
        #[arg(long)]
        threads: Option<usize>,
        /// Turns of each, of which the best counts; the scenario's number unless given
        #[arg(long)]
        rounds: Option<u32>,
        /// Leave everybody else out: for a profiler
        #[arg(long)]
        engine_only: bool,
        /// Measure what more rules, principals and jobs cost as well, and draw it all into this folder
        #[arg(long, conflicts_with = "engine_only")]
        plot: Option<PathBuf>,
    },
    /// Writes the records that `compare` makes into a file
    Generate {
        /// The file
        file: PathBuf,
        /// How many
        #[arg(long, default_value_t = 500_000)]
        records: usize,
        /// What they are about
        #[arg(long, value_enum, default_value = "mix")]
        stream: StreamName,
        /// Seed of the generator
        #[arg(long, default_value_t = 7)]
        seed: u64,
    },
    /// Bursts found when delivery is delayed, beside rsigma-eval
    Disorder {
        /// Callers; the scenario's number unless given
        #[arg(long)]
        principals: Option<u32>,
    },
    /// Plays scenarios and says whether they keep their budgets
    Run {
        /// Scenarios; all unless given
        scenarios: Vec<String>,
        /// Say which there are
        #[arg(long)]
        list: bool,
        /// Play them so much shorter and smaller; rates stay
        #[arg(long, default_value_t = 1.0)]
        scale: f64,
    },
    /// Plays one scenario for `run`
    #[command(hide = true)]
    Play {
        scenario: String,
        #[arg(long, default_value_t = 1.0)]
        scale: f64,
    },
    /// Is the daemon of a scenario
    #[command(hide = true)]
    Serve { configuration: PathBuf },
    /// False alarms and attacks found in a month of busy accounts
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
        /// Write the records into this file, or pipe, instead of judging them
        #[arg(long)]
        write: Option<PathBuf>,
    },
}

/// The exit code that says: measured, and a budget is exceeded.
const EXCEEDED: u8 = 3;
/// Callers of a file that is written.
const CALLERS: u32 = 20_000;

fn main() -> anyhow::Result<ExitCode> {
    let is_kept = match Arguments::parse().measurement {
        Measurement::Compare { file, records, stream, threads, rounds, engine_only, plot } => {
            compare::run(&compare::Wanted { file, records, stream, threads, rounds, engine_only, plot })?
        }
        Measurement::Generate { file, records, stream, seed } => {
            compare::write_file(&file, seed, stream.stream(), CALLERS, records)?;
            true
        }
        Measurement::Disorder { principals } => disorder::run(&built_in_rules()?, principals)?,
        Measurement::Run { list: true, .. } => run::list().map(|()| true)?,
        Measurement::Run { scenarios, scale, .. } => run::run(&scenarios, scale)?,
        Measurement::Play { scenario, scale } => run::play(&scenario, scale).map(|()| true)?,
        Measurement::Serve { configuration } => run::serve(&configuration).map(|()| true)?,
        Measurement::Month { events, seed, days, write } => {
            let wanted = month::Wanted { events, seed, days };
            match write {
                Some(file) => month::write(wanted, &file).map(|()| true)?,
                None => month::run(&built_in_rules()?, wanted)?,
            }
        }
    };
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::from(EXCEEDED) })
}
