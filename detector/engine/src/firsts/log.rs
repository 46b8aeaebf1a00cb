//! The first times of an account that can still change or that alerts rest on, and what the rules say about each.
//!
//! A rule's answer depends on what its event is the first of. So that a late record can change it without the event's
//! own record, the answer is kept for every set of first times that may be left.

use serde::{Deserialize, Serialize};

use crate::{alert::Severity, order::EventId, principals::StoredActor, time::DAY_S};

use super::{Bits, DAY, Key, MODEL, REGION, SightingsList};

/// An event that is the first of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) second: u32,
    pub(crate) id: EventId,
    /// The principal's number.
    pub(crate) principal: u32,
    pub(crate) region: u8,
    pub(crate) model: u16,
    /// `eventName`.
    pub(crate) name: Box<str>,
    pub(crate) actor: StoredActor,
    /// What it could be the first of.
    pub(crate) keys: Vec<Key>,
    /// What it is the first of, as far as is known.
    pub(crate) firsts: Bits,
    pub(crate) matched: Vec<Matched>,
}

/// What a rule says about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Matched {
    /// The rule's id.
    pub(crate) rule: Box<str>,
    /// Which first times it asks for.
    pub(crate) asked: Bits,
    /// The sets of these under which it matches, and the level it then has.
    pub(crate) under: Vec<(Bits, Severity)>,
}

impl Matched {
    /// The level under these first times; `None` if the rule does not match.
    fn level(&self, firsts: Bits) -> Option<Severity> {
        self.under.iter().find(|(set, _)| *set == firsts & self.asked).map(|(_, level)| *level)
    }
}

impl First {
    /// The level that a rule gives it.
    fn level(&self, rule: &str) -> Option<Severity> {
        self.matched.iter().find(|matched| *matched.rule == *rule)?.level(self.firsts)
    }

    const fn day(&self) -> u32 {
        self.second / DAY_S
    }

    /// Whether its place in judging order is after this one.
    fn is_after(&self, second: u32, id: &EventId) -> bool {
        (self.second, &self.id) > (second, id)
    }

    /// Whether it is about `key` of `principal`.
    fn shares(&self, key: Key, principal: u32) -> bool {
        let of_account = key.kind & (REGION | MODEL) != 0;
        (of_account || self.principal == principal) && self.keys.contains(&key)
    }
}

/// The first times of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FirstLog {
    /// The account's regions and models.
    pub(crate) sightings: SightingsList,
    /// In judging order.
    events: Vec<First>,
}

impl FirstLog {
    /// Whether an event is known in that second or later.
    pub(crate) fn has_from(&self, second: u32) -> bool {
        self.events.last().is_some_and(|last| last.second >= second)
    }

    /// Whether an earlier event of the same second is known to be the first of `key`.
    pub(crate) fn is_taken(&self, key: Key, principal: u32, second: u32, id: &EventId) -> bool {
        let same_second = self.events.iter().rev().take_while(|event| event.second >= second);
        same_second
            .filter(|event| event.second == second && event.id < *id)
            .any(|event| event.firsts & key.kind != 0 && event.shares(key, principal))
    }

    /// Takes from all later events what the event of `principal` at this place is the first of, or comes before. Returns
    /// the rules whose answer about them changed, with principal and day.
    pub(crate) fn take(
        &mut self,
        keys: &[Key],
        principal: u32,
        second: u32,
        id: &EventId,
    ) -> Vec<(u32, Box<str>, u32)> {
        let mut changed = Vec::new();
        for event in self.events.iter_mut().rev().take_while(|event| event.is_after(second, id)) {
            let before = event.firsts;
            for key in keys {
                if event.shares(*key, principal) {
                    event.firsts &= !key.kind;
                }
            }
            if event.principal == principal && event.day() > second / DAY_S {
                event.firsts &= !DAY;
            }
            if event.firsts != before {
                let (number, day, firsts) = (event.principal, event.day(), event.firsts);
                let other = event.matched.iter().filter(|matched| matched.level(firsts) != matched.level(before));
                // It may lie in a window that ends on the next day.
                changed.extend(
                    other.flat_map(|matched| {
                        [day, day.saturating_add(1)].map(|day| (number, matched.rule.clone(), day))
                    }),
                );
            }
        }
        changed
    }

    /// Adds an event. Beyond `max`, the earliest is forgotten; returns whether one was.
    pub(crate) fn insert(&mut self, event: First, max: usize) -> bool {
        let place = self.events.partition_point(|known| !known.is_after(event.second, &event.id));
        self.events.insert(place, event);
        let is_full = self.events.len() > max;
        if is_full {
            // More than one at a time, so that a full log is not moved for every event.
            self.events.drain(..self.events.len().saturating_sub(max).max(max / 16));
        }
        is_full
    }

    /// The events of a principal that match a rule and whose windows of `within_s` can end on `day`, with their levels.
    pub(crate) fn matching(&self, principal: u32, rule: &str, day: u32, within_s: u32) -> Vec<(&First, Severity)> {
        let from = day.saturating_mul(DAY_S).saturating_sub(within_s);
        let start = self.events.partition_point(|event| event.second < from);
        let events = self.events.iter().skip(start).take_while(|event| event.day() <= day);
        let own = events.filter(|event| event.principal == principal);
        own.filter_map(|event| Some((event, event.level(rule)?))).collect()
    }

    /// Forgets events before `day`, from which on windows can still be asked for.
    pub(crate) fn forget_before(&mut self, day: u32) {
        let end = self.events.partition_point(|event| event.day() < day);
        self.events.drain(..end);
    }

