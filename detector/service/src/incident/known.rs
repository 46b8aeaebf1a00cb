//! Alerts as they were last read, so that an incident that grows is not read whole for each alert that is told.
//!
//! An alert is known by its revision: the store is always asked whether it has another one, and then read. So what is
//! remembered changes what an answer costs, never the answer. An alert that the store forgets loses its ties there, and
//! then nobody asks for it. Shared by all sinks.

use std::collections::BTreeSet;

use dashmap::DashMap;

use crate::store::{Store, StoreError, StoredAlert};

/// Alerts that are remembered: more than any incident has. When there are so many, all are forgotten.
const KNOWN_MAX: usize = 2_000;

/// Alerts that were read, by id.
#[derive(Debug, Default)]
pub(super) struct KnownAlerts {
    by_id: DashMap<String, StoredAlert>,
}

impl KnownAlerts {
    /// The alerts of these ids that there are, in any order, as `store` has them now.
    pub(super) async fn read(&self, store: &dyn Store, ids: Vec<String>) -> Result<Vec<StoredAlert>, StoreError> {
        let mut known: Vec<StoredAlert> = Vec::new();
        let mut asked: Vec<(String, u32)> = Vec::with_capacity(ids.len());
        for id in ids {
            let remembered = self.by_id.get(&id).map(|entry| entry.value().clone());
            asked.push((id, remembered.as_ref().map_or(0, |stored| stored.revision)));
            known.extend(remembered);
        }
        let changed = store.changed_alerts(&asked).await?;
        if self.by_id.len().saturating_add(changed.len()) > KNOWN_MAX {
            self.by_id.clear();
        }
        let renewed: BTreeSet<&str> = changed.iter().map(|stored| stored.alert.id.as_str()).collect();
        known.retain(|stored| !renewed.contains(stored.alert.id.as_str()));
        for stored in &changed {
            self.by_id.insert(stored.alert.id.clone(), stored.clone());
        }
        known.extend(changed);
        Ok(known)
    }
}
