//! What resharding costs an account: the time from the last record its old owner judges to the first its new one can.
//!
//! The engine's part of it: the parent's memory written and read by each child, which keeps its accounts; and the memory
//! of two parents read and joined. Leases, positions and their races are tested (`tests/tests/units.rs`,
//! `kinesis_reshard.rs`), not measured.

use std::{sync::Arc, time::Instant};

use bedrock_watch_engine::{Engine, Settings, alert::Alert, rule::RuleSet};
use bedrock_watch_load_tests::{
    built_in_rules,
    generator::{Generator, Population, Stream},
    load::{Figures, MovingLoad},
    measure::real,
};

/// Records made at a time.
const CHUNK: usize = 10_000;

pub(super) fn play(load: &MovingLoad, seed: u64) -> anyhow::Result<Figures> {
    let rules = built_in_rules()?;
    let mut engine = Engine::new(Arc::clone(&rules), Settings::standard());
    let mut generator = Generator::new(seed, Stream::AllBedrock, Population::new(load.principals));
    let mut left = usize::try_from(load.records)?;
    while left > 0 {
        let chunk = generator.chunk(left.min(CHUNK));
        left = left.saturating_sub(chunk.len());
        chunk.iter().for_each(|(record, _)| drop(engine.judge_recorded(record)));
    }
    let mut figures = Figures::default();

    let began = Instant::now();
    let snapshot = engine.snapshot();
    figures.set("snapshot_s", began.elapsed().as_secs_f64());
    figures.set("snapshot_mb", snapshot.len() as f64 / 1e6);
    let mut children = [child(&rules, &snapshot, 0)?, child(&rules, &snapshot, 1)?];
    // The children are on different workers; the time is that of one of them.
    let slowest = children.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    figures.set("split_s", slowest + figures.0.get("snapshot_s").copied().unwrap_or_default());

    let [(left_child, _), (right_child, _)] = &mut children;
    let snapshots = [left_child.snapshot(), right_child.snapshot()];
    let began = Instant::now();
    let [first, second] = &snapshots;
    let mut merged = Engine::restore(Arc::clone(&rules), Settings::standard(), first)?;
    let other = Engine::restore(rules, Settings::standard(), second)?;
    drop(merged.absorb(other, |account| half(account) == 1));
    figures.set("merge_s", began.elapsed().as_secs_f64());
    figures.set("differences", real(differences(&engine.alerts(), &merged.alerts())?));
    Ok(figures)
}

/// One of two children, and how many seconds it took until it could judge.
fn child(rules: &Arc<RuleSet>, snapshot: &[u8], own: u8) -> anyhow::Result<(Engine, f64)> {
    let began = Instant::now();
    let mut engine = Engine::restore(Arc::clone(rules), Settings::standard(), snapshot)?;
    engine.retain_accounts(|account| half(account) == own);
    Ok((engine, began.elapsed().as_secs_f64()))
}

/// To which half of the hash range an account belongs, about.
fn half(account: &str) -> u8 {
    account.bytes().fold(0, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte)) & 1
}

/// Alerts that are not the same before and after.
fn differences(before: &[Alert], after: &[Alert]) -> anyhow::Result<u64> {
    let changed = before.iter().filter(|alert| !after.contains(alert)).count();
    let added = after.iter().filter(|alert| !before.contains(alert)).count();
    Ok(u64::try_from(changed.saturating_add(added))?)
}
