//! Which leases a worker should take, given the table as it sees it. Pure.
//!
//! Without a leader: every worker works out the same target from the same table, takes what nobody holds until it has
//! as many, and otherwise relieves the most loaded worker of one at a time. What two want to take, one gets: the
//! counter decides.

use std::collections::BTreeMap;

use super::row::Row;

/// What a worker knows about a lease that it does not hold and might.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody holds it.
    Free,
    /// Its holder gave no sign of life for the failover time.
    Expired,
    /// The same, for so long that somebody must take it, whoever it is.
    Forsaken,
    /// Its holder lives, and has not had it for long: it may not work on it yet, and moving it again would make it wait
    /// again.
    New,
    /// Its holder lives.
    Live,
    /// The table says that this worker holds it, but the worker knows of nothing: an answer was lost, or it paused.
    Mine,
}

/// Why a lease is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody works on it.
    Idle,
    /// Somebody may still believe to hold it; it must not be used before they no longer can.
    Held,
}

/// The leases that can be worked on: not ended, and every parent is ended or has no row.
pub(super) fn workable(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let ended: BTreeMap<&str, bool> = rows.iter().map(|row| (row.shard.as_str(), row.is_ended())).collect();
    rows.iter().filter(move |row| {
        let is_over = |parent: &String| ended.get(parent.as_str()).copied().unwrap_or(true);
        !row.is_ended() && row.parents.iter().all(is_over)
    })
}

/// What to take: shards and why. `candidates` are workable rows with their standing, without those that are held;
/// `held` is how many are.
pub(super) fn takes(
    candidates: &[(&Row, Standing)],
    held: usize,
    may_steal: bool,
    random: &mut fastrand::Rng,
) -> Vec<(String, Why)> {
    let mut loads: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, standing) in candidates {
        if let (Standing::Live | Standing::New, Some(owner)) = (standing, &row.owner) {
            let load = loads.entry(owner).or_default();
            *load = load.saturating_add(1);
        }
    }
    let all = candidates.len().saturating_add(held);
    let target = all.div_ceil(loads.len().saturating_add(1));
    let with = |wanted: &[Standing]| -> Vec<String> {
        let some = candidates.iter().filter(|(_, standing)| wanted.contains(standing));
        some.map(|(row, _)| row.shard.clone()).collect()
    };
    // What is this worker's by the table counts as its own, and what waits too long is taken whatever the target.
    let mut takes: Vec<(String, Why)> = with(&[Standing::Mine]).into_iter().map(|shard| (shard, Why::Held)).collect();
    takes.extend(with(&[Standing::Forsaken]).into_iter().map(|shard| (shard, Why::Idle)));
    let mine = held.saturating_add(takes.len());
    let mut idle = with(&[Standing::Free, Standing::Expired]);
    // So that workers which look at the same time do not all want the same.
    random.shuffle(&mut idle);
    let is_busy_elsewhere = idle.is_empty() && takes.is_empty();
    takes.extend(idle.into_iter().take(target.saturating_sub(mine)).map(|shard| (shard, Why::Idle)));
    if is_busy_elsewhere && may_steal {
        let most = loads.iter().max_by_key(|(_, load)| **load);
        // Taking one from a worker that has only one more would not help.
        let victim = most.filter(|(_, load)| **load >= mine.saturating_add(2)).map(|(owner, _)| *owner);
        let theirs: Vec<&(&Row, Standing)> = candidates
            .iter()
            .filter(|(row, standing)| *standing == Standing::Live && victim.is_some() && row.owner.as_deref() == victim)
            .collect();
        takes.extend(random.choice(theirs).map(|(row, _)| (row.shard.clone(), Why::Held)));
    }
    takes
}

#[cfg(test)]
mod tests {
    use super::super::row::{Checkpoint, ShardInfo};
    use super::*;

    fn row(shard: &str, owner: Option<&str>) -> Row {
        let shard = ShardInfo { id: shard.to_owned(), parents: Vec::new(), is_open: true, hash_keys: None };
        Row { owner: owner.map(str::to_owned), ..Row::new(&shard, Checkpoint::TrimHorizon, 1) }
    }

    #[test]
    fn a_worker_takes_its_share() {
        use Standing::{Expired, Forsaken, Free, Live, Mine, New};
        // The standing of each lease with its owner, how many this worker holds, and how many it takes for which reason.
        type Case = (&'static [(Standing, &'static str)], usize, (usize, usize));
        let cases: &[Case] = &[
            (&[], 0, (0, 0)),
            (&[(Free, ""), (Free, ""), (Free, "")], 0, (3, 0)),
            (&[(Free, ""), (Live, "b"), (Live, "b")], 1, (1, 0)),
            (&[(Expired, "c"), (Expired, "c"), (Live, "b")], 0, (2, 0)),
            (&[(Expired, "c"), (Live, "b"), (Live, "b")], 2, (1, 0)),
            (&[(Expired, "c"), (Live, "b")], 2, (0, 0)),
            (&[(Forsaken, "c"), (Live, "b")], 2, (1, 0)),
            (&[(Live, "b"), (Live, "b")], 0, (0, 1)),
            (&[(Live, "b"), (Live, "b"), (Live, "b")], 1, (0, 1)),
            (&[(Live, "b"), (Live, "b")], 1, (0, 0)),
            (&[(New, "b"), (New, "b")], 0, (0, 0)),
            (&[(New, "b"), (Live, "b")], 0, (0, 1)),
            (&[(Live, "b"), (Live, "b"), (Live, "b"), (Free, "")], 0, (1, 0)),
            (&[(Live, "b")], 0, (0, 0)),
            (&[(Mine, "a"), (Live, "b"), (Live, "b"), (Live, "b")], 0, (0, 1)),
        ];
        for (number, (standings, held, expected)) in cases.iter().enumerate() {
            let rows: Vec<(Row, Standing)> = standings
                .iter()
                .enumerate()
                .map(|(number, (standing, owner))| {
                    (row(&format!("{number}"), Some(*owner).filter(|owner| !owner.is_empty())), *standing)
                })
                .collect();
            let candidates: Vec<(&Row, Standing)> = rows.iter().map(|(row, standing)| (row, *standing)).collect();
            let found = takes(&candidates, *held, true, &mut fastrand::Rng::with_seed(1));
            let count = |why: Why| found.iter().filter(|(_, found)| *found == why).count();
            assert_eq!((count(Why::Idle), count(Why::Held)), *expected, "case {number}: {found:?}");
            let without = takes(&candidates, *held, false, &mut fastrand::Rng::with_seed(1));
            let steals = without.iter().filter(|(shard, why)| {
                *why == Why::Held && rows.iter().any(|(row, standing)| row.shard == *shard && *standing == Live)
            });
            assert_eq!(steals.count(), 0, "case {number}");
        }
    }
}
