//! Where a loop's memory comes from when its shard is the child of others: from their last memory.
//!
//! A split leaves two children that each forget the accounts of the other. A merge leaves one child, which takes over
//! the accounts of both. What both parents have read is read again from where the one that is behind stands; what was
//! told before is known to the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bedrock_watch_engine::{Engine, Settings, alert::AlertChange, rule::RuleSet};

use super::{Ownership, RestoreError, Restored, restore};
use crate::store::{Snapshot, Store};

/// A closed shard whose records a unit's shard continues.
#[derive(Debug)]
pub struct Parent {
    /// What was kept of it.
    pub store: Arc<dyn Store>,
    /// The accounts it answered for.
    pub owns: Ownership,
    /// What its own source is called: nothing else has read from it.
    pub source: String,
}

/// A parent's memory.
struct Kept {
    engine: Engine,
    positions: BTreeMap<String, String>,
    owns: Ownership,
}

/// Restores a loop from its own memory or, if it has none yet, from that of its parents.
///
/// # Errors
/// When a store fails, or a snapshot cannot be read.
pub async fn inherit(
    store: &dyn Store,
    parents: &[Parent],
    owns: Ownership,
    (rules, settings): (Arc<RuleSet>, Settings),
) -> Result<Restored, RestoreError> {
    let mut restored = restore(store, Arc::clone(&rules), settings.clone()).await?;
    if restored.has_snapshot {
        return Ok(restored);
    }
    let own_sources: BTreeSet<&str> = parents.iter().map(|parent| &*parent.source).collect();
    let mut all = Vec::new();
    for parent in parents {
        let Some(Snapshot { mut positions, bytes, .. }) = parent.store.load_snapshot().await? else { continue };
        positions.retain(|source, _| !own_sources.contains(source.as_str()));
        let engine = Engine::restore(Arc::clone(&rules), settings.clone(), &bytes)?;
        all.push(Kept { engine, positions, owns: parent.owns });
    }
    let Some((kept, unsaid)) = merged(all) else { return Ok(restored) };
    let mut engine = kept.engine;
    engine.retain_accounts(|account| owns.owns(account));
    let unsaid = unsaid.into_iter().filter(|change| owns.owns(&change.alert.account));
    restored.held.extend(unsaid.map(|change| (change.alert.id.clone(), change)));
    restored.engine = engine;
    restored.positions = kept.positions;
    let positions = &restored.positions;
    restored.ahead.retain(|source, position| positions.get(source) != Some(position));
    Ok(restored)
}

/// The memories of all parents as one, with the alerts that it knows and one of them has not said.
fn merged(mut all: Vec<Kept>) -> Option<(Kept, Vec<AlertChange>)> {
    // The one that has read furthest knows most of what all have read.
    all.sort_by(progress);
    let mut furthest = all.pop()?;
    let mut unsaid = Vec::new();
    for Kept { engine, positions, owns } in all {
        unsaid.extend(furthest.engine.absorb(engine, |account| owns.owns(account)));
        furthest.positions.retain(|source, _| positions.contains_key(source));
        for (source, position) in positions {
            if let Some(known) = furthest.positions.get_mut(&source)
                && is_before(&position, known)
            {
                *known = position;
            }
        }
    }
    Some((furthest, unsaid))
}

/// Which of two parents has read further of what both read.
fn progress(left: &Kept, right: &Kept) -> std::cmp::Ordering {
    let is_behind = |one: &Kept, other: &Kept| {
        let behind = |(source, position): (&String, &String)| {
            other.positions.get(source).is_some_and(|position_of_other| is_before(position, position_of_other))
        };
        one.positions.iter().any(behind)
    };
    is_behind(right, left).cmp(&is_behind(left, right)).then_with(|| left.engine.clock().cmp(&right.engine.clock()))
}

/// Whether a position of a shared stream comes before another. They are sequence numbers, which grow; before the first
/// there is `AT` a time, and after the last `SHARD_END`.
fn is_before(position: &str, other: &str) -> bool {
    let key = |position: &str| {
        let is_number = position.bytes().all(|byte| byte.is_ascii_digit());
        let part = if position.starts_with("AT ") { 0_u8 } else { 1 + u8::from(!is_number) };
        (part, position.len(), position.to_owned())
    };
    key(position) < key(other)
}

#[cfg(test)]
mod tests {
    use super::is_before;

    #[test]
    fn positions_are_numbers_and_then_the_end() {
        for (position, other, expected) in [
            ("9", "10", true),
            ("10", "9", false),
            ("10", "10", false),
            ("AT 2026-11-22T13:00:00Z", "1", true),
            ("49590338271490256608559692538361571095921575989136588898", "SHARD_END", true),
            ("SHARD_END", "49590338271490256608559692538361571095921575989136588898", false),
        ] {
            assert_eq!(is_before(position, other), expected, "{position} {other}");
        }
    }
}
