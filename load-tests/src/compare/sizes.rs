//! What a record costs when there is more: more rules, more principals, more jobs. CPU time of one thread.

use std::{hint::black_box, sync::Arc};

use bedrock_watch_engine::{Engine, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    generator::{Callers, Chunk, Generator, Population, START, Stream},
    measure::{Cost, real},
    plot::Series,
    rules, table,
};

/// Rules beside the pack.
const MORE_RULES: [u32; 3] = [100, 300, 1_000];
const PRINCIPALS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const JOBS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Records that are timed.
const RECORDS: usize = 40_000;
/// Groups that are deleted.
const DELETIONS: u64 = 1_000;
/// Turns, of which the best counts.
const ROUNDS: usize = 3;
/// Records made at a time.
const CHUNK: usize = 10_000;

/// Measures, prints and returns what is plotted.
#[expect(clippy::print_stdout, reason = "the tables are what the binary is for")]
pub(super) fn run(seed: u64) -> anyhow::Result<Vec<(String, Vec<Series>)>> {
    let by_rules = by_rules(seed)?;
    println!("\nns a record with more rules (14 flagship rules, the pack, the pack and generated Sigma rules)\n");
    print("rules", &by_rules);
    let pack = rules::compile(&rules::pack()?)?;
    let by_principals = vec![Series { name: "invocations".to_owned(), points: by_principals(&pack, seed)? }];
    println!("\nns an invocation with more principals, each with a role of its own\n");
    print("principals", &by_principals);
    let by_jobs = vec![Series { name: "DeleteSecurityGroup".to_owned(), points: by_jobs(&pack, seed)? }];
    println!("\nns a DeleteSecurityGroup with more live jobs\n");
    print("jobs", &by_jobs);
    Ok(vec![
        ("ns a record, by rules".to_owned(), by_rules),
        ("ns an invocation, by principals".to_owned(), by_principals),
        ("ns a DeleteSecurityGroup, by live jobs".to_owned(), by_jobs),
    ])
}

fn print(what: &str, series: &[Series]) {
    let sizes = series.iter().next().map(|series| series.points.iter().map(|(size, _)| *size).collect::<Vec<_>>());
    let head =
        std::iter::once(what.to_owned()).chain(series.iter().map(|series| series.name.clone())).collect::<Vec<_>>();
    let row = |(place, size): (usize, f64)| {
        let cells = series.iter().filter_map(|series| series.points.get(place)).map(|(_, ns)| table::thousands(*ns));
        std::iter::once(table::thousands(size)).chain(cells).collect()
    };
    let rows = sizes.unwrap_or_default().into_iter().enumerate().map(row).collect::<Vec<_>>();
    table::print(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
}

fn by_rules(seed: u64) -> anyhow::Result<Vec<Series>> {
    let mut files = vec![rules::flagship()?, rules::pack()?];
    for more in MORE_RULES {
        files.push(rules::pack_and(more)?);
    }
    let sets = files.iter().map(|files| rules::compile(files)).collect::<anyhow::Result<Vec<_>>>()?;
    let streams = [("mix", Stream::Mix), ("invocations", Stream::AllBedrock)];
    Ok(streams
        .map(|(name, stream)| {
            let mut generator = Generator::new(seed, stream, Population::new(20_000));
            let (first, then) = (generator.chunk(RECORDS), generator.chunk(RECORDS));
            let cost = |set: &Arc<RuleSet>| {
                let mut engine = Engine::new(Arc::clone(set), Settings::standard());
                judge(&mut engine, &first);
                timed(&mut engine, &then)
            };
            let mut best = vec![f64::MAX; sets.len()];
            for _ in 0..ROUNDS {
                best.iter_mut().zip(&sets).for_each(|(best, set)| *best = best.min(cost(set)));
            }
            Series { name: name.to_owned(), points: files.iter().map(|files| files.len() as f64).zip(best).collect() }
        })
        .into())
}

fn by_principals(pack: &Arc<RuleSet>, seed: u64) -> anyhow::Result<Vec<(f64, f64)>> {
    let mut points = Vec::new();
    for principals in PRINCIPALS {
        let mut engine = Engine::new(Arc::clone(pack), Settings::standard());
        // As many calls a second of each, however many there are, would make windows differ: half an hour for a turn.
        let mut generator = Generator::new(seed, Stream::AllBedrock, Population::distinct(principals))
            .with_callers(Callers::RoundRobin)
            .with_step_micros(1_800_000_000 / u64::from(principals));
        let mut left = usize::try_from(principals)?;
        while left > 0 {
            let chunk = generator.chunk(left.min(CHUNK));
            left = left.saturating_sub(chunk.len());
            judge(&mut engine, &chunk);
        }
        let records = RECORDS.min(usize::try_from(principals)?.saturating_mul(4));
        let best = (0..ROUNDS).map(|_| timed(&mut engine, &generator.chunk(records))).fold(f64::MAX, f64::min);
        points.push((f64::from(principals), best));
    }
    Ok(points)
}

fn by_jobs(pack: &Arc<RuleSet>, seed: u64) -> anyhow::Result<Vec<(f64, f64)>> {
    let mut settings = Settings::standard();
    settings.limits.jobs_max = u32::MAX;
    settings.limits.dependencies_max = u32::MAX;
    let mut points = Vec::new();
    for jobs in JOBS {
        let mut engine = Engine::new(Arc::clone(pack), settings.clone());
        let mut generator = Generator::new(seed, Stream::Mix, Population::new(20_000));
        for first in (0..jobs).step_by(CHUNK) {
            let mut chunk = Chunk::default();
            let numbers = first..jobs.min(first.saturating_add(u64::try_from(CHUNK)?));
            numbers.for_each(|number| chunk.push(|out| generator.append_job(out, number, START)));
            judge(&mut engine, &chunk);
        }
        let mut best = f64::MAX;
        for round in 0..ROUNDS {
            // Groups that no job names, other ones each time.
            let first = jobs.saturating_add(u64::try_from(round)?.saturating_mul(DELETIONS));
            let mut chunk = Chunk::default();
            let numbers = first..first.saturating_add(DELETIONS);
            numbers.for_each(|number| chunk.push(|out| generator.append_group_deletion(out, number, START.plus(60))));
            best = best.min(timed(&mut engine, &chunk));
        }
        points.push((real(jobs), best));
    }
    Ok(points)
}

fn judge(engine: &mut Engine, chunk: &Chunk) {
    for (record, _) in chunk.iter() {
        drop(black_box(engine.judge_recorded(record)));
    }
}

/// Nanoseconds a record.
fn timed(engine: &mut Engine, chunk: &Chunk) -> f64 {
    let mut cost = Cost::default();
    cost.add(chunk.len(), chunk.bytes().len(), || judge(engine, chunk));
    cost.ns_per_record()
}
