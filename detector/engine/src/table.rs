//! A map that is found in by hash, because every record asks, and walked in the order of its keys, because hash order
//! must never show.

use std::{borrow::Borrow, hash::Hash};

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hashing::FixedHasher;

/// Values by key. Each value lies apart, so that the room a hash table keeps free is small.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    values: HashMap<K, Box<V>, FixedHasher>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { values: HashMap::default() }
    }
}

impl<K: Ord + Hash, V> Table<K, V> {
    /// The value of a key.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key).map(|value| &**value)
    }

    /// Whether there is a value of that key.
    pub(crate) fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.values.contains_key(key)
    }

    /// The value of a key, made if need be.
    pub(crate) fn get_or_default(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        self.values.entry_ref(key).or_default()
    }

    /// Forgets the value of a key.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.values.remove(key);
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Those that are wanted, by key. It looks at all, so it is for what is done seldom.
    pub(crate) fn those(&self, is_wanted: impl Fn(&K, &V) -> bool) -> impl Iterator<Item = (&K, &V)> {
        let all = self.values.iter().map(|(key, value)| (key, &**value));
        let mut wanted: Vec<(&K, &V)> = all.filter(|(key, value)| is_wanted(key, value)).collect();
        wanted.sort_unstable_by_key(|(key, _)| *key);
        wanted.into_iter()
    }
}

impl<K: Ord + Hash + Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.those(|_, _| true))
    }
}

impl<'de, K: Ord + Hash + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all: Vec<(K, Box<V>)> = Vec::deserialize(deserializer)?;
        Ok(Self { values: all.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_walked_and_written_in_order() {
        let mut table: Table<u32, String> = Table::default();
        for key in [3, 1, 2, 4] {
            table.get_or_default(&key).push_str(&key.to_string());
        }
        table.remove(&4);
        assert_eq!((table.len(), table.contains_key(&4), table.get(&3).map(String::as_str)), (3, false, Some("3")));
        let snapshot = postcard::to_allocvec(&table).expect("serialises");
        let restored: Table<u32, String> = postcard::from_bytes(&snapshot).expect("deserialises");
        let all: Vec<(u32, &str)> = restored.those(|_, _| true).map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(all, [(1, "1"), (2, "2"), (3, "3")]);
        assert_eq!(restored.those(|key, value| *key > 1 && value != "9").count(), 2);
    }
}
