//! All principals of one account: found by name, kept small while idle, forgotten fairly when there are too many.
//!
//! An idle principal is kept as bytes; nothing about it is lost by that. Deliberately no order by use: which principal
//! is forgotten depends on what it is worth, see [`Principal::worth`], so that inventing names pushes out inventions.

use std::borrow::Cow;

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hashing::hash_of;

use super::principal::Principal;

/// How many principals of an account are kept ready; the others are kept as bytes. A ready one takes some kilobytes.
const READY_MAX: usize = 512;

/// The principals of one account.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    by_name: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    ready: Vec<u32>,
    hand: usize,
}

#[derive(Debug, Default)]
struct Slot {
    name: Box<str>,
    body: Body,
    /// What it was worth and when it was last active, while it is kept as bytes.
    worth: u32,
    newest: u32,
    used: bool,
}

#[derive(Debug, Default)]
enum Body {
    #[default]
    Free,
    Idle(Box<[u8]>),
    Ready(Box<Principal>),
}

impl Principals {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The number of a principal.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let is_it = |&number: &u32| self.slot(number).is_some_and(|slot| *slot.name == *name);
        self.by_name.find(hash_of(name), is_it).copied()
    }

    /// The number of a principal, which is made if need be.
    pub(crate) fn find_or_insert(&mut self, name: &str) -> u32 {
        if let Some(number) = self.find(name) {
            return number;
        }
        let slot = Slot { name: name.into(), body: Body::Ready(Box::default()), used: true, ..Slot::default() };
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.slots.get_mut(index(number)) {
                    *place = slot;
                }
                number
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        let slots = &self.slots;
        self.by_name.insert_unique(hash_of(name), number, |&other| {
            slots.get(index(other)).map_or(0, |slot| hash_of(&*slot.name))
        });
        self.make_room();
        self.ready.push(number);
        number
    }

    /// The name of a principal.
    pub(crate) fn name(&self, number: u32) -> &str {
        self.slot(number).map_or("", |slot| &slot.name)
    }

    /// A principal, made ready.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<(&str, &mut Principal)> {
        if matches!(self.slot(number)?.body, Body::Idle(_)) {
            self.make_room();
            self.ready.push(number);
        }
        let slot = self.slots.get_mut(index(number))?;
        slot.used = true;
        if let Body::Idle(bytes) = &slot.body {
            slot.body = Body::Ready(Box::new(decode(bytes)));
        }
        match &mut slot.body {
            Body::Ready(principal) => Some((&slot.name, principal)),
            _ => None,
        }
    }

    /// A principal, for reading without making it ready.
    pub(crate) fn peek(&self, number: u32) -> Option<(&str, Cow<'_, Principal>)> {
        let slot = self.slot(number)?;
        match &slot.body {
            Body::Free => None,
            Body::Idle(bytes) => Some((&slot.name, Cow::Owned(decode(bytes)))),
            Body::Ready(principal) => Some((&slot.name, Cow::Borrowed(&**principal))),
        }
    }

    /// Forgets about one in sixteen: first what has long been idle, then what is worth least, the newest first.
    /// Returns how many were forgotten.
    pub(crate) fn evict(&mut self, idle_before: u32) -> usize {
        const PROTECTED: u32 = 1 << 30;
        let mut candidates: Vec<(bool, u32, u32, u32)> = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let (worth, newest) = match &slot.body {
                Body::Free => continue,
                Body::Idle(_) => (slot.worth, slot.newest),
                Body::Ready(principal) => (principal.worth(), principal.newest),
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
        self.ready.retain(|&number| matches!(slots.get(index(number)).map(|slot| &slot.body), Some(Body::Ready(_))));
        self.hand = 0;
        wanted
    }

    fn forget(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(index(number)) else { return };
        let gone = std::mem::take(slot);
        if let Ok(entry) = self.by_name.find_entry(hash_of(&*gone.name), |&other| other == number) {
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
            if std::mem::take(&mut slot.used) {
                self.hand = self.hand.saturating_add(1);
                continue;
            }
            slot.rest();
            self.ready.swap_remove(self.hand);
        }
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.slots.get(index(number))
    }
}

impl Slot {
    fn rest(&mut self) {
        if let Body::Ready(principal) = &self.body {
            self.worth = principal.worth();
            self.newest = principal.newest;
            if let Some(bytes) = encode(principal) {
                self.body = Body::Idle(bytes);
            }
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn encode(principal: &Principal) -> Option<Box<[u8]>> {
    postcard::to_allocvec(principal).ok().map(Vec::into_boxed_slice)
}

/// Bytes made by [`encode`] always decode; should they ever not, the principal starts afresh instead of failing.
fn decode(bytes: &[u8]) -> Principal {
    postcard::from_bytes(bytes).unwrap_or_default()
}

/// In a snapshot, principals are their names and bytes, by number, so that a restored engine goes on exactly alike.
impl Serialize for Principals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<(&str, Option<Box<[u8]>>)> = self
            .slots
            .iter()
            .map(|slot| {
                let bytes = match &slot.body {
                    Body::Free => None,
                    Body::Idle(bytes) => Some(bytes.clone()),
                    Body::Ready(principal) => encode(principal),
                };
                (&*slot.name, bytes)
            })
            .collect();
        (entries, &self.free).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Entries = Vec<(Box<str>, Option<Box<[u8]>>)>;
        let (entries, free): (Entries, Vec<u32>) = Deserialize::deserialize(deserializer)?;
        let mut principals = Self { free, ..Self::default() };
        for (place, (name, bytes)) in entries.into_iter().enumerate() {
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            if let Some(bytes) = &bytes {
                let known = decode(bytes);
                let slots = &principals.slots;
                let rehash = |&other: &u32| slots.get(index(other)).map_or(0, |slot: &Slot| hash_of(&*slot.name));
                principals.by_name.insert_unique(hash_of(&*name), number, rehash);
                let slot = Slot { name, worth: known.worth(), newest: known.newest, ..Slot::default() };
                principals.slots.push(slot);
            } else {
                principals.slots.push(Slot::default());
            }
            if let (Some(slot), Some(bytes)) = (principals.slots.last_mut(), bytes) {
                slot.body = Body::Idle(bytes);
            }
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
        principal.insert_call(second, CALL, 1_000);
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
