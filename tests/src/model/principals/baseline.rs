//! How many calls a minute are normal for a principal.

use std::collections::BTreeMap;

use super::{
    super::event::{DAY, Time},
    Principal,
};

const LATENESS: Time = 900;
const MINUTES_MIN: usize = 60;

/// "nearest-rank 99th percentile of its calls per UTC minute with at least one call, over the minutes wholly inside
/// [s - lateness - 7 days, s - lateness), known from 60 such minutes on".
pub(super) fn baseline(principal: &Principal<'_>, s: Time) -> Option<usize> {
    let (from, to) = (s - LATENESS - 7 * DAY, s - LATENESS);
    let mut minutes: BTreeMap<Time, usize> = BTreeMap::new();
    for row in principal.between(from, to, |row| row.invocation) {
        let minute = row.time.div_euclid(60);
        if minute * 60 >= from && (minute + 1) * 60 <= to {
            *minutes.entry(minute).or_default() += 1;
        }
    }
    let mut counts: Vec<usize> = minutes.into_values().collect();
    counts.sort_unstable();
    let rank = (counts.len() * 99).div_ceil(100);
    if counts.len() < MINUTES_MIN { None } else { counts.get(rank - 1).copied() }
}
