//! Everything remembered about one account except resources: how far its events have come, which were seen, its
//! principals, its models, and who called where.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    bedrock::{Outcome, normalise_model},
    firsts::{FirstLog, Key, MODEL},
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

    /// The number of a model that a record names. What was known of a model that lost it is forgotten.
    pub(crate) fn number_model(&mut self, naming: Naming<'_>, max: u32, history_s: u32) -> Numbered {
        let numbered = self.models.number_of(naming, max, history_s);
        if let Numbered::Taken(number) = numbered {
            self.firsts.sightings.forget(Key { kind: MODEL, value: u32::from(number) });
        }
        numbered
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
    /// By number, as `seen`.
    named: Vec<Named>,
}

/// When a model was named, and how.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Named {
    /// The latest second.
    last: u32,
    /// Whether a call of it was not refused: whoever calls chooses the name, but only a model answers.
    answered: bool,
}

/// How a record names a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'a> {
    pub(crate) model_id: Option<&'a str>,
    pub(crate) second: u32,
    pub(crate) outcome: Outcome,
}

/// The number of a model, and what it took to give it one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// Nothing.
    Own(u16),
    /// There were too many: it was taken from another model, which is forgotten.
    Taken(u16),
    /// There were too many, and none can be forgotten: others have it too.
    Shared(u16),
}

impl Numbered {
    /// The number.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Own(number) | Self::Taken(number) | Self::Shared(number) => number,
        }
    }

    /// Whether the limit was reached.
    pub(crate) const fn is_at_limit(self) -> bool {
        !matches!(self, Self::Own(_))
    }
}

impl Models {
    /// The number of a model; [`NO_MODEL`] when the call named none. Beyond `max` models, a new one gets the number of
    /// one that was only named by refused calls, the longest ago, or of one that was not named for `history_s` seconds.
    pub(crate) fn number_of(&mut self, naming: Naming<'_>, max: u32, history_s: u32) -> Numbered {
        let Some(name) = naming.model_id.map(normalise_model) else { return Numbered::Own(NO_MODEL) };
        if self.numbers.len() != self.names.len() {
            self.numbers = self.names.iter().cloned().zip(0_u16..).collect();
        }
        let answered = naming.outcome != Outcome::Refused;
        if let Some(number) = self.numbers.get(&*name) {
            if let Some(named) = self.named.get_mut(usize::from(*number)) {
                named.last = named.last.max(naming.second);
                named.answered |= answered;
            }
            return Numbered::Own(*number);
        }
        let max = u16::try_from(max).unwrap_or(NO_MODEL);
        let next = u16::try_from(self.names.len()).unwrap_or(u16::MAX).min(max);
        let named = Named { last: naming.second, answered };
        if next < max {
            self.names.push((*name).into());
            self.numbers.insert((*name).into(), next);
            self.seen.push(Seen::default());
            self.named.push(named);
            return Numbered::Own(next);
        }
        let Some(number) = self.spare(naming.second.saturating_sub(history_s)) else {
            return Numbered::Shared(max.saturating_sub(1));
        };
        let place = usize::from(number);
        if let (Some(known), Some(seen), Some(known_as)) =
            (self.names.get_mut(place), self.seen.get_mut(place), self.named.get_mut(place))
        {
            self.numbers.remove(known);
            *known = (*name).into();
            (*seen, *known_as) = (Seen::default(), named);
            self.numbers.insert((*name).into(), number);
        }
        Numbered::Taken(number)
    }

    /// The number of the model that can best be forgotten: of those that never answered, or else were not named since
    /// `since`, the one named the longest ago.
    fn spare(&self, since: u32) -> Option<u16> {
        let can_go = self.named.iter().zip(0_u16..).filter(|(named, _)| !named.answered || named.last < since);
        can_go.min_by_key(|(named, number)| (named.answered, named.last, *number)).map(|(_, number)| number)
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
