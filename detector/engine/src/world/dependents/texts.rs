//! Texts that many dependents share, kept once: role and bucket of an account, subnets, models, the beginnings of ARNs.
//!
//! Each is counted and gone with the last that uses it. Deliberately no choice here of what is worth sharing: that is
//! `packed`'s.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hashing::hash_of;

/// Shared texts by number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    shared: Vec<Shared>,
    free: Vec<u32>,
    by_text: HashTable<u32>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Shared {
    text: Box<str>,
    /// How often it is used; 0 where the number is free.
    uses: u32,
}

impl Texts {
    /// The text of that number.
    pub(super) fn get(&self, number: u32) -> Option<&str> {
        self.shared.get(index(number)).filter(|shared| shared.uses > 0).map(|shared| &*shared.text)
    }

    /// The number of a text that is used once more.
    pub(super) fn acquire(&mut self, text: &str) -> u32 {
        let number = self.find(text).unwrap_or_else(|| self.add(text));
        if let Some(shared) = self.shared.get_mut(index(number)) {
            shared.uses = shared.uses.saturating_add(1);
        }
        number
    }

    /// The text of that number is used once less.
    pub(super) fn release(&mut self, number: u32) {
        let Some(shared) = self.shared.get_mut(index(number)) else { return };
        shared.uses = shared.uses.saturating_sub(1);
        if shared.uses > 0 {
            return;
        }
        let text = std::mem::take(&mut shared.text);
        if let Ok(entry) = self.by_text.find_entry(hash_of(&*text), |&other| other == number) {
            entry.remove();
            self.free.push(number);
        }
    }

    fn find(&self, text: &str) -> Option<u32> {
        let is_it = |&number: &u32| self.shared.get(index(number)).is_some_and(|shared| *shared.text == *text);
        self.by_text.find(hash_of(text), is_it).copied()
    }

    fn add(&mut self, text: &str) -> u32 {
        let shared = Shared { text: text.into(), uses: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.shared.get_mut(index(number)) {
                    *place = shared;
                }
                number
            }
            None => {
                self.shared.push(shared);
                u32::try_from(self.shared.len().saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        self.register(number);
        number
    }

    fn register(&mut self, number: u32) {
        let Self { shared, by_text, .. } = self;
        let hash = |&number: &u32| shared.get(index(number)).map_or(0, |shared| hash_of(&*shared.text));
        by_text.insert_unique(hash(&number), number, hash);
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.shared, &self.free).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (shared, free): (Vec<Shared>, Vec<u32>) = Deserialize::deserialize(deserializer)?;
        let mut texts = Self { shared, free, by_text: HashTable::new() };
        for place in 0..texts.shared.len() {
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            if texts.get(number).is_some() {
                texts.register(number);
            }
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_for_as_long_as_it_is_used() {
        let mut texts = Texts::default();
        let role = texts.acquire("role");
        assert_eq!(texts.acquire("role"), role);
        let bucket = texts.acquire("bucket");
        assert_ne!(bucket, role);
        texts.release(role);
        assert_eq!(texts.get(role), Some("role"));
        texts.release(role);
        assert_eq!(texts.get(role), None);
        assert_eq!(texts.acquire("another"), role, "a free number is used again");
        texts.release(99);
        let snapshot = postcard::to_allocvec(&texts).expect("serialises");
        let mut restored: Texts = postcard::from_bytes(&snapshot).expect("deserialises");
        assert_eq!(restored.acquire("bucket"), bucket);
        assert_eq!(restored.get(role), Some("another"));
    }
}
