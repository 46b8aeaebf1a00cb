//! Whether the service is protecting, and if not, why: what `/readyz` answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::telemetry::Telemetry;

/// Shared by everything that can fail; empty means ready.
#[derive(Debug, Clone, Default)]
pub struct Status {
    reasons: Arc<Mutex<BTreeMap<String, String>>>,
    /// How far behind parts are that can tell, by name: for people, `/readyz` does not follow from it.
    lags: Arc<Mutex<BTreeMap<String, Duration>>>,
    /// What is added to names, where one part of the service is there several times.
    place: Option<Arc<str>>,
    /// Whoever says whether it works also has something to measure.
    telemetry: Telemetry,
}

impl Status {
    /// Everything works, and what is measured goes there.
    #[must_use]
    pub fn measured(telemetry: Telemetry) -> Self {
        Self { telemetry, ..Self::default() }
    }

    /// Where what is measured goes.
    #[must_use]
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// `what` does not work, because of `reason`.
    pub fn set(&self, what: &str, reason: &str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name(what), reason.to_owned());
    }

    /// `what` works.
    pub fn clear(&self, what: &str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name(what));
    }

    /// `what` is so far behind what it reads.
    pub fn set_lag(&self, what: &str, lag: Duration) {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name(what), lag);
    }

    /// `what` is not read any more.
    pub fn clear_lag(&self, what: &str) {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name(what));
    }

    /// How far behind each part is that can tell.
    #[must_use]
    pub fn lags(&self) -> BTreeMap<String, Duration> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same status for a part that is there several times: its names have `place` added.
    #[must_use]
    pub fn within(&self, place: &str) -> Self {
        Self { place: Some(Arc::from(place)), ..self.clone() }
    }

    /// Everything of a place works, or is no longer there.
    pub fn clear_place(&self) {
        let Some(place) = &self.place else { return };
        let ending = format!(" ({place})");
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !name.ends_with(&ending));
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !name.ends_with(&ending));
    }

    fn name(&self, what: &str) -> String {
        match &self.place {
            Some(place) => format!("{what} ({place})"),
            None => what.to_owned(),
        }
    }

    /// Everything that does not work, by name.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<String, String> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_do_not_touch_each_other() {
        let status = Status::default();
        let (one, other) = (status.within("shard-1"), status.within("shard-11"));
        for status in [&status, &one, &other] {
            status.set("store", "full");
        }
        one.set("catching up", "still");
        assert_eq!(
            status.reasons().into_keys().collect::<Vec<_>>(),
            ["catching up (shard-1)", "store", "store (shard-1)", "store (shard-11)"]
        );
        other.clear("store");
        one.clear_place();
        assert_eq!(status.reasons().into_keys().collect::<Vec<_>>(), ["store"]);
    }
}