    /// Forgets the events of principals that are forgotten.
    pub(crate) fn forget_principals(&mut self, gone: &[u32]) {
        self.events.retain(|event| gone.binary_search(&event.principal).is_err());
    }
}

/// Of events in judging order, those that lie in a window of less than `within_s` seconds that ends on `day` with at
/// least `at_least` of them; of a rule that asks for one, those of the day.
pub(crate) fn found(
    events: Vec<(&First, Severity)>,
    day: u32,
    at_least: usize,
    within_s: u32,
) -> Vec<(&First, Severity)> {
    let mut is_in = vec![false; events.len()];
    let mut start = 0_usize;
    for (end, (last, _)) in events.iter().enumerate() {
        let is_past = |place: usize| {
            events.get(place).is_some_and(|(first, _)| first.second.saturating_add(within_s.max(1)) <= last.second)
        };
        while start < end && is_past(start) {
            start = start.saturating_add(1);
        }
        if last.day() == day && end.saturating_sub(start).saturating_add(1) >= at_least {
            is_in.iter_mut().take(end.saturating_add(1)).skip(start).for_each(|inside| *inside = true);
        }
    }
    let kept = events.into_iter().zip(is_in).filter(|(_, inside)| *inside);
    let kept = kept.map(|(event, _)| event);
    if at_least <= 1 { kept.filter(|(event, _)| event.day() == day).collect() } else { kept.collect() }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{NETWORK, OPERATION},
        *,
    };
    use crate::alert::Actor;

    const MIDNIGHT: u32 = 20_000 * DAY_S;
    const RULE: &str = "r";

    fn id(number: u32) -> EventId {
        EventId::new(&format!("event-{number}"))
    }

    fn key(value: u32) -> Key {
        Key { kind: OPERATION, value }
    }

    /// The first call of an operation, for which the rule matches as long as it is that.
    fn first(second: u32, number: u32, operation: u32) -> First {
        let matched = Matched {
            rule: RULE.into(),
            asked: OPERATION | DAY,
            under: vec![(OPERATION, Severity::Low), (OPERATION | DAY, Severity::High)],
        };
        First {
            second,
            id: id(number),
            principal: 1,
            region: 0,
            model: 0,
            name: "ListGuardrails".into(),
            actor: StoredActor::of_test(&Actor::default()),
            keys: vec![key(operation)],
            firsts: OPERATION | DAY | NETWORK,
            matched: vec![matched],
        }
    }

    #[test]
    fn windows_that_end_on_a_day() {
        let check = |seconds: &[i64], day: u32, at_least: usize, expected: &[i64]| {
            let at = |second: &i64| MIDNIGHT.wrapping_add_signed(i32::try_from(*second).expect("it is small"));
            let events: Vec<First> = seconds.iter().map(|second| first(at(second), 0, 0)).collect();
            let levels = events.iter().map(|event| (event, Severity::Low)).collect();
            let within_s = if at_least > 1 { 3_600 } else { 0 };
            let kept = found(levels, MIDNIGHT / DAY_S + day - 1, at_least, within_s);
            let kept: Vec<u32> = kept.iter().map(|(event, _)| event.second).collect();
            assert_eq!(kept, expected.iter().map(at).collect::<Vec<_>>(), "{seconds:?}");
        };
        check(&[0, 10], 1, 1, &[0, 10]);
        check(&[-10, 10], 1, 1, &[10]);
        check(&[-10, 10], 1, 2, &[-10, 10]);
        check(&[-10, 10], 0, 2, &[]);
        check(&[0, 3_600], 1, 2, &[]);
        check(&[0, 3_599], 1, 2, &[0, 3_599]);
        check(&[0, 3_000, 9_000, 9_000, 20_000], 1, 2, &[0, 3_000, 9_000, 9_000]);
        check(&[0, 3_000, 9_000, 9_000, 20_000], 1, 3, &[]);
    }

    #[test]
    fn an_earlier_event_takes_over() {
        let mut log = FirstLog::default();
        for (second, number) in [(100, 1), (200, 2), (DAY_S, 3)] {
            assert!(!log.insert(first(MIDNIGHT + second, number, number), 10));
        }
        let day = MIDNIGHT / DAY_S;
        let levels = |log: &FirstLog, day: u32| -> Vec<Severity> {
            log.matching(1, RULE, day, 0).into_iter().map(|(_, level)| level).collect()
        };
        assert_eq!(levels(&log, day), [Severity::High, Severity::High]);
        // The principal is no newcomer the day after.
        let changed = log.take(&[key(9)], 1, MIDNIGHT + 150, &id(9));
        assert_eq!(changed.iter().map(|(_, _, day)| *day).collect::<Vec<_>>(), [day + 1, day + 2]);
        assert_eq!(levels(&log, day + 1), [Severity::Low]);
        // Another principal's operation is another.
        assert!(log.take(&[key(2)], 2, MIDNIGHT, &id(9)).is_empty());
        assert!(!log.take(&[key(2)], 1, MIDNIGHT + 200, &id(0)).is_empty());
        assert_eq!(levels(&log, day), [Severity::High]);
        assert!(log.is_taken(key(1), 1, MIDNIGHT + 100, &id(2)));
        assert!(!log.is_taken(key(1), 1, MIDNIGHT + 100, &id(0)));
        assert!(!log.is_taken(key(1), 2, MIDNIGHT + 100, &id(2)));
    }
}
