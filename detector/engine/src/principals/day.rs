//! What a principal did on one UTC day: counts, the earliest event ids, and how many of everything it used.
//!
//! This is what an alert of a principal rests on: "counts and lists cover the day".

use serde::{Deserialize, Serialize};

use crate::{bedrock::Outcome, order::EventId, rule::Counts};

use super::{actor::StoredActor, calls::NO_MODEL};

/// How many event ids an alert names.
pub(crate) const EVENT_IDS_MAX: usize = 50;

/// How many different error codes an alert names.
const ERROR_CODES_MAX: usize = 32;

/// One UTC day of one principal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Day {
    /// Counted from 1970-01-01.
    pub(crate) day: u32,
    /// The greatest number of invocations within a window that ended on this day, and the first second it was reached.
    pub(crate) peak: Peak,
    /// Calls that were not throttled and carried an errorCode.
    pub(crate) failed: u32,
    /// By outcome.
    pub(super) outcomes: Vec<(Outcome, Tally)>,
    /// Error codes of refused calls, sorted, at most [`ERROR_CODES_MAX`].
    pub(crate) error_codes: Vec<Box<str>>,
    /// Models of refused calls, sorted.
    pub(crate) refused_models: Vec<u16>,
    /// What the calls that were not throttled used.
    pub(crate) used: Used,
}

/// The greatest number of invocations in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    pub(crate) invocations: u32,
    pub(crate) second: u32,
}

impl Peak {
    /// Takes in a window that ended at `second`.
    pub(crate) fn raise(&mut self, invocations: u32, second: u32) {
        let first_of_its_height = invocations == self.invocations && second < self.second;
        if invocations > self.invocations || first_of_its_height {
            *self = Self { invocations, second };
        }
    }
}

/// Events counted together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    pub(crate) last: u32,
    /// Numbers of the regions.
    pub(crate) regions: Vec<u8>,
    /// The earliest ones, in judging order.
    pub(crate) earliest: Vec<(u32, EventId)>,
    /// Who made the earliest.
    pub(crate) actor: Option<StoredActor>,
}

impl Tally {
    /// Counts an event.
    pub(crate) fn add(
        &mut self,
        second: u32,
        id: impl FnOnce() -> EventId,
        region: u8,
        actor: impl FnOnce() -> StoredActor,
    ) {
        self.count = self.count.saturating_add(1);
        self.last = self.last.max(second);
        insert_sorted(&mut self.regions, region);
        let is_full = self.earliest.len() >= EVENT_IDS_MAX;
        if is_full && self.earliest.last().is_some_and(|(last, _)| *last < second) {
            return;
        }
        let key = (second, id());
        let place = match self.earliest.last() {
            Some(last) if *last < key => self.earliest.len(),
            _ => self.earliest.partition_point(|earlier| *earlier < key),
        };
        if place >= EVENT_IDS_MAX {
            return;
        }
        self.earliest.insert(place, key);
        self.earliest.truncate(EVENT_IDS_MAX);
        if place == 0 {
            self.actor = Some(actor());
        }
    }

    /// Whether an event is among the earliest.
    pub(crate) fn has(&self, second: u32, id: &EventId) -> bool {
        self.earliest.binary_search_by(|(at, earlier)| (at, earlier).cmp(&(&second, id))).is_ok()
    }

    /// Both together.
    pub(crate) fn merged(mut self, other: &Self) -> Self {
        let other_is_earlier = match (self.earliest.first(), other.earliest.first()) {
            (Some(own), Some(others)) => others < own,
            (own, _) => own.is_none(),
        };
        if other_is_earlier {
            self.actor.clone_from(&other.actor);
        }
        self.count = self.count.saturating_add(other.count);
        self.last = self.last.max(other.last);
        for &region in &other.regions {
            insert_sorted(&mut self.regions, region);
        }
        self.earliest = earliest_of(self.earliest, &other.earliest);
        self
    }
}

/// The earliest of two lists that are in judging order.
fn earliest_of(own: Vec<(u32, EventId)>, others: &[(u32, EventId)]) -> Vec<(u32, EventId)> {
    if own.is_empty() {
        return others.to_vec();
    }
    let (mut own, mut others) = (own.into_iter().peekable(), others.iter().peekable());
    let next = || {
        let is_own = match (own.peek(), others.peek()) {
            (Some(own), Some(other)) => own <= *other,
            (own, _) => own.is_some(),
        };
        if is_own { own.next() } else { others.next().cloned() }
    };
    std::iter::from_fn(next).take(EVENT_IDS_MAX).collect()
}

/// The distinct things a principal used; strings by a short hash, because only their number is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) models: Vec<u16>,
    pub(crate) regions: Vec<u8>,
    pub(crate) sessions: Vec<u32>,
    pub(crate) access_keys: Vec<u32>,
    pub(crate) source_ips: Vec<u32>,
    pub(crate) user_agents: Vec<u32>,
}

/// Inserts into a sorted list of distinct values.
pub(crate) fn insert_sorted<T: Ord + Copy>(values: &mut Vec<T>, value: T) -> bool {
    match values.binary_search(&value) {
        Ok(_) => false,
        Err(place) => {
            values.insert(place, value);
            true
        }
    }
}

