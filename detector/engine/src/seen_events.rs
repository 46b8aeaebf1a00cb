//! Which events were judged already: eventIDs of one account, for as long as a copy could still be counted.
//!
//! An event older than the allowed lateness is not looked up: it takes no part in counts, and everything else it can
//! do is the same the second time.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{hashing::FixedHasher, time::Second};

/// Event ids by minute.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct SeenEvents {
    minutes: BTreeMap<u32, Minute>,
    len: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Minute {
    /// Hash of the id, and of what the event says.
    #[serde(with = "as_list")]
    events: HashMap<u64, u32, FixedHasher>,
}

/// Whether an event is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    New,
    Copy { differs: bool },
}

impl SeenEvents {
    /// Notes an event by the hashes of its id and of what it says.
    pub(crate) fn insert(&mut self, at: Second, id: u64, content: u32) -> Novelty {
        // Mostly the newest minute, which needs no search.
        let newest = self.minutes.last_entry().filter(|newest| *newest.key() == at.minute());
        let minute = match newest {
            Some(newest) => newest.into_mut(),
            None => self.minutes.entry(at.minute()).or_default(),
        };
        let events = &mut minute.events;
        match events.entry(id) {
            hashbrown::hash_map::Entry::Occupied(known) => Novelty::Copy { differs: *known.get() != content },
            hashbrown::hash_map::Entry::Vacant(free) => {
                free.insert(content);
                self.len = self.len.saturating_add(1);
                Novelty::New
            }
        }
    }

    /// Forgets what is older than `horizon`, and the oldest beyond `max`. Returns how many the limit cost.
    pub(crate) fn forget(&mut self, horizon: Second, max: usize) -> usize {
        let mut lost: usize = 0;
        while let Some(oldest) = self.minutes.first_entry() {
            let expired = *oldest.key() < horizon.minute();
            if !expired && self.len <= max {
                break;
            }
            let gone = oldest.remove().events.len();
            self.len = self.len.saturating_sub(gone);
            if !expired {
                lost = lost.saturating_add(gone);
            }
        }
        lost
    }
}

/// A table in a snapshot: a sorted list, so that equal tables give equal bytes.
mod as_list {
    use super::{FixedHasher, HashMap};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        table: &HashMap<u64, u32, FixedHasher>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut list: Vec<(u64, u32)> = table.iter().map(|(id, content)| (*id, *content)).collect();
        list.sort_unstable();
        list.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<u64, u32, FixedHasher>, D::Error> {
        let list: Vec<(u64, u32)> = Deserialize::deserialize(deserializer)?;
        Ok(list.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_copies_until_they_no_longer_count() {
        let mut seen = SeenEvents::default();
        assert_eq!(seen.insert(Second(600), 1, 7), Novelty::New);
        assert_eq!(seen.insert(Second(600), 1, 7), Novelty::Copy { differs: false });
        assert_eq!(seen.insert(Second(600), 1, 8), Novelty::Copy { differs: true });
        assert_eq!(seen.insert(Second(700), 2, 7), Novelty::New);
        assert_eq!(seen.forget(Second(660), 10), 0);
        assert_eq!(seen.insert(Second(700), 2, 7), Novelty::Copy { differs: false });
        assert_eq!(seen.forget(Second(0), 0), 1);
        assert_eq!(seen.len, 0);
    }
}
