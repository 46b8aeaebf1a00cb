//! All principals of one account: found by name, kept small while idle, forgotten fairly when there are too many.
//!
//! An idle principal is kept as bytes; nothing about it is lost by that. Deliberately no order by use: which principal
//! is forgotten depends on what it is worth, see [`Principal::worth`], so that inventing names pushes out inventions.

use std::borrow::Cow;

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{bytes::Writer, hashing::hash_of};

use super::{names::Beginnings, packed::Packed, principal::Principal};

/// How many principals of an account are kept ready; the others are kept as bytes. A ready one takes about a kilobyte.
/// Results never depend on it: builds for tests keep few, so that every simulation goes through the idle form.
const READY_MAX: usize = if cfg!(debug_assertions) { 4 } else { 512 };

/// The principals of one account.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    by_name: HashTable<u32>,
    slots: Vec<Slot>,
    beginnings: Beginnings,
    free: Vec<u32>,
    ready: Vec<u32>,
    hand: usize,
    writer: Writer,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    Idle(Packed),
    Ready(Box<Ready>),
}

/// A principal that was asked for lately.
#[derive(Debug)]
struct Ready {
    name: Box<str>,
    used: bool,
    principal: Principal,
}

impl Principals {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The number of a principal.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let short = self.beginnings.shorten(name);
        let is_it = |&number: &u32| match self.slot(number) {
            Some(Slot::Idle(packed)) => packed.name() == short,
            Some(Slot::Ready(ready)) => *ready.name == *name,
            _ => false,
        };
        self.by_name.find(hash_of(short.rest), is_it).copied()
    }

    /// The number of a principal, which is made if need be.
    pub(crate) fn find_or_insert(&mut self, name: &str) -> u32 {
        if let Some(number) = self.find(name) {
            return number;
        }
        self.beginnings.note(name);
        let slot = Slot::Ready(Box::new(Ready { name: name.into(), used: true, principal: Principal::default() }));
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.slots.get_mut(index(number)) {
                    *place = slot;
                }
                number
            }
            None => {
                self.grow();
                self.slots.push(slot);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        self.register(number);
        self.make_room();
        self.ready.push(number);
        number
    }

    /// Makes room for an eighth more rather than for as many again: with a million principals, room is dear.
    fn grow(&mut self) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact((self.slots.len() / 8).max(4));
        }
    }

    /// Enters a principal in the table of names.
    fn register(&mut self, number: u32) {
        let Self { by_name, slots, beginnings, .. } = self;
        let hash = |&number: &u32| slots.get(index(number)).map_or(0, |slot| slot.hash(beginnings));
        by_name.insert_unique(hash(&number), number, hash);
    }

    /// The name of a principal.
    pub(crate) fn name(&self, number: u32) -> Cow<'_, str> {
        match self.slot(number) {
            Some(Slot::Idle(packed)) => Cow::Owned(self.beginnings.lengthen(packed.name())),
            Some(Slot::Ready(ready)) => Cow::Borrowed(&ready.name),
            _ => Cow::Borrowed(""),
        }
    }

    /// A principal, made ready.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<(&str, &mut Principal)> {
        if matches!(self.slot(number)?, Slot::Idle(_)) {
            self.make_room();
            self.ready.push(number);
        }
        let slot = self.slots.get_mut(index(number))?;
        if let Slot::Idle(packed) = slot {
            let name = self.beginnings.lengthen(packed.name()).into_boxed_str();
            *slot = Slot::Ready(Box::new(Ready { name, used: true, principal: packed.unpack() }));
        }
        let Slot::Ready(ready) = slot else { return None };
        ready.used = true;
        Some((&ready.name, &mut ready.principal))
    }

    /// A principal, for reading without making it ready.
    pub(crate) fn peek(&self, number: u32) -> Option<(Cow<'_, str>, Cow<'_, Principal>)> {
        let principal = match self.slot(number)? {
            Slot::Free => return None,
            Slot::Idle(packed) => Cow::Owned(packed.unpack()),
            Slot::Ready(ready) => Cow::Borrowed(&ready.principal),
        };
        Some((self.name(number), principal))
    }

    /// Those that acted at or after `second`, by number, each with what it is worth. It reads heads only.
    pub(crate) fn active_since(&self, second: u32) -> Vec<(u32, u32)> {
        let heads = self.slots.iter().zip(0..).filter_map(|(slot, number)| match slot {
            Slot::Free => None,
            Slot::Idle(packed) => Some((packed.worth_and_newest(), number)),
            Slot::Ready(ready) => Some(((ready.principal.worth(), ready.principal.newest), number)),
        });
        heads.filter(|((_, newest), _)| *newest >= second).map(|((worth, _), number)| (worth, number)).collect()
    }

    /// Forgets about one in sixteen: first what has long been idle, then what is worth least, the newest first.
    /// Returns the numbers of those that were forgotten, in order.
    pub(crate) fn evict(&mut self, idle_before: u32) -> Vec<u32> {
        const PROTECTED: u32 = 1 << 30;
        let mut candidates: Vec<(bool, u32, u32, u32)> = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let (worth, newest) = match slot {
                Slot::Free => continue,
                Slot::Idle(packed) => packed.worth_and_newest(),
                Slot::Ready(ready) => (ready.principal.worth(), ready.principal.newest),
            };
            if worth < PROTECTED {
                let number = u32::try_from(place).unwrap_or(u32::MAX);
                candidates.push((newest >= idle_before, worth, u32::MAX.saturating_sub(newest), number));
            }
        }
        let wanted = (self.len() / 16).max(1).min(candidates.len());
        candidates.sort_unstable();
        candidates.truncate(wanted);
        for &(_, _, _, number) in &candidates {
            self.forget(number);
        }
        let slots = &self.slots;
        self.ready.retain(|&number| matches!(slots.get(index(number)), Some(Slot::Ready(_))));
        self.hand = 0;
        let mut gone: Vec<u32> = candidates.iter().map(|&(_, _, _, number)| number).collect();
        gone.sort_unstable();
        gone
    }

    fn forget(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(index(number)) else { return };
        let gone = std::mem::take(slot);
        if let Ok(entry) = self.by_name.find_entry(gone.hash(&self.beginnings), |&other| other == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// Turns one idle principal into bytes when too many are ready: a clock with one hand and second chances.
    fn make_room(&mut self) {
        let mut steps = self.ready.len().saturating_mul(2);
        while self.ready.len() >= READY_MAX && steps > 0 {
            steps = steps.saturating_sub(1);
            if self.hand >= self.ready.len() {
                self.hand = 0;
            }
            let Some(&number) = self.ready.get(self.hand) else { return };
            let Some(slot) = self.slots.get_mut(index(number)) else { return };
            if let Slot::Ready(ready) = slot {
                if std::mem::take(&mut ready.used) {
                    self.hand = self.hand.saturating_add(1);
                    continue;
                }
                let short = self.beginnings.shorten(&ready.name);
                if let Some(packed) = Packed::new(short, &ready.principal, &mut self.writer) {
                    *slot = Slot::Idle(packed);
                }
            }
            self.ready.swap_remove(self.hand);
        }
    }

    /// Whether there is a principal of this number.
    pub(crate) fn is_known(&self, number: u32) -> bool {
        self.slot(number).is_some_and(|slot| !matches!(slot, Slot::Free))
    }

    /// The names of all principals, with their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = (u32, Cow<'_, str>)> {
        let numbers = (0_u32..).zip(&self.slots).filter(|(_, slot)| !matches!(slot, Slot::Free));
        numbers.map(|(number, _)| (number, self.name(number)))
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.slots.get(index(number))
    }
}

