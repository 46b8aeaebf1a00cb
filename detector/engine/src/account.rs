//! Everything remembered about one account except resources: how far its events have come, which were seen, its
//! principals, its models, and who called where.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    bedrock::normalise_model,
    firsts::FirstLog,
    hashing::FixedHasher,
    principals::{NO_MODEL, Principals, Seen, SharedStrings},
    seen_events::SeenEvents,
    settings::Settings,
    time::{DAY_S, Second},
    usage::UsageTable,
    world::RegionCalls,
};

/// One account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The greatest event time seen.
    pub(crate) watermark: Second,
    /// The earliest event time seen, whatever the event: an account that never used Bedrock has a history too.
    pub(crate) known_since: Option<Second>,
    pub(crate) seen: SeenEvents,
    pub(crate) models: Models,
    pub(crate) shared: SharedStrings,
    /// By number; every account has its own numbers, so that an account can be moved to another engine as it is.
    pub(crate) regions: Regions,
    pub(crate) principals: Principals,
    /// Inference calls by region.
    pub(crate) calls: BTreeMap<u8, RegionCalls>,
    /// Principals about whom rules found something.
    pub(crate) with_verdicts: BTreeSet<u32>,
    /// The minute in which the account was last tidied.
    pub(crate) tidied: u32,
    /// First times on Bedrock.
    pub(crate) firsts: FirstLog,
    /// What model invocation logs say; it has a time of its own.
    pub(crate) usage: UsageTable,
}

impl Account {
    /// Notes an event time. Returns whether it is the greatest or the least so far.
    pub(crate) fn note_time(&mut self, time: Second) -> bool {
        let is_outside = time > self.watermark || self.known_since.is_none_or(|since| time < since);
        self.watermark = self.watermark.max(time);
        self.known_since = Some(self.known_since.map_or(time, |since| since.min(time)));
        is_outside
    }

    /// Whether, at that time, it is known for too short a time to say what is new or normal in it.
    pub(crate) fn is_learning(&self, at: Second, settings: &Settings) -> bool {
        let known_days_s = settings.baseline_days.saturating_mul(DAY_S);
        self.known_since.is_none_or(|since| at.since(since) < known_days_s)
    }

    /// Whether an event is too old to take part in counts.
    pub(crate) fn is_late(&self, time: Second, settings: &Settings) -> bool {
        time.plus(settings.lateness_s) < self.watermark
    }
}

/// The models called in an account, by number, with when each was called by anybody.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Models {
    names: Vec<Box<str>>,
    /// The place of each name; made from the names where it is missing, as after a restart.
    #[serde(skip)]
    numbers: HashMap<Box<str>, u16, FixedHasher>,
    pub(crate) seen: Vec<Seen>,
}

impl Models {
    /// The number of a model; [`NO_MODEL`] when the call named none. Beyond `max` models, all others share a number, and
    /// the answer says so.
    pub(crate) fn number_of(&mut self, model_id: Option<&str>, max: u32) -> (u16, bool) {
        let Some(name) = model_id.map(normalise_model) else { return (NO_MODEL, false) };
        if self.numbers.len() != self.names.len() {
            self.numbers = self.names.iter().cloned().zip(0_u16..).collect();
        }
        if let Some(number) = self.numbers.get(&*name) {
            return (*number, false);
        }
        let max = u16::try_from(max).unwrap_or(NO_MODEL);
        let next = u16::try_from(self.names.len()).unwrap_or(u16::MAX).min(max);
        if next == max {
            return (max.saturating_sub(1), true);
        }
        self.names.push((*name).into());
        self.numbers.insert((*name).into(), next);
        self.seen.push(Seen::default());
        (next, false)
    }

    /// The name of a model.
    pub(crate) fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("unknown", |name| name)
    }

    /// The names of models, sorted.
    pub(crate) fn names(&self, numbers: &[u16]) -> Vec<String> {
        let mut names: Vec<String> = numbers.iter().map(|number| self.name(*number).to_owned()).collect();
        names.sort_unstable();
        names
    }
}

/// The regions seen, by number.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Regions {
    names: Vec<Box<str>>,
}

impl Regions {
    /// The number of a region. There are fewer than 255 regions; should there be more, the rest share one number.
    pub(crate) fn number_of(&mut self, name: &str) -> u8 {
        if let Some(place) = self.names.iter().position(|known| **known == *name) {
            return u8::try_from(place).unwrap_or(u8::MAX);
        }
        if self.names.len() < usize::from(u8::MAX) {
            self.names.push(name.into());
        }
        u8::try_from(self.names.len().saturating_sub(1)).unwrap_or(u8::MAX)
    }

    /// The number of a region that was seen.
    pub(crate) fn find(&self, name: &str) -> Option<u8> {
        self.names.iter().position(|known| **known == *name).and_then(|place| u8::try_from(place).ok())
    }

    /// The name of a region.
    pub(crate) fn name(&self, number: u8) -> &str {
        self.names.get(usize::from(number)).map_or("unknown", |name| name)
    }

    /// The names of regions, sorted.
    pub(crate) fn names(&self, numbers: &[u8]) -> Vec<String> {
        let mut names: Vec<String> = numbers.iter().map(|number| self.name(*number).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The one region among `numbers`; `None` when there are several.
    pub(crate) fn only(&self, numbers: &[u8]) -> Option<String> {
        match numbers {
            [one] => Some(self.name(*one).to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
mod tests {
    use super::*;

    const NOON: u32 = 20_000 * DAY_S + DAY_S / 2;

    #[test]
    fn it_is_learning_for_seven_days_from_its_earliest_event_whatever_came_first() {
        let check = |times: &[u32], at: u32, expected: bool| {
            let mut account = Account::default();
            let changed: Vec<bool> = times.iter().map(|time| account.note_time(Second(*time))).collect();
            assert_eq!(account.is_learning(Second(at), &Settings::standard()), expected, "{times:?} {at}");
            changed
        };
        check(&[], NOON, true);
        let week = 7 * DAY_S;
        assert_eq!(check(&[NOON], NOON + week, false), [true]);
        check(&[NOON], NOON + week - 1, true);
        // The second comes late, the third changes nothing.
        assert_eq!(check(&[NOON + 60, NOON, NOON + 30], NOON + week, false), [true, true, false]);
        assert_eq!(check(&[NOON, NOON + 30, NOON + 60], NOON + week, false), [true, true, true]);
    }
}
