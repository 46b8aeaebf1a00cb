//! Which bursts are found when delivery is delayed: runs of calls around the threshold of 100 in 60 seconds, against a
//! count of the same calls in order.

use std::{collections::BTreeSet, sync::Arc};

use bedrock_watch_engine::{Engine, Second, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    delay::Delay,
    generator::{Chunk, Generator, Population, START, Stream},
    measure::real,
    peer,
    scenario::{self, Budget, Disorder},
    table,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom as _};

const THRESHOLD: usize = 100;
const WINDOW_S: u32 = 60;
/// Calls of each caller around its run: one in six seconds.
const BACKGROUND_CALLS: u32 = 200;

/// Measures every kind of delay and prints a table.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub(crate) fn run(rules: &Arc<RuleSet>, principals: Option<u32>) -> anyhow::Result<bool> {
    let scenario: Disorder = scenario::read("disorder", include_str!("../scenarios/disorder.toml"))?;
    let population = Population::distinct(principals.unwrap_or(scenario.principals));
    let mut random = StdRng::seed_from_u64(scenario.seed);
    let calls = calls(&mut random, population.len());
    let bursts = bursts(&calls, population.len());
    println!(
        "{} callers, {} calls, {} bursts of {THRESHOLD} in {WINDOW_S} s\n",
        population.len(),
        calls.len(),
        bursts.len()
    );
    let mut budget = Budget::default();
    let mut rows = Vec::new();
    let kinds = [
        ("none", Delay::None),
        ("60 s on average", Delay::Exponential),
        ("60 s on average, 5 % up to 15 min", Delay::LongTail),
    ];
    for (name, delay) in kinds {
        let chunk = delivered(&mut random, delay, &calls, scenario.seed, population.len());
        let found = engine_finds(rules, &chunk, &population)?;
        let peer = peer_finds(&chunk, &population)?;
        let (recall, false_alarms) = judge(&found, &bursts);
        let (peer_recall, peer_false_alarms) = judge(&peer, &bursts);
        budget.at_least(&format!("recall with delay {name}"), recall, scenario.recall_min);
        budget.at_most(
            &format!("false alarms with delay {name}"),
            real(u64::try_from(false_alarms)?),
            real(u64::try_from(scenario.false_alarms_max)?),
        );
        rows.push(vec![
            name.to_owned(),
            format!("{:.1} %", recall * 100.0),
            false_alarms.to_string(),
            format!("{:.1} %", peer_recall * 100.0),
            peer_false_alarms.to_string(),
        ]);
    }
    let head = ["delay", "bedrock-watch finds", "false alarms", "rsigma-eval finds", "false alarms"];
    table::print(&head, &rows);
    Ok(budget.is_kept())
}

/// When each caller calls: now and then over twenty minutes, and in the middle 60 to 140 calls in 50 seconds.
///
/// The calls around the run matter: whoever counts in the order of arrival lets them push out what is still to come.
fn calls(random: &mut impl Rng, callers: usize) -> Vec<(Second, usize)> {
    let mut calls = Vec::new();
    for caller in 0..callers {
        let start = START.plus(random.random_range(0..3_600));
        for _ in 0..random.random_range(60..140) {
            calls.push((start.plus(600).plus(random.random_range(0..50)), caller));
        }
        for _ in 0..BACKGROUND_CALLS {
            calls.push((start.plus(random.random_range(0..1_200)), caller));
        }
    }
    calls.sort_unstable();
    calls
}

/// The callers with at least so many calls in some window, counted in order.
fn bursts(calls: &[(Second, usize)], callers: usize) -> BTreeSet<usize> {
    let is_burst = |caller: &usize| {
        let times = calls.iter().filter(|(_, who)| who == caller).map(|(at, _)| *at).collect::<Vec<_>>();
        times.windows(THRESHOLD).any(|window| match (window.first(), window.last()) {
            (Some(first), Some(last)) => last.since(*first) < WINDOW_S,
            _ => false,
        })
    };
    (0..callers).filter(is_burst).collect()
}

/// The calls as records in the order of their arrival.
fn delivered(random: &mut StdRng, delay: Delay, calls: &[(Second, usize)], seed: u64, callers: usize) -> Chunk {
    let mut arrivals =
        calls.iter().map(|&(at, caller)| (f64::from(at.0) + delay.seconds(random), at, caller)).collect::<Vec<_>>();
    // Calls of the same second have no order of their own.
    arrivals.shuffle(random);
    arrivals.sort_by(|left, right| left.0.total_cmp(&right.0));
    let population = Population::distinct(u32::try_from(callers).unwrap_or(u32::MAX));
    let mut generator = Generator::new(seed, Stream::AllBedrock, population);
    let mut chunk = Chunk::default();
    for (_, at, caller) in arrivals {
        chunk.push(|out| generator.append_call(out, caller, at));
    }
    chunk
}

fn engine_finds(rules: &Arc<RuleSet>, chunk: &Chunk, population: &Population) -> anyhow::Result<BTreeSet<usize>> {
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    let mut now = Second::MIN;
    for (record, at) in chunk.iter() {
        now = now.max(at);
        engine.judge(record, now)?;
    }
    engine.finish();
    let alerted = engine
        .alerts()
        .into_iter()
        .filter(|alert| alert.rule == "invocation-burst")
        .map(|alert| alert.subject_id)
        .collect::<BTreeSet<_>>();
    Ok((0..population.len()).filter(|caller| alerted.contains(&population.principal(*caller))).collect())
}

fn peer_finds(chunk: &Chunk, population: &Population) -> anyhow::Result<BTreeSet<usize>> {
    let mut peer = peer::Bursts::new()?;
    let mut alerted = BTreeSet::new();
    for (record, at) in chunk.iter() {
        alerted.extend(peer.judge(record, at)?);
    }
    Ok((0..population.len()).filter(|caller| alerted.contains(&population.arn(*caller))).collect())
}

/// The share of the bursts that were found, and how many callers were reported without one.
fn judge(found: &BTreeSet<usize>, bursts: &BTreeSet<usize>) -> (f64, usize) {
    let count = |callers: usize| real(u64::try_from(callers).unwrap_or(u64::MAX));
    let recall = count(found.intersection(bursts).count()) / count(bursts.len().max(1));
    (recall, found.difference(bursts).count())
}