impl Slot {
    /// The hash by which the principal is found: that of the part of its name that is not shared.
    fn hash(&self, beginnings: &Beginnings) -> u64 {
        match self {
            Self::Free => 0,
            Self::Idle(packed) => hash_of(packed.name().rest),
            Self::Ready(ready) => hash_of(beginnings.shorten(&ready.name).rest),
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// In a snapshot, principals are their bytes, by number, so that a restored engine goes on exactly alike.
impl Serialize for Principals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = Entries(self);
        (&self.beginnings, entries, &self.free).serialize(serializer)
    }
}

/// The slots of an account in a snapshot: the bytes of each, empty for a free one.
struct Entries<'a>(&'a Principals);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut writer = Writer::default();
        serializer.collect_seq(self.0.slots.iter().map(|slot| match slot {
            Slot::Free => Entry(Cow::Borrowed(&[])),
            Slot::Idle(packed) => Entry(Cow::Borrowed(packed.as_bytes())),
            Slot::Ready(ready) => {
                let short = self.0.beginnings.shorten(&ready.name);
                let packed = Packed::new(short, &ready.principal, &mut writer);
                Entry(Cow::Owned(packed.map(|packed| packed.as_bytes().to_vec()).unwrap_or_default()))
            }
        }))
    }
}

