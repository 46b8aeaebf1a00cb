//! Whether the service is protecting, and if not, why: what `/readyz` answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Shared by everything that can fail; empty means ready.
#[derive(Debug, Clone, Default)]
pub struct Status {
    reasons: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Status {
    /// `what` does not work, because of `reason`.
    pub fn set(&self, what: &str, reason: &str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).insert(what.to_owned(), reason.to_owned());
    }

    /// `what` works.
    pub fn clear(&self, what: &str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }

    /// Everything that does not work, by name.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<String, String> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
