//! Records a second of one core's time, of the engine and of what one might use instead, on the same records.

use std::{hint::black_box, sync::Arc};

use bedrock_watch_engine::{Engine, Second, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    generator::{Chunk, Generator, Population, Stream},
    measure::Cost,
    peer,
    scenario::{self, Budget, Throughput},
    table,
};
use serde_json::Value;

/// A stream, as the command line calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StreamName {
    /// 90 % other services
    Mix,
    /// Invocations only
    Invocations,
}

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) records: Option<u64>,
    pub(crate) engine_only: bool,
    pub(crate) stream: Option<StreamName>,
}

/// What each way of judging cost.
#[derive(Debug, Default)]
struct Costs {
    parse: Cost,
    decode: Cost,
    peer: Cost,
    engine: Cost,
}

/// Measures both streams and prints a table of each.
#[expect(clippy::print_stdout, reason = "the tables are what the binary is for")]
pub(crate) fn run(rules: &Arc<RuleSet>, wanted: Wanted, enforced: bool) -> anyhow::Result<()> {
    let scenario: Throughput = scenario::read("throughput", include_str!("../scenarios/throughput.toml"))?;
    let records = wanted.records.unwrap_or(scenario.records);
    let mut budget = Budget::default();
    let streams = [
        (
            "mix: 90 % other services, 8 % invocations, 2 % of interest",
            (Stream::Mix, StreamName::Mix),
            scenario.mix_records_per_second_min,
        ),
        ("invocations only", (Stream::AllBedrock, StreamName::Invocations), scenario.bedrock_records_per_second_min),
    ];
    for (name, (stream, stream_name), least) in streams {
        if wanted.stream.is_some_and(|only| only != stream_name) {
            continue;
        }
        let generator = Generator::new(scenario.seed, stream, Population::new(scenario.principals));
        let (costs, alerts) = measure(rules, generator, records, scenario.chunk, wanted.engine_only)?;
        println!("\n{name}; {} principals, {alerts} alerts\n", scenario.principals);
        print(&costs);
        budget.at_least(&format!("{name}: records/s"), costs.engine.records_per_second(), least);
    }
    budget.finish(enforced)
}

fn measure(
    rules: &Arc<RuleSet>,
    mut generator: Generator,
    records: u64,
    chunk: usize,
    engine_only: bool,
) -> anyhow::Result<(Costs, usize)> {
    let peer = peer::Detection::new()?;
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    let mut costs = Costs::default();
    while costs.engine.records < records {
        let chunk = generator.chunk(chunk);
        let (count, bytes) = (chunk.len(), chunk.bytes().len());
        if !engine_only {
            costs.parse.add(count, bytes, || parse(&chunk))?;
            costs.decode.add(count, bytes, || decode(&chunk));
            costs.peer.add(count, bytes, || chunk.iter().try_for_each(|(record, _)| peer.judge(record).map(drop)))?;
        }
        costs.engine.add(count, bytes, || judge(&mut engine, &chunk))?;
    }
    Ok((costs, engine.alerts().len()))
}

fn parse(chunk: &Chunk) -> anyhow::Result<()> {
    for (record, _) in chunk.iter() {
        black_box(serde_json::from_slice::<Value>(record)?);
    }
    Ok(())
}

fn decode(chunk: &Chunk) {
    for (record, _) in chunk.iter() {
        drop(black_box(bedrock_watch_engine::decode::decode(record)));
    }
}

fn judge(engine: &mut Engine, chunk: &Chunk) -> anyhow::Result<()> {
    let mut now = Second::MIN;
    for (record, at) in chunk.iter() {
        now = now.max(at);
        black_box(engine.judge(record, now)?);
    }
    Ok(())
}

fn print(costs: &Costs) {
    let engine = costs.engine.ns_per_record();
    let row = |name: &str, cost: &Cost| {
        vec![
            name.to_owned(),
            table::thousands(cost.records_per_second()),
            table::thousands(cost.ns_per_record()),
            format!("{:.2}", cost.gigabytes_per_second()),
            format!("{:.2}", cost.ns_per_record() / engine.max(0.001)),
        ]
    };
    table::print(
        &["one core", "records/s", "ns/record", "GB/s", "time relative to bedrock-watch"],
        &[
            row("bedrock-watch, judge with the built-in rules", &costs.engine),
            row("bedrock-watch, decode alone, without the prefilter", &costs.decode),
            row("serde_json::Value, parse alone", &costs.parse),
            row("rsigma-eval, parse and five rules", &costs.peer),
        ],
    );
}
