//! Who invoked what while nothing was logged: the inference calls of one account and region by second, and their sums
//! over blind intervals.
//!
//! Seconds that can no longer change are added to the interval they lie in and forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{order::Moment, time::Second};

/// Inference calls of one account and region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RegionCalls {
    /// Calls per second and principal, principals in order.
    seconds: BTreeMap<u32, Vec<(u32, u32)>>,
    /// What was counted of blind intervals that are longer than the allowed lateness.
    settled: BTreeMap<Moment, Blind>,
}

/// Calls in a blind interval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blind {
    pub(crate) calls: u64,
    /// By name.
    pub(crate) principals: BTreeSet<Box<str>>,
}

/// Calls counted in the blind intervals of one account and region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BlindCount {
    pub(crate) calls: u64,
    /// A hash of the intervals: while it is the same, counting goes on.
    pub(crate) stretches: u64,
}

/// A stretch of time without logging: from the disabling second, inclusive, to the restoring one, exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BlindInterval {
    pub(crate) moment: Moment,
    pub(crate) until: Option<Second>,
}

impl BlindInterval {
    fn contains(&self, second: u32) -> bool {
        second >= self.moment.at.0 && self.until.is_none_or(|until| second < until.0)
    }
}

impl RegionCalls {
    /// Counts a call.
    pub(crate) fn add(&mut self, second: u32, principal: u32) {
        // Mostly the newest second, which needs no search.
        let newest = self.seconds.last_entry().filter(|newest| *newest.key() == second);
        let callers = match newest {
            Some(newest) => newest.into_mut(),
            None => self.seconds.entry(second).or_default(),
        };
        match callers.binary_search_by_key(&principal, |(known, _)| *known) {
            Ok(found) => {
                if let Some((_, count)) = callers.get_mut(found) {
                    *count = count.saturating_add(1);
                }
            }
            Err(place) => callers.insert(place, (principal, 1)),
        }
    }

    /// Forgets seconds before `horizon`, adding them to the intervals they lie in.
    pub(crate) fn settle(&mut self, horizon: u32, intervals: &[BlindInterval], names: &Names<'_>) {
        let kept = self.seconds.split_off(&horizon);
        for (second, callers) in std::mem::replace(&mut self.seconds, kept) {
            for interval in intervals.iter().filter(|interval| interval.contains(second)) {
                let blind = self.settled.entry(interval.moment.clone()).or_default();
                blind.add(&callers, names);
            }
        }
    }

    /// Whether seconds before `horizon` are still kept.
    pub(crate) fn reaches_before(&self, horizon: u32) -> bool {
        self.seconds.first_key_value().is_some_and(|(second, _)| *second < horizon)
    }

    /// The calls in an interval.
    pub(crate) fn within(&self, interval: &BlindInterval, names: &Names<'_>) -> Blind {
        let mut blind = self.settled.get(&interval.moment).cloned().unwrap_or_default();
        for (second, callers) in self.seconds.range(interval.moment.at.0..) {
            if interval.contains(*second) {
                blind.add(callers, names);
            }
        }
        blind
    }
}

/// How principals are named, and how many names an interval keeps.
pub(crate) struct Names<'a> {
    pub(crate) of: &'a dyn Fn(u32) -> Box<str>,
    pub(crate) max: usize,
}

impl Blind {
    fn add(&mut self, callers: &[(u32, u32)], names: &Names<'_>) {
        for &(principal, count) in callers {
            self.calls = self.calls.saturating_add(u64::from(count));
            if self.principals.len() < names.max {
                self.principals.insert((names.of)(principal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_changes_no_sum() {
        let interval = |from: u32, until: Option<u32>| BlindInterval {
            moment: Moment { at: Second(from), native: false, id: "e".into() },
            until: until.map(Second),
        };
        let names = Names { of: &|number| number.to_string().into(), max: 100 };
        for until in [None, Some(150), Some(120)] {
            let wanted = interval(110, until);
            let (mut kept, mut settled) = (RegionCalls::default(), RegionCalls::default());
            for second in 100..160 {
                kept.add(second, second % 3);
                settled.add(second, second % 3);
            }
            settled.settle(140, std::slice::from_ref(&wanted), &names);
            assert!(!settled.reaches_before(140));
            assert_eq!(kept.within(&wanted, &names), settled.within(&wanted, &names), "{until:?}");
        }
    }
}
