//! The ledgers of one account, and whose they are.
//!
//! A log record names a session, so a role is known without its path; CloudTrail names it with. Whoever comes second
//! joins the first: [`UsageTable::owner`] finds the role that CloudTrail named, and the engine moves a ledger whose role
//! becomes known later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ledger::Ledger, names::short_name};
use crate::{hashing::hash_of, principals::Principals, seen_events::SeenEvents, settings::Settings, time::Second};

/// The model invocation logs of one account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct UsageTable {
    /// The greatest time of a log record.
    pub(crate) watermark: Second,
    /// Request ids.
    pub(crate) seen: SeenEvents,
    /// The minute in which it was last tidied.
    pub(crate) tidied: u32,
    /// The principal's number by its name without a path.
    numbers: BTreeMap<Box<str>, u32>,
    /// By the number of the principal.
    ledgers: BTreeMap<u32, Ledger>,
    /// Numbers of CloudTrail's principals whose name has a path, by a hash of their name without it.
    with_path: BTreeMap<u64, u32>,
    /// Whether `with_path` was filled from the principals known before the first log record.
    is_joined: bool,
}

impl UsageTable {
    /// How many ledgers there are.
    pub(crate) fn len(&self) -> usize {
        self.ledgers.len()
    }

    /// The ledger of a principal.
    pub(crate) fn get(&self, number: u32) -> Option<&Ledger> {
        self.ledgers.get(&number)
    }

    /// The ledger of a principal.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Ledger> {
        self.ledgers.get_mut(&number)
    }

    /// Whether a record is too old to take part in counts.
    pub(crate) fn is_late(&self, time: Second, settings: &Settings) -> bool {
        time.plus(settings.lateness_s) < self.watermark
    }

    /// The number of the principal that a log record's `name` means; its ledger is made if need be.
    pub(crate) fn owner(&mut self, name: &str, principals: &mut Principals) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        self.join(principals);
        let named = self.with_path.get(&hash_of(name)).copied();
        let number = named
            .filter(|number| short_name(&principals.name(*number)) == name)
            .unwrap_or_else(|| principals.find_or_insert(name));
        self.numbers.insert(name.into(), number);
        self.ledgers.entry(number).or_insert_with(|| Ledger::new(name));
        number
    }

    /// Notes a principal that CloudTrail named. Returns the number under which its ledger was kept so far, if that was
    /// another one; the ledger is its own from here on.
    pub(crate) fn note_principal(&mut self, name: &str, number: u32) -> Option<u32> {
        let short = short_name(name);
        if !self.is_joined || *short == *name {
            return None;
        }
        self.with_path.insert(hash_of(&*short), number);
        let known = self.numbers.get_mut(&*short).filter(|known| **known != number)?;
        let before = std::mem::replace(known, number);
        let ledger = self.ledgers.remove(&before)?;
        self.ledgers.insert(number, ledger);
        Some(before)
    }

    /// Learns the principals that were known before the first log record.
    fn join(&mut self, principals: &Principals) {
        if self.is_joined {
            return;
        }
        self.is_joined = true;
        for (number, name) in principals.names() {
            let short = short_name(&name);
            if *short != *name {
                self.with_path.insert(hash_of(&*short), number);
            }
        }
    }

    /// Forgets principals that are known no longer.
    pub(crate) fn follow_eviction(&mut self, principals: &Principals) {
        self.ledgers.retain(|number, _| principals.is_known(*number));
        let ledgers = &self.ledgers;
        self.numbers.retain(|_, number| ledgers.contains_key(number));
        self.with_path.clear();
        if std::mem::take(&mut self.is_joined) {
            self.join(principals);
        }
    }

    /// Forgets about one ledger in sixteen, those that were idle longest. Returns how many.
    pub(crate) fn evict(&mut self) -> usize {
        let mut idle: Vec<(u32, u32)> = self.ledgers.iter().map(|(number, ledger)| (ledger.newest, *number)).collect();
        idle.sort_unstable();
        idle.truncate((self.ledgers.len() / 16).max(1));
        for (_, number) in &idle {
            self.remove(*number);
        }
        idle.len()
    }

    fn remove(&mut self, number: u32) {
        if let Some(gone) = self.ledgers.remove(&number) {
            self.numbers.remove(&gone.name);
        }
    }

    /// Forgets request ids that can no longer come again, and the oldest beyond `max`. Returns how many the limit cost.
    pub(crate) fn forget_ids(&mut self, settings: &Settings, max: usize) -> usize {
        self.seen.forget(self.watermark.minus(settings.lateness_s), max)
    }

    /// Forgets what can no longer matter. Returns how many ledgers went because nothing is left of them.
    pub(crate) fn tidy(&mut self, settings: &Settings) -> usize {
        let watermark = self.watermark.0;
        let mut empty = Vec::new();
        for (number, ledger) in &mut self.ledgers {
            ledger.forget(watermark, settings);
            if ledger.is_empty() {
                empty.push(*number);
            }
        }
        empty.iter().for_each(|number| self.remove(*number));
        empty.len()
    }
}
