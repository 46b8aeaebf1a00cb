//! The accounts by name: found by hash, because every record asks several times, and walked in order of their names.

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{account::Account, hashing::FixedHasher};

/// Every account with what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_name: HashMap<Box<str>, Account, FixedHasher>,
}

impl Accounts {
    /// The account of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// The account of that name.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.by_name.get_mut(name)
    }

    /// Adds an account, or replaces the one of that name.
    pub(crate) fn insert(&mut self, name: &str, account: Account) {
        self.by_name.insert(name.into(), account);
    }

    /// Forgets an account and returns what was known of it.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Account> {
        self.by_name.remove(name)
    }

    /// The names of all accounts, in order.
    pub(crate) fn names(&self) -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> = self.by_name.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Every account, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        let mut all: Vec<(&str, &Account)> = self.by_name.iter().map(|(name, account)| (&**name, account)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.into_iter()
    }
}

impl Serialize for Accounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all: Vec<(Box<str>, Account)> = Vec::deserialize(deserializer)?;
        Ok(Self { by_name: all.into_iter().collect() })
    }
}
