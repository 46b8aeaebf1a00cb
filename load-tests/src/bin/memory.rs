//! Bytes of live heap for each of a million principals or jobs, counted by the allocator.
//!
//! A program of its own because counting slows down what others time. `run` calls it and reads the figures.

use std::{hint::black_box, sync::Arc, time::Instant};

use anyhow::bail;
use bedrock_watch_engine::{Engine, Second, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    built_in_rules,
    generator::{Callers, Chunk, Generator, Population, START, Stream},
    load::{Figures, JobsLoad, Load, PrincipalsLoad, Scenario},
    measure::{Cost, real},
};
use cap::Cap;
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: Cap<mimalloc::MiMalloc> = Cap::new(mimalloc::MiMalloc, usize::MAX);

/// Records generated and judged at a time.
const CHUNK: u32 = 10_000;
/// Accounts of the generator.
const ACCOUNTS: usize = 40;

#[derive(Debug, Parser)]
#[command(about = "Memory of bedrock-watch for many principals or jobs; `run` prints it as a table")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a scenario and prints its figures
    Play {
        scenario: String,
        #[arg(long, default_value_t = 1.0)]
        scale: f64,
    },
}

#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
fn main() -> anyhow::Result<()> {
    let Command::Play { scenario: name, scale } = Arguments::parse().command;
    let scenario = Scenario::read(&name, scale)?;
    let rules = built_in_rules()?;
    let figures = match &scenario.load {
        Load::Principals(load) => principals(rules, load, scenario.seed)?,
        Load::Jobs(load) => jobs(&rules, load, scenario.seed)?,
        _ => bail!("`run {name}` plays this one"),
    };
    println!("{}", toml::to_string(&figures)?);
    Ok(())
}

fn allocated() -> f64 {
    real(u64::try_from(ALLOCATOR.allocated()).unwrap_or(u64::MAX))
}

fn principals(rules: Arc<RuleSet>, load: &PrincipalsLoad, seed: u64) -> anyhow::Result<Figures> {
    let mut engine = Engine::new(rules, Settings::standard());
    let step_micros = u64::from(load.every_s).saturating_mul(1_000_000) / u64::from(load.principals.max(1));
    let mut generator = Generator::new(seed, Stream::AllBedrock, Population::distinct(load.principals))
        .with_callers(Callers::RoundRobin)
        .with_step_micros(step_micros);
    let before = allocated();
    let each = || (allocated() - before) / f64::from(load.principals);
    let mut figures = Figures::default();
    let mut now = START;
    let mut cost = Cost::default();
    for call in 1..=load.calls {
        let mut left = load.principals;
        while left > 0 {
            let chunk = generator.chunk(usize::try_from(left.min(CHUNK))?);
            left = left.saturating_sub(CHUNK);
            now = cost.add(chunk.len(), chunk.bytes().len(), || judge(&mut engine, &chunk, now))?;
        }
        figures.set(&format!("bytes_each_after_{call}_calls"), each());
    }
    // What only the allowed lateness needs is gone once it has passed.
    settle(&mut engine, &mut generator, now)?;
    figures.set("bytes_each", each());
    figures.set("snapshot_bytes_each", engine.snapshot().len() as f64 / f64::from(load.principals));
    figures.set("records_per_second", cost.records_per_second());
    Ok(figures)
}

fn jobs(rules: &Arc<RuleSet>, load: &JobsLoad, seed: u64) -> anyhow::Result<Figures> {
    let mut settings = Settings::standard();
    settings.limits.jobs_max = u32::MAX;
    settings.limits.dependencies_max = u32::MAX;
    let mut engine = Engine::new(Arc::clone(rules), settings.clone());
    let mut generator = Generator::new(seed, Stream::Mix, Population::new(20_000));
    let before = allocated();
    let mut now = START;
    let mut cost = Cost::default();
    for first in (0..load.jobs).step_by(usize::try_from(CHUNK)?) {
        let mut chunk = Chunk::default();
        for number in first..load.jobs.min(first.saturating_add(CHUNK.into())) {
            // A thousand start in a second.
            let at = START.plus(u32::try_from(number / 1_000)?);
            chunk.push(|out| generator.append_job(out, number, at));
        }
        now = cost.add(chunk.len(), chunk.bytes().len(), || judge(&mut engine, &chunk, now))?;
    }
    let mut figures = Figures::default();
    figures.set("records_per_second", cost.records_per_second());
    settle(&mut engine, &mut generator, now)?;
    now = now.plus(SETTLED_S);
    let count = real(load.jobs);
    figures.set("bytes_each", (allocated() - before) / count);

    let began = Instant::now();
    let snapshot = engine.snapshot();
    figures.set("snapshot_s", began.elapsed().as_secs_f64());
    figures.set("snapshot_bytes_each", snapshot.len() as f64 / count);
    drop(engine);
    let began = Instant::now();
    let mut engine = Engine::restore(Arc::clone(rules), settings, &snapshot)?;
    figures.set("restore_s", began.elapsed().as_secs_f64());

    let unused = load.jobs..load.jobs.saturating_add(load.deletions);
    figures.set("judge_us", delete(&mut engine, &mut generator, unused, now)?);
    figures.set("judge_with_alert_us", delete(&mut engine, &mut generator, 0..load.deletions, now)?);
    figures.set("alerts", real(engine.stats().alerts_fired));
    Ok(figures)
}

/// Microseconds of CPU time for each group that is deleted.
fn delete(
    engine: &mut Engine,
    generator: &mut Generator,
    groups: std::ops::Range<u64>,
    now: Second,
) -> anyhow::Result<f64> {
    let mut chunk = Chunk::default();
    groups.for_each(|number| chunk.push(|out| generator.append_group_deletion(out, number, now)));
    let mut cost = Cost::default();
    cost.add(chunk.len(), chunk.bytes().len(), || judge(engine, &chunk, now))?;
    Ok(cost.ns_per_record() / 1e3)
}

/// Judges the records and returns the greatest event time.
fn judge(engine: &mut Engine, chunk: &Chunk, mut now: Second) -> anyhow::Result<Second> {
    for (record, at) in chunk.iter() {
        now = now.max(at);
        black_box(engine.judge(record, now)?);
    }
    Ok(now)
}

/// Longer than anything waits for late records.
const SETTLED_S: u32 = 3_600;

/// Lets an hour pass in every account, with one call in each.
fn settle(engine: &mut Engine, generator: &mut Generator, now: Second) -> anyhow::Result<()> {
    let later = now.plus(SETTLED_S);
    let mut chunk = Chunk::default();
    for caller in 0..ACCOUNTS {
        chunk.push(|out| generator.append_call(out, caller, later));
    }
    judge(engine, &chunk, later)?;
    engine.tick(later);
    Ok(())
}
