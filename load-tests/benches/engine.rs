//! Benches of decoding and judging: `cargo bench -p bedrock-watch-load-tests`.

use std::sync::Arc;

use bedrock_watch_engine::{Engine, Second, Settings, decode};
use bedrock_watch_load_tests::{
    built_in_rules,
    generator::{Chunk, Generator, Population, Stream},
};
use divan::{Bencher, counter::ItemsCount};

const RECORDS: usize = 5_000;
const STREAMS: [Stream; 2] = [Stream::Mix, Stream::AllBedrock];

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Bytes to typed activity, without the prefilter.
#[divan::bench(args = STREAMS)]
fn decode_alone(bencher: Bencher<'_, '_>, stream: Stream) {
    let chunk = chunk(stream);
    bencher.counter(ItemsCount::new(RECORDS)).bench(|| {
        for (record, _) in chunk.iter() {
            drop(divan::black_box(decode::decode(record)));
        }
    });
}

/// Everything: prefilter, decode, world, principals, rules, alerts.
#[divan::bench(args = STREAMS)]
fn judge(bencher: Bencher<'_, '_>, stream: Stream) {
    let chunk = chunk(stream);
    let rules = built_in_rules().unwrap_or_default();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| Engine::new(Arc::clone(&rules), Settings::standard()))
        .bench_local_values(|engine| judge_all(engine, &chunk));
}

/// The sliding windows of one caller with 5,000 calls in a minute and a half.
#[divan::bench]
fn window_of_one_busy_caller(bencher: Bencher<'_, '_>) {
    let mut generator = Generator::new(7, Stream::AllBedrock, Population::new(1)).with_step_micros(18_000);
    let chunk = generator.chunk(RECORDS);
    let rules = built_in_rules().unwrap_or_default();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| Engine::new(Arc::clone(&rules), Settings::standard()))
        .bench_local_values(|engine| judge_all(engine, &chunk));
}

fn judge_all(mut engine: Engine, chunk: &Chunk) -> Engine {
    let mut now = Second::MIN;
    for (record, at) in chunk.iter() {
        now = now.max(at);
        drop(divan::black_box(engine.judge(record, now)));
    }
    engine
}

fn chunk(stream: Stream) -> Chunk {
    Generator::new(7, stream, Population::new(20_000)).chunk(RECORDS)
}
