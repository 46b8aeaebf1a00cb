//! Which shards of the stream should have a row and have none. Pure.
//!
//! A table without rows gets one for every shard. After that only the end of a shard makes rows, those of its children,
//! so that children wait for it. A shard without a row that nothing explains is a hole; it is filled when it was seen
//! several times in a row, because the list and the table are not read at the same moment.

use std::collections::{BTreeMap, BTreeSet};

use super::row::{Checkpoint, Row, ShardInfo};

/// How often a hole must be seen, one time after the other.
const CONFIRMED: u32 = 3;

/// Shards that seem to lack a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Holes {
    seen: BTreeMap<String, u32>,
}

impl Holes {
    /// Rows to be made, parents first.
    pub(super) fn missing(&mut self, shards: &[ShardInfo], rows: &[Row], first: &Checkpoint) -> Vec<Row> {
        let mut shards: Vec<&ShardInfo> = shards.iter().collect();
        // Shards are numbered as they are made, so parents come before their children.
        shards.sort_by(|one, other| one.id.cmp(&other.id));
        if rows.is_empty() {
            let begin = shards.iter().filter(|shard| *first != Checkpoint::Latest || shard.is_open);
            return begin.map(|shard| new_row(shard, first.clone())).collect();
        }
        let holes: BTreeSet<&str> = holes(&shards, rows);
        self.seen.retain(|shard, _| holes.contains(shard.as_str()));
        for hole in &holes {
            let times = self.seen.entry((*hole).to_owned()).or_default();
            *times = times.saturating_add(1);
        }
        let confirmed = |shard: &str| self.seen.get(shard).is_some_and(|times| *times >= CONFIRMED);
        let filled = shards.into_iter().filter(|shard| confirmed(&shard.id));
        filled.map(|shard| new_row(shard, Checkpoint::TrimHorizon)).collect()
    }
}

fn new_row(shard: &ShardInfo, checkpoint: Checkpoint) -> Row {
    // The driver puts the time in; see `Row::new`.
    Row::new(shard, checkpoint, 0)
}

/// Shards without a row, that are not waiting for an ancestor to end and are not behind all that is read.
fn holes<'a>(shards: &[&'a ShardInfo], rows: &[Row]) -> BTreeSet<&'a str> {
    let known: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.shard.as_str(), row)).collect();
    let by_id: BTreeMap<&str, &ShardInfo> = shards.iter().map(|shard| (shard.id.as_str(), *shard)).collect();
    let mut behind: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    // Children come after their parents in the list: forwards for what waits, backwards for what lies behind.
    for shard in shards {
        let waits = |parent: &String| {
            waiting.contains(parent.as_str()) || known.get(parent.as_str()).is_some_and(|row| !row.is_ended())
        };
        if shard.parents.iter().any(waits) {
            waiting.insert(&shard.id);
        }
    }
    let has_row = rows.iter().flat_map(|row| row.parents.iter().map(String::as_str));
    behind.extend(has_row);
    for shard in shards.iter().rev() {
        if known.contains_key(shard.id.as_str()) || behind.contains(shard.id.as_str()) {
            behind
                .extend(shard.parents.iter().filter(|parent| by_id.contains_key(parent.as_str())).map(String::as_str));
        }
    }
    let is_hole = |id: &&str| !known.contains_key(id) && !waiting.contains(id) && !behind.contains(id);
    shards.iter().map(|shard| shard.id.as_str()).filter(is_hole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str], is_open: bool) -> ShardInfo {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        ShardInfo { id: id.to_owned(), parents, is_open, hash_keys: None }
    }

    #[test]
    fn rows_are_made_for_what_nothing_explains() {
        // 1 was split into 2 and 3, which were merged into 4; 5 stands alone.
        let shards = [
            shard("1", &[], false),
            shard("2", &["1"], false),
            shard("3", &["1"], false),
            shard("4", &["2", "3"], true),
            shard("5", &[], true),
        ];
        let check = |rows: &[(&str, bool)], first: Checkpoint, expected: &[&str], times: u32| {
            let rows: Vec<Row> = rows
                .iter()
                .map(|(id, is_ended)| {
                    let shard = shards.iter().find(|shard| shard.id == *id).unwrap();
                    let checkpoint = if *is_ended { Checkpoint::ShardEnd } else { Checkpoint::TrimHorizon };
                    Row::new(shard, checkpoint, 1)
                })
                .collect();
            let mut holes = Holes::default();
            for time in 1..=times {
                let missing = holes.missing(&shards, &rows, &first);
                let found: Vec<&str> = missing.iter().map(|row| row.shard.as_str()).collect();
                assert_eq!(found, if time == times { expected } else { &[] }, "{rows:?}, time {time}");
            }
        };
        let (oldest, latest) = (Checkpoint::TrimHorizon, Checkpoint::Latest);
        check(&[], oldest.clone(), &["1", "2", "3", "4", "5"], 1);
        check(&[], latest.clone(), &["4", "5"], 1);
        check(&[("1", false), ("5", false)], oldest.clone(), &[], 4);
        check(&[("4", false), ("5", false)], oldest.clone(), &[], 4);
        check(&[("2", true), ("3", false), ("5", false)], oldest.clone(), &[], 4);
        check(&[("1", false)], latest, &["5"], 3);
        check(&[("2", true), ("3", true), ("5", false)], oldest.clone(), &["4"], 3);
        check(&[("5", false)], oldest, &["1", "2", "3", "4"], 3);
    }
}
