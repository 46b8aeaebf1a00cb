//! Counts instructions a record with valgrind and compares them with `counts.toml`: a guard against regressions that
//! says the same on a busy machine as on a quiet one.
//!
//! Deliberately built from the engine and the generator alone, so that it is ready quickly. Each case is played by this
//! program itself, started again under `valgrind --tool=callgrind`, which counts only inside [`measured`].

mod budget;
mod cases;
mod valgrind;

use std::{hint::black_box, process::ExitCode};

use anyhow::Context as _;
use bedrock_watch_engine::Engine;
use bedrock_watch_load_tests::{generator::Chunk, measure::real, table};
use budget::Budgets;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Instructions a record, beside their budget; exit code 3 past it")]
struct Arguments {
    /// Cases; all unless given
    cases: Vec<String>,
    /// Say which cases there are
    #[arg(long)]
    list: bool,
    /// Make what is counted the budget
    #[arg(long)]
    write: bool,
    /// Play one case: what valgrind runs
    #[arg(long, hide = true)]
    play: Option<String>,
}

/// The exit code that says: counted, and a budget is exceeded.
const EXCEEDED: u8 = 3;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(name) = arguments.play {
        let (mut engine, chunk) = cases::find(&name)?.prepare()?;
        measured(&mut engine, &chunk);
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.list {
        table::print(&["case", "records", "what"], &cases::CASES.map(|case| case.described()));
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = match &*arguments.cases {
        [] => cases::CASES.to_vec(),
        names => names.iter().map(|name| cases::find(name)).collect::<anyhow::Result<_>>()?,
    };
    count(&wanted, arguments.write)
}

/// What is counted: judging, and nothing of making records or rules.
#[inline(never)]
fn measured(engine: &mut Engine, chunk: &Chunk) {
    for (record, _) in chunk.iter() {
        drop(black_box(engine.judge_recorded(record)));
    }
}

#[expect(clippy::print_stdout, reason = "the verdict is what the binary is for")]
fn count(wanted: &[cases::Case], write: bool) -> anyhow::Result<ExitCode> {
    valgrind::ensure_installed()?;
    let mut budgets = Budgets::read().context("reading counts.toml")?;
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    for case in wanted {
        let counted = valgrind::count(case.name)? as f64 / real(case.records);
        let change = budgets.change_percent(case.name, counted);
        rows.push(vec![
            case.name.to_owned(),
            table::thousands(counted),
            budgets.of(case.name).map_or_else(String::new, |budget| table::thousands(budget as f64)),
            change.map_or_else(String::new, |change| format!("{change:+.1} %")),
        ]);
        verdicts.extend(budgets.verdict(case.name, counted));
        budgets.set(case.name, counted);
    }
    table::print(&["case", "instructions a record", "budget", "difference"], &rows);
    if write {
        budgets.write()?;
        println!("\ncounts.toml is written");
        return Ok(ExitCode::SUCCESS);
    }
    for verdict in &verdicts {
        println!("\n{}", verdict.text);
    }
    if verdicts.iter().any(|verdict| verdict.is_failure) {
        return Ok(ExitCode::from(EXCEEDED));
    }
    println!("\nbudget: kept");
    Ok(ExitCode::SUCCESS)
}