/// [`insert_sorted`], of a hash: hashes lie evenly, so that the place of one is known but for a few steps, while a binary
/// search in thousands of them would wait for memory at every step.
pub(crate) fn insert_hash(hashes: &mut Vec<u32>, hash: u32) {
    const STEPS_MAX: usize = 64;
    let share = (u64::from(hash).wrapping_mul(u64::try_from(hashes.len()).unwrap_or(0))) >> 32;
    let guess = usize::try_from(share).unwrap_or(0);
    let (before, after) = hashes.split_at_checked(guess).unwrap_or_default();
    let down = before.iter().rev().take(STEPS_MAX).take_while(|known| **known >= hash).count();
    let up = after.iter().take(STEPS_MAX).take_while(|known| **known < hash).count();
    if down == STEPS_MAX || up == STEPS_MAX {
        insert_sorted(hashes, hash);
        return;
    }
    let place = guess.saturating_sub(down).saturating_add(up);
    if hashes.get(place) != Some(&hash) {
        hashes.insert(place, hash);
    }
}

impl Day {
    /// An empty day.
    pub(crate) fn new(day: u32) -> Self {
        Self { day, ..Self::default() }
    }

    /// The tally of one outcome.
    pub(crate) fn tally_mut(&mut self, outcome: Outcome) -> &mut Tally {
        let place = match self.outcomes.binary_search_by_key(&outcome, |(key, _)| *key) {
            Ok(found) => found,
            Err(place) => {
                self.outcomes.reserve_exact(1);
                self.outcomes.insert(place, (outcome, Tally::default()));
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just above")]
        let (_, tally) = &mut self.outcomes[place];
        tally
    }

    /// Notes the error code and model of a refused call.
    pub(crate) fn note_refusal(&mut self, code: &str, model: u16) {
        if model != NO_MODEL {
            insert_sorted(&mut self.refused_models, model);
        }
        if self.error_codes.len() < ERROR_CODES_MAX
            && let Err(place) = self.error_codes.binary_search_by(|known| (**known).cmp(code))
        {
            self.error_codes.insert(place, code.into());
        }
    }

    /// The events that a rule of this kind rests on.
    pub(crate) fn tally(&self, counts: Counts) -> Tally {
        self.outcomes
            .iter()
            .filter(|(outcome, _)| counted(counts, *outcome))
            .fold(Tally::default(), |sum, (_, tally)| sum.merged(tally))
    }

    /// The regions of the events that a rule of this kind rests on, sorted.
    pub(crate) fn regions(&self, counts: Counts) -> Vec<u8> {
        let mut regions = Vec::new();
        for (_, tally) in self.outcomes.iter().filter(|(outcome, _)| counted(counts, *outcome)) {
            for &region in &tally.regions {
                insert_sorted(&mut regions, region);
            }
        }
        regions
    }

    /// How many events a rule of this kind rests on.
    pub(crate) fn count(&self, counts: Counts) -> u32 {
        self.outcomes
            .iter()
            .filter(|(outcome, _)| counted(counts, *outcome))
            .fold(0, |sum: u32, (_, tally)| sum.saturating_add(tally.count))
    }
}

/// Whether a call with this outcome belongs to what a rule counts.
pub(crate) fn counted(counts: Counts, outcome: Outcome) -> bool {
    match counts {
        Counts::Calls => true,
        Counts::Invocations => outcome != Outcome::Throttled,
        Counts::Refusals => outcome == Outcome::Refused,
        Counts::Throttled => outcome == Outcome::Throttled,
        Counts::Enablement => outcome == Outcome::Success,
        Counts::Matches | Counts::Usage => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_inserted_like_anything_else() {
        let check = |hashes: &mut dyn Iterator<Item = u32>| {
            let (mut by_guess, mut by_search) = (Vec::new(), Vec::new());
            for hash in hashes {
                insert_hash(&mut by_guess, hash);
                insert_sorted(&mut by_search, hash);
                assert_eq!(by_guess.len(), by_search.len(), "{hash}");
            }
            assert_eq!(by_guess, by_search);
        };
        let even = |number: u32| number.wrapping_mul(0x9e37_79b9);
        check(&mut (0..3_000).map(even));
        check(&mut (0..3_000).map(|number| even(number % 700)));
        check(&mut (0..500));
        check(&mut (0..500).rev().map(|number| u32::MAX - number));
        check(&mut [u32::MAX, 0, u32::MAX, 0, 1].into_iter());
    }

    #[test]
    fn the_earliest_of_two_lists() {
        let list = |seconds: &[u32]| -> Vec<(u32, EventId)> {
            seconds.iter().map(|second| (*second, EventId::new(&format!("e-{second}")))).collect()
        };
        let check = |own: &[u32], others: &[u32]| {
            let mut expected = [own, others].concat();
            expected.sort_unstable();
            expected.truncate(EVENT_IDS_MAX);
            assert_eq!(earliest_of(list(own), &list(others)), list(&expected), "{own:?} {others:?}");
        };
        let (even, odd): (Vec<u32>, Vec<u32>) = (0..100).partition(|second| second % 2 == 0);
        check(&[], &[]);
        check(&[], &[1, 2]);
        check(&[1, 2], &[]);
        check(&[1, 3, 3, 9], &[2, 3, 10]);
        check(&even, &odd);
        check(&odd, &even);
    }
}
