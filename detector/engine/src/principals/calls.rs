//! The recent calls of one principal: sorted runs of identical calls within a second, exact under any arrival order.
//!
//! Deliberately not one entry per call: a principal that calls a thousand times a second costs no more memory than
//! one that calls once a second for each model and region it uses.

use crate::bedrock::Outcome;

/// Stands for "the call named no model".
pub(crate) const NO_MODEL: u16 = u16::MAX;

/// Everything about a call that a window can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKind {
    /// The account's number of the model, or [`NO_MODEL`].
    pub(crate) model: u16,
    /// The engine's number of the region.
    pub(crate) region: u8,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Whether it was signed with a long-term key or a Bedrock API key.
    pub(crate) long_lived: bool,
    /// Whether it was refused with a validation error about `max_tokens`.
    pub(crate) limit_probe: bool,
}

/// So many calls of one kind in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) second: u32,
    pub(crate) kind: CallKind,
    pub(crate) count: u32,
}

/// Runs sorted by second, then kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    runs: Vec<Run>,
}

impl Calls {
    /// Takes in runs that are in order.
    pub(super) const fn from_sorted(runs: Vec<Run>) -> Self {
        Self { runs }
    }

    /// Adds a call.
    pub(crate) fn insert(&mut self, second: u32, kind: CallKind) {
        let key = (second, kind);
        let newest = self.runs.last().is_none_or(|run| (run.second, run.kind) < key);
        let place = if newest {
            Err(self.runs.len())
        } else {
            self.runs.binary_search_by(|run| (run.second, run.kind).cmp(&key))
        };
        match place {
            Ok(found) => {
                if let Some(run) = self.runs.get_mut(found) {
                    run.count = run.count.saturating_add(1);
                }
            }
            Err(place) => self.runs.insert(place, Run { second, kind, count: 1 }),
        }
    }

    /// All runs, in order.
    pub(crate) fn all(&self) -> &[Run] {
        &self.runs
    }

    /// The runs with `first <= second <= last`.
    pub(crate) fn between(&self, first: u32, last: u32) -> &[Run] {
        let from = self.first_at_or_after(first);
        let to = self.first_after(last);
        self.runs.get(from..to.max(from)).unwrap_or_default()
    }

    /// The runs of one second.
    pub(crate) fn at(&self, second: u32) -> &[Run] {
        // Mostly the newest, which stand at the end.
        let newest = self.runs.iter().rev().take(4).take_while(|run| run.second >= second).count();
        match self.runs.len().checked_sub(newest) {
            Some(from) if newest < 4 => {
                let runs = self.runs.get(from..).unwrap_or_default();
                let of_second = runs.partition_point(|run| run.second <= second);
                runs.get(..of_second).unwrap_or_default()
            }
            _ => self.between(second, second),
        }
    }

    /// Index of the first run at or after `second`.
    pub(crate) fn first_at_or_after(&self, second: u32) -> usize {
        self.runs.partition_point(|run| run.second < second)
    }

    fn first_after(&self, second: u32) -> usize {
        if self.runs.last().is_none_or(|run| run.second <= second) {
            return self.runs.len();
        }
        self.runs.partition_point(|run| run.second <= second)
    }

    /// Removes and returns the runs before `second`.
    pub(crate) fn take_before(&mut self, second: u32) -> Vec<Run> {
        let end = self.first_at_or_after(second);
        let taken = self.runs.drain(..end).collect();
        if self.runs.len().saturating_mul(4) < self.runs.capacity() {
            self.runs.shrink_to_fit();
        }
        taken
    }

    /// The second of the oldest run.
    pub(crate) fn oldest(&self) -> Option<u32> {
        self.runs.first().map(|run| run.second)
    }
}

/// The number of calls in `runs` of a kind that `wanted` accepts.
pub(crate) fn sum(runs: &[Run], wanted: impl Fn(&CallKind) -> bool) -> u32 {
    runs.iter().filter(|run| wanted(&run.kind)).fold(0, |total: u32, run| total.saturating_add(run.count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: CallKind =
        CallKind { model: 1, region: 0, outcome: Outcome::Success, long_lived: false, limit_probe: false };

    #[test]
    fn any_arrival_order_gives_the_same_runs() {
        let seconds = [5_u32, 1, 3, 3, 9, 1, 3, 2];
        let mut sorted = seconds;
        sorted.sort_unstable();
        let (mut as_arrived, mut in_order) = (Calls::default(), Calls::default());
        for second in seconds {
            as_arrived.insert(second, KIND);
        }
        for second in sorted {
            in_order.insert(second, KIND);
        }
        assert_eq!(as_arrived.all(), in_order.all());
        let check = |first, last, expected: usize| {
            let by_hand = seconds.iter().filter(|s| (first..=last).contains(*s)).count();
            assert_eq!(by_hand, expected);
            assert_eq!(sum(as_arrived.between(first, last), |_| true) as usize, expected, "{first}..={last}");
        };
        check(1, 3, 6);
        check(4, 4, 0);
        check(0, 100, 8);
        check(9, 9, 1);
    }
}