struct Entry<'a>(Cow<'a, [u8]>);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrowed from the snapshot, which is read in one piece.
        let (beginnings, entries, free): (Beginnings, Vec<&[u8]>, Vec<u32>) = Deserialize::deserialize(deserializer)?;
        let mut principals = Self { beginnings, free, slots: Vec::with_capacity(entries.len()), ..Self::default() };
        for (place, bytes) in entries.into_iter().enumerate() {
            if bytes.is_empty() {
                principals.slots.push(Slot::Free);
                continue;
            }
            let packed =
                Packed::from_bytes(bytes.into()).ok_or_else(|| de::Error::custom("a principal that cannot be read"))?;
            principals.slots.push(Slot::Idle(packed));
            principals.register(u32::try_from(place).unwrap_or(u32::MAX));
        }
        Ok(principals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bedrock::Outcome,
        principals::calls::{CallKind, NO_MODEL},
    };

    const CALL: CallKind =
        CallKind { model: NO_MODEL, region: 0, outcome: Outcome::Success, long_lived: false, limit_probe: false };

    fn call(principals: &mut Principals, name: &str, second: u32) {
        let number = principals.find_or_insert(name);
        let (_, principal) = principals.get_mut(number).expect("just inserted");
        principal.insert_call(second, CALL);
    }

    #[test]
    fn idle_principals_lose_nothing() {
        let mut principals = Principals::default();
        for turn in 0..2_u32 {
            for number in 0..2_000_u32 {
                call(&mut principals, &format!("arn:aws:iam::111122223333:role/r{number}"), 1_000 + turn);
            }
        }
        assert_eq!(principals.len(), 2_000);
        assert!(principals.ready.len() <= READY_MAX);
        for number in [0, 1, 1_000, 1_999_u32] {
            let found = principals.find(&format!("arn:aws:iam::111122223333:role/r{number}")).expect("known");
            let (_, principal) = principals.peek(found).expect("known");
            assert_eq!(principal.accepted.all().len(), 2);
        }
    }

    #[test]
    fn inventions_push_out_inventions() {
        let mut principals = Principals::default();
        for second in 1_000..1_050 {
            call(&mut principals, "busy", second);
        }
        for number in 0..1_000 {
            call(&mut principals, &format!("invented-{number}"), 1_049);
        }
        for _ in 0..20 {
            principals.evict(0);
        }
        assert!(principals.find("busy").is_some());
        assert!(principals.len() < 1_001);
        let snapshot = postcard::to_allocvec(&principals).expect("serialises");
        let restored: Principals = postcard::from_bytes(&snapshot).expect("deserialises");
        assert_eq!(restored.len(), principals.len());
        assert_eq!(restored.find("busy"), principals.find("busy"));
    }
}
