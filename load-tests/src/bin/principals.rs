//! Bytes of live heap for each of a million principals, counted by the allocator.

use bedrock_watch_engine::{Engine, Second, Settings};
use bedrock_watch_load_tests::{
    built_in_rules,
    generator::{Callers, Chunk, Generator, Population, START, Stream},
    measure::{Cost, real},
    scenario::{self, Budget, Principals},
    table,
};
use cap::Cap;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: Cap<mimalloc::MiMalloc> = Cap::new(mimalloc::MiMalloc, usize::MAX);

/// Records generated and judged at a time.
const CHUNK: usize = 10_000;

#[derive(Debug, Parser)]
#[command(about = "Memory of bedrock-watch for many principals")]
struct Arguments {
    /// Principals; the scenario's number unless given
    #[arg(long)]
    principals: Option<u32>,
    /// Fail when the budget of the scenario is exceeded
    #[arg(long)]
    check: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let scenario: Principals = scenario::read("principals", include_str!("../../scenarios/principals.toml"))?;
    let principals = arguments.principals.unwrap_or(scenario.principals);
    let mut engine = Engine::new(built_in_rules()?, Settings::standard());
    let step_micros = u64::from(scenario.every_s).saturating_mul(1_000_000) / u64::from(principals.max(1));
    let mut generator = Generator::new(scenario.seed, Stream::AllBedrock, Population::distinct(principals))
        .with_callers(Callers::RoundRobin)
        .with_step_micros(step_micros);
    let before = ALLOCATOR.allocated();
    let per_principal = || {
        let grown = ALLOCATOR.allocated().saturating_sub(before);
        real(u64::try_from(grown).unwrap_or(u64::MAX)) / f64::from(principals)
    };
    let mut rows = Vec::new();
    let mut now = START;
    for call in 1..=scenario.calls {
        let mut cost = Cost::default();
        let mut left = usize::try_from(principals)?;
        while left > 0 {
            let chunk = generator.chunk(left.min(CHUNK));
            left = left.saturating_sub(CHUNK);
            now = cost.add(chunk.len(), chunk.bytes().len(), || judge(&mut engine, &chunk, now))?;
        }
        rows.push(vec![
            format!("after {call} calls of each"),
            format!("{:.0}", per_principal()),
            table::thousands(cost.ns_per_record()),
        ]);
    }
    // What only the allowed lateness needs is gone once it has passed.
    settle(&mut engine, &mut generator, now)?;
    let at_rest = per_principal();
    rows.push(vec!["an hour later".to_owned(), format!("{at_rest:.0}"), String::new()]);
    let snapshot = engine.snapshot().len();
    let snapshot_each = real(u64::try_from(snapshot)?) / f64::from(principals);
    rows.push(vec!["as a snapshot".to_owned(), format!("{snapshot_each:.0}"), String::new()]);
    table::print(&[&format!("{principals} principals"), "bytes a principal", "ns/record"], &rows);
    let mut budget = Budget::default();
    budget.at_most("bytes a principal", at_rest, scenario.bytes_per_principal_max);
    budget.finish(arguments.check)
}

/// Judges the records and returns the greatest event time.
fn judge(engine: &mut Engine, chunk: &Chunk, mut now: Second) -> anyhow::Result<Second> {
    for (record, at) in chunk.iter() {
        now = now.max(at);
        engine.judge(record, now)?;
    }
    Ok(now)
}

/// Lets an hour pass in every account, with one call in each.
fn settle(engine: &mut Engine, generator: &mut Generator, now: Second) -> anyhow::Result<()> {
    let later = now.plus(3_600);
    let mut chunk = Chunk::default();
    for caller in 0..40 {
        chunk.push(|out| generator.append_call(out, caller, later));
    }
    judge(engine, &chunk, later)?;
    engine.tick(later);
    Ok(())
}
