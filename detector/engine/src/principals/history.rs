//! What was seen before: when a model was last called in an account, and when a principal last called a region.
//!
//! Recent seconds are kept one by one, so that a late record finds its exact place; of everything older only the
//! latest moment is kept, which is all that "not in the last 30 days" can ask for.

use serde::{Deserialize, Serialize};

/// The seconds at which something happened: recent ones exactly, older ones as their latest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    recent: Vec<u32>,
    /// The latest second that is no longer kept one by one; 0 for none.
    older: u32,
}

impl Seen {
    /// Notes a second. Returns the moments up to `newest` for which this changes what happened before them, if "before"
    /// looks back `history_s` seconds: all `a` with `after < a <= until` that had nothing in `[a - history_s, a)` until
    /// now.
    pub(crate) fn insert(&mut self, second: u32, history_s: u32, newest: u32) -> Option<NoLongerNew> {
        let place = match self.recent.last() {
            Some(&last) if last < second => self.recent.len(),
            None => 0,
            Some(_) => match self.recent.binary_search(&second) {
                Ok(_) => return None,
                Err(place) => place,
            },
        };
        let previous = place.checked_sub(1).and_then(|before| self.recent.get(before).copied()).unwrap_or(self.older);
        let until = self.recent.get(place).copied().unwrap_or(u32::MAX).min(newest);
        self.recent.insert(place, second);
        // Up to here the sighting before still counts.
        let counted = if previous == 0 { 0 } else { previous.saturating_add(history_s) };
        let after = second.max(counted);
        (after < until).then_some(NoLongerNew { after, until })
    }

    /// Whether something happened in `[from, before)`.
    pub(crate) fn any_within(&self, from: u32, before: u32) -> bool {
        // The two ends answer nearly always; the search is for what lies on both sides of `from`.
        match self.recent.first() {
            Some(&first) if first < before && first >= from => return true,
            Some(&first) if first < before => {}
            _ => return self.older != 0 && self.older < before && self.older >= from,
        }
        let end = self.recent.partition_point(|&second| second < before);
        let latest = end.checked_sub(1).and_then(|index| self.recent.get(index).copied()).unwrap_or(self.older);
        latest != 0 && latest < before && latest >= from
    }

    /// Forgets single seconds before `horizon`, keeping the latest of them.
    pub(crate) fn compact(&mut self, horizon: u32) {
        let end = self.recent.partition_point(|&second| second < horizon);
        if let Some(&latest) = end.checked_sub(1).and_then(|index| self.recent.get(index)) {
            self.older = self.older.max(latest);
            self.recent.drain(..end);
        }
    }
}

/// The moments for which something is no longer new: `after < a <= until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoLongerNew {
    pub(crate) after: u32,
    pub(crate) until: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY_S: u32 = 1_000;

    #[test]
    fn compaction_forgets_nothing_that_is_asked_for() {
        let (mut exact, mut compacted) = (Seen::default(), Seen::default());
        for second in [100, 400, 900, 905, 1_500] {
            exact.insert(second, HISTORY_S, 3_000);
            compacted.insert(second, HISTORY_S, 3_000);
        }
        compacted.compact(905);
        for before in 905..3_000 {
            let from = before - HISTORY_S.min(before);
            assert_eq!(exact.any_within(from, before), compacted.any_within(from, before), "{before}");
        }
    }

    #[test]
    fn tells_what_is_no_longer_new() {
        let mut seen = Seen::default();
        let new = |after, until| Some(NoLongerNew { after, until });
        assert_eq!(seen.insert(5_000, HISTORY_S, 5_000), None, "nothing is known of later moments");
        assert_eq!(seen.insert(5_000, HISTORY_S, 9_000), None, "it is known");
        assert_eq!(seen.insert(4_000, HISTORY_S, 9_000), new(4_000, 5_000));
        assert_eq!(seen.insert(4_500, HISTORY_S, 9_000), None, "4000 lies within the history up to 5000");
        assert_eq!(seen.insert(5_500, HISTORY_S, 6_200), new(6_000, 6_200), "up to 6000 there was 5000");
    }

    #[test]
    fn what_it_tells_is_all_that_changes() {
        bolero::check!().with_type::<(Vec<u8>, u8)>().for_each(|(seconds, second)| {
            let (history, newest) = (40, 400);
            let mut seen = Seen::default();
            for at in seconds {
                seen.insert(u32::from(*at) + 1, history, newest);
            }
            let before = |seen: &Seen, a: u32| seen.any_within(a.saturating_sub(history), a);
            let known: Vec<bool> = (0..=newest).map(|a| before(&seen, a)).collect();
            let told = seen.insert(u32::from(*second) + 1, history, newest);
            for (a, was) in (0..=newest).zip(known) {
                let is_told = told.is_some_and(|told| told.after < a && a <= told.until);
                assert!(before(&seen, a) == was || is_told, "{seconds:?} {second}: {a} changed, told {told:?}");
            }
        });
    }
}
