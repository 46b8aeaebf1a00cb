//! When something was seen: on which of the last 31 UTC days, and when first on the two days that records can still
//! arrive for.
//!
//! That is all that "not in the 30 days before" can ask for, whatever the order of arrival, in sixteen bytes.

use serde::{Deserialize, Serialize};

use crate::time::DAY_S;

use super::Bits;

/// No sighting on the day.
const NEVER: u32 = u32::MAX;

/// A full list forgets one of so many of its keys at once, and one more.
const FORGOTTEN_PART: usize = 16;

/// The most days that can be looked back.
pub(crate) const DAYS_MAX: u32 = 30;

/// When something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sightings {
    /// The latest UTC day, counted from 1970-01-01.
    pub(crate) day: u32,
    /// Bit n: it was seen n days before that.
    pub(crate) days: u32,
    /// The first second of the latest day, and of the day before.
    pub(crate) first: [u32; 2],
}

impl Sightings {
    /// Seen once.
    pub(crate) const fn at(second: u32) -> Self {
        Self { day: second / DAY_S, days: 1, first: [second, NEVER] }
    }

    /// Seen once more.
    pub(crate) fn note(&mut self, second: u32) {
        let day = second / DAY_S;
        if let Some(later) = day.checked_sub(self.day).filter(|later| *later > 0) {
            self.days = self.days.checked_shl(later).unwrap_or(0) | 1;
            let [latest, _] = self.first;
            self.first = [second, if later == 1 { latest } else { NEVER }];
            self.day = day;
            return;
        }
        let earlier = self.day.saturating_sub(day);
        self.days |= 1_u32.checked_shl(earlier).unwrap_or(0);
        if let Some(first) = usize::try_from(earlier).ok().and_then(|place| self.first.get_mut(place)) {
            *first = second.min(*first);
        }
    }

    /// Whether it was seen on one of the `days` UTC days before the day of `second`.
    pub(crate) fn on_days_before(&self, second: u32, days: u32) -> bool {
        let day = second / DAY_S;
        // Seen as from that day, in which bit 0 is the day itself.
        let seen = if day >= self.day {
            u64::from(self.days).checked_shl(day.saturating_sub(self.day)).unwrap_or(0)
        } else {
            u64::from(self.days.checked_shr(self.day.saturating_sub(day)).unwrap_or(0))
        };
        let wanted = 1_u64.wrapping_shl(days.min(DAYS_MAX).saturating_add(1)).wrapping_sub(2);
        seen & wanted != 0
    }

    /// Whether it was seen earlier on the day of `second`, or on one of the `days` UTC days before.
    pub(crate) fn before(&self, second: u32, days: u32) -> bool {
        let place = usize::try_from(self.day.saturating_sub(second / DAY_S)).unwrap_or(usize::MAX);
        let on_the_day = self.day >= second / DAY_S && self.first.get(place).is_some_and(|first| *first < second);
        on_the_day || self.on_days_before(second, days)
    }
}

/// What was seen: a kind, as one bit, and a number or hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kind: Bits,
    pub(crate) value: u32,
}

impl Key {
    /// One number in the order of the keys: it is compared faster than two.
    fn as_number(self) -> u64 {
        (u64::from(self.kind) << u32::BITS) | u64::from(self.value)
    }
}

/// What was seen when, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SightingsList {
    entries: Vec<(Key, Sightings)>,
}

impl SightingsList {
    /// Takes in entries in the order of their keys.
    pub(crate) const fn from_sorted(entries: Vec<(Key, Sightings)>) -> Self {
        Self { entries }
    }

    /// Everything seen, in the order of the keys.
    pub(crate) fn entries(&self) -> &[(Key, Sightings)] {
        &self.entries
    }

    /// Notes that `key` was seen. Beyond `max` keys, those not seen for longest are forgotten; returns when it had been
    /// seen before, and whether one was forgotten that could still be asked for.
    pub(crate) fn note(&mut self, key: Key, second: u32, max: usize) -> (Option<Sightings>, bool) {
        match self.entries.binary_search_by_key(&key.as_number(), |(known, _)| known.as_number()) {
            Ok(found) => {
                let known = self.entries.get_mut(found).map(|(_, sightings)| sightings);
                let before = known.as_deref().copied();
                if let Some(sightings) = known {
                    sightings.note(second);
                }
                (before, false)
            }
            Err(place) => {
                self.entries.reserve_exact(1);
                self.entries.insert(place, (key, Sightings::at(second)));
                (None, self.make_room(key, second / DAY_S, max))
            }
        }
    }

