//! Records given to an engine one by one: how long each takes, and how much memory the engine comes to.

use std::{cmp::Reverse, collections::BinaryHeap, hint::black_box, time::Instant};

use bedrock_watch_engine::{Engine, Settings};
use bedrock_watch_load_tests::{
    built_in_rules,
    delay::Delay,
    generator::{Generator, Population, Stream},
    load::{EngineLoad, Figures},
    measure::{self, Cost, real},
};
use rand::{SeedableRng, rngs::StdRng};

/// Records made at a time.
const CHUNK: u64 = 10_000;

/// Judges all of it.
pub(super) fn play(load: &EngineLoad, seed: u64) -> anyhow::Result<Figures> {
    let mut engine = Engine::new(built_in_rules()?, Settings::standard());
    let mut arrivals = Arrivals::new(load, seed);
    let empty = measure::memory_mb(std::process::id())?;
    let mut times = Vec::with_capacity(usize::try_from(load.records)?);
    let mut cost = Cost::default();
    loop {
        let records = arrivals.next();
        if records.is_empty() {
            break;
        }
        let bytes = records.iter().map(Vec::len).sum();
        cost.add(records.len(), bytes, || {
            for record in &records {
                let began = Instant::now();
                drop(black_box(engine.judge_recorded(record)));
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        });
    }
    let mut figures = Figures::default();
    figures.set_times(&mut times);
    figures.set("records_per_second", cost.records_per_second());
    // The times that are kept here are not the engine's.
    let kept = real(load.records) * 8.0 / 1e6;
    figures.set("memory_mb", (measure::memory_mb(std::process::id())? - kept).max(0.0));
    figures.set("memory_before_mb", empty);
    figures.set("late_records", real(engine.stats().late));
    figures.set("alerts", real(engine.stats().alerts_fired));
    Ok(figures)
}

/// Records in the order in which they arrive.
struct Arrivals {
    generator: Generator,
    delay: Delay,
    random: StdRng,
    /// Records still to be made.
    left: u64,
    under_way: BinaryHeap<Reverse<Arrival>>,
}

/// Compared by when it arrives.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    millis: u64,
    number: u64,
    record: Vec<u8>,
}

impl Arrivals {
    fn new(load: &EngineLoad, seed: u64) -> Self {
        let generator = Generator::new(seed, Stream::Shares(load.shares), Population::new(load.principals))
            .with_callers(load.callers)
            .with_step_micros(1_000_000 / u64::from(load.rate.max(1)));
        let delay = if load.late { Delay::LongTail } else { Delay::None };
        Self { generator, delay, random: StdRng::seed_from_u64(seed), left: load.records, under_way: BinaryHeap::new() }
    }

    /// What has arrived by the time of the newest record that was made; nothing at the end.
    fn next(&mut self) -> Vec<Vec<u8>> {
        let mut newest = u64::MAX;
        for _ in 0..self.left.min(CHUNK) {
            let mut record = Vec::new();
            let at = self.generator.append_to(&mut record);
            newest = u64::from(at.0).saturating_mul(1_000);
            let millis = newest.saturating_add(self.delay.millis(&mut self.random));
            self.under_way.push(Reverse(Arrival { millis, number: u64::MAX.saturating_sub(self.left), record }));
            self.left = self.left.saturating_sub(1);
        }
        let mut arrived = Vec::new();
        while let Some(Reverse(next)) = self.under_way.peek()
            && next.millis < newest
        {
            arrived.extend(self.under_way.pop().map(|Reverse(arrival)| arrival.record));
        }
        // All that was made may have happened in the same second.
        if arrived.is_empty() && (self.left > 0 || !self.under_way.is_empty()) { self.next() } else { arrived }
    }
}
