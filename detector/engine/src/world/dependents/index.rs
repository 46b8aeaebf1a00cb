//! What is filed under which key: numbers under the hash of what they are found by.
//!
//! Different keys may have the same hash, so whoever looks something up has to look at what was found. Deliberately the
//! keys themselves are not kept: what is filed knows them.

use hashbrown::{HashMap, HashTable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hashing::FixedHasher;

/// Numbers by key.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Where only one number is filed under a key, as nearly everywhere.
    ones: HashTable<One>,
    /// All others, sorted.
    lists: HashMap<u32, Vec<u32>, FixedHasher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct One {
    key: u32,
    number: u32,
}

impl Index {
    /// What is filed under `key`, sorted.
    pub(super) fn at(&self, key: u32) -> &[u32] {
        match self.ones.find(spread(key), |one| one.key == key) {
            Some(one) => std::slice::from_ref(&one.number),
            None => self.lists.get(&key).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    /// Files `number` under `key`.
    pub(super) fn insert(&mut self, key: u32, number: u32) {
        if let Some(list) = self.lists.get_mut(&key) {
            if let Err(place) = list.binary_search(&number) {
                grow(list);
                list.insert(place, number);
            }
            return;
        }
        match self.ones.find_entry(spread(key), |one| one.key == key) {
            Ok(entry) if entry.get().number == number => {}
            Ok(entry) => {
                let (one, _) = entry.remove();
                self.lists.insert(key, vec![one.number.min(number), one.number.max(number)]);
            }
            Err(_) => {
                self.ones.insert_unique(spread(key), One { key, number }, |one| spread(one.key));
            }
        }
    }

    /// Takes `number` out from under `key`.
    pub(super) fn remove(&mut self, key: u32, number: u32) {
        if let Ok(entry) = self.ones.find_entry(spread(key), |one| one.key == key && one.number == number) {
            entry.remove();
            return;
        }
        let Some(list) = self.lists.get_mut(&key) else { return };
        if let Ok(place) = list.binary_search(&number) {
            list.remove(place);
        }
        if let [last] = list.as_slice() {
            let one = One { key, number: *last };
            self.lists.remove(&key);
            self.ones.insert_unique(spread(key), one, |one| spread(one.key));
        }
    }
}

/// Sorted, so that equal indices give equal bytes.
impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ones: Vec<One> = self.ones.iter().copied().collect();
        ones.sort_unstable();
        let mut lists: Vec<(&u32, &Vec<u32>)> = self.lists.iter().collect();
        lists.sort_unstable();
        (ones, lists).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (ones, lists): (Vec<One>, Vec<(u32, Vec<u32>)>) = Deserialize::deserialize(deserializer)?;
        let mut index = Self { ones: HashTable::with_capacity(ones.len()), lists: lists.into_iter().collect() };
        for one in ones {
            index.ones.insert_unique(spread(one.key), one, |one| spread(one.key));
        }
        Ok(index)
    }
}

/// Room for an eighth more rather than for as many again: the jobs of a role are many.
fn grow(list: &mut Vec<u32>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 8).max(2));
    }
}

/// A table looks at the upper bits of a hash, too.
fn spread(key: u32) -> u64 {
    u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_until_they_are_removed() {
        let mut index = Index::default();
        let check = |index: &Index, key: u32, expected: &[u32]| assert_eq!(index.at(key), expected, "{key}");
        check(&index, 7, &[]);
        for number in [3, 1, 2, 3] {
            index.insert(7, number);
        }
        index.insert(8, 1);
        index.insert(8, 1);
        check(&index, 7, &[1, 2, 3]);
        check(&index, 8, &[1]);
        index.remove(7, 9);
        index.remove(7, 1);
        index.remove(7, 3);
        check(&index, 7, &[2]);
        index.remove(7, 1);
        check(&index, 7, &[2]);
        index.remove(7, 2);
        check(&index, 7, &[]);
        assert!(index.lists.is_empty());
    }
}
