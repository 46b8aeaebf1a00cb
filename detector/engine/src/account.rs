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
    time::Second,
    usage::UsageTable,
    world::RegionCalls,
};

/// One account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The greatest event time seen.
    pub(crate) watermark: Second,
    /// The earliest inference or enabling call known.
    pub(crate) first_activity: Option<Second>,
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
    /// Notes an event time. Returns whether it is the greatest so far.
    pub(crate) fn advance(&mut self, time: Second) -> bool {
        let advances = time > self.watermark;
        self.watermark = self.watermark.max(time);
        advances
    }

    /// Whether an event is too old to take part in counts.
    pub(crate) fn is_late(&self, time: Second, settings: &Settings) -> bool {
        time.plus(settings.lateness_s) < self.watermark
    }

    /// Notes activity with models.
    pub(crate) fn note_activity(&mut self, time: Second) {
        self.first_activity = Some(self.first_activity.map_or(time, |first| first.min(time)));
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