    /// Forgets that `key` was seen.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Ok(found) = self.entries.binary_search_by_key(&key.as_number(), |(known, _)| known.as_number()) {
            self.entries.remove(found);
        }
    }

    fn make_room(&mut self, newest: Key, today: u32, max: usize) -> bool {
        // What nobody can ask for any more goes only when its place is needed, so that most new keys cost no search.
        if self.entries.len() <= max {
            return false;
        }
        let oldest_day = today.saturating_sub(DAYS_MAX).saturating_sub(1);
        self.entries.retain(|(_, sightings)| sightings.day >= oldest_day);
        if self.entries.len() <= max {
            return false;
        }
        let others = self.entries.iter().filter(|(key, _)| *key != newest);
        let mut ages: Vec<(u32, Key)> = others.map(|(key, sightings)| (sightings.day, *key)).collect();
        // Several at a time, so that a full list is not searched for every new key.
        let last = (max / FORGOTTEN_PART).min(ages.len().saturating_sub(1));
        if last < ages.len() {
            let (_, youngest, _) = ages.select_nth_unstable(last);
            let youngest = *youngest;
            self.entries.retain(|(key, sightings)| *key == newest || (sightings.day, *key) > youngest);
        }
        true
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
mod tests {
    use super::*;

    const NOON: u32 = 20_000 * DAY_S + DAY_S / 2;

    /// The same question asked of all seconds.
    fn by_hand(seen: &[u32], second: u32, days: u32) -> (bool, bool) {
        let day = second / DAY_S;
        let on_days = seen.iter().any(|at| at / DAY_S < day && at / DAY_S + days >= day);
        (on_days || seen.iter().any(|at| at / DAY_S == day && *at < second), on_days)
    }

    #[test]
    fn any_order_gives_the_same_answers() {
        // Records can arrive for today and yesterday only.
        bolero::check!().with_type::<(Vec<u8>, Vec<u16>, u16)>().for_each(|(history, recent, asked)| {
            let mut seen: Vec<u32> = history.iter().map(|days| NOON - (u32::from(*days) % 40 + 2) * DAY_S).collect();
            seen.sort_unstable();
            seen.extend(recent.iter().map(|before| NOON - u32::from(*before)));
            let Some((first, rest)) = seen.split_first() else { return };
            let mut sightings = Sightings::at(*first);
            rest.iter().for_each(|second| sightings.note(*second));
            for second in [NOON - u32::from(*asked), NOON] {
                let found = (sightings.before(second, 30), sightings.on_days_before(second, 30));
                assert_eq!(found, by_hand(&seen, second, 30), "{seen:?} {second}");
            }
        });
    }

    #[test]
    fn thirty_days_are_the_edge() {
        let sightings = Sightings::at(NOON - 30 * DAY_S);
        assert!(sightings.before(NOON, 30));
        assert!(!sightings.before(NOON + DAY_S, 30));
        assert!(!sightings.before(NOON, 29));
    }

    #[test]
    fn a_full_list_forgets_what_was_not_seen_for_longest() {
        let key = |value| Key { kind: super::super::NETWORK, value };
        let mut list = SightingsList::default();
        for value in 0..10 {
            assert!(!list.note(key(value), NOON + value * DAY_S, 10).1);
        }
        assert!(!list.note(key(0), NOON + 9 * DAY_S, 10).1);
        assert!(list.note(key(10), NOON + 9 * DAY_S, 10).1);
        let knows = |value| list.entries().iter().any(|(known, _)| *known == key(value));
        assert!(knows(0) && !knows(1));
        // After 32 days nothing of it can be asked for.
        assert!(!list.note(key(11), NOON + 50 * DAY_S, 10).1);
        assert_eq!(list.entries().len(), 1);
    }
}
