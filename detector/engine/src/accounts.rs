//! The accounts by name: found by hash, because every record asks several times, and walked in order of their names.

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{account::Account, hashing::FixedHasher};

/// Every account with what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    all: Vec<(Box<str>, Account)>,
    /// Where each stands in `all`.
    places: HashMap<Box<str>, usize, FixedHasher>,
    /// Where the one stands that was asked for last: nearly always the next question is about the same.
    last: usize,
}

impl Accounts {
    fn place(&self, name: &str) -> Option<usize> {
        match self.all.get(self.last) {
            Some((last, _)) if **last == *name => Some(self.last),
            _ => self.places.get(name).copied(),
        }
    }

    /// The account of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Account> {
        self.all.get(self.place(name)?).map(|(_, account)| account)
    }

    /// The account of that name.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.last = self.place(name)?;
        self.all.get_mut(self.last).map(|(_, account)| account)
    }

    /// Adds an account, or replaces the one of that name.
    pub(crate) fn insert(&mut self, name: &str, account: Account) {
        if let Some(known) = self.get_mut(name) {
            *known = account;
            return;
        }
        self.places.insert(name.into(), self.all.len());
        self.all.push((name.into(), account));
    }

    /// Forgets an account and returns what was known of it.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Account> {
        let place = self.places.remove(name)?;
        if self.all.len() <= place {
            return None;
        }
        let (_, removed) = self.all.swap_remove(place);
        if let Some((moved, _)) = self.all.get(place) {
            self.places.insert(moved.clone(), place);
        }
        Some(removed)
    }

    /// The names of all accounts, in order.
    pub(crate) fn names(&self) -> Vec<Box<str>> {
        self.iter().map(|(name, _)| name.into()).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Every account, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        let mut all: Vec<(&str, &Account)> = self.all.iter().map(|(name, account)| (&**name, account)).collect();
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
        let mut accounts = Self::default();
        for (name, account) in Vec::<(Box<str>, Account)>::deserialize(deserializer)? {
            accounts.insert(&name, account);
        }
        Ok(accounts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Second;

    #[test]
    fn accounts_are_found_by_name_whatever_was_removed() {
        let mut accounts = Accounts::default();
        let named = |second| Account { watermark: Second(second), ..Account::default() };
        for (name, second) in [("b", 1), ("a", 2), ("c", 3), ("b", 4)] {
            accounts.insert(name, named(second));
        }
        assert_eq!(accounts.remove("x").map(|account| account.watermark), None);
        assert_eq!(accounts.get_mut("c").map(|account| account.watermark), Some(Second(3)));
        assert_eq!(accounts.remove("b").map(|account| account.watermark), Some(Second(4)));
        let found = |accounts: &Accounts, name: &str| accounts.get(name).map(|account| account.watermark.0);
        assert_eq!(["a", "b", "c"].map(|name| found(&accounts, name)), [Some(2), None, Some(3)]);
        assert_eq!(accounts.remove("c").map(|account| account.watermark), Some(Second(3)));
        accounts.insert("c", named(5));
        assert_eq!(["a", "b", "c"].map(|name| found(&accounts, name)), [Some(2), None, Some(5)]);
        assert_eq!((accounts.len(), accounts.names()), (2, vec!["a".into(), "c".into()]));
    }
}
