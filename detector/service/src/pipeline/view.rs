//! The alerts as others see them: read by HTTP requests without asking the loop.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bedrock_watch_engine::{
    Engine,
    alert::{Alert, AlertChange, ChangeKind},
};

/// The present alerts by id; withdrawn ones are not among them.
#[derive(Debug, Clone)]
pub struct AlertView {
    alerts: Arc<RwLock<BTreeMap<String, Arc<Alert>>>>,
    alerts_max: usize,
}

impl AlertView {
    /// The alerts the engine has now; the engine itself keeps at most `alerts_max`.
    #[must_use]
    pub fn of(engine: &Engine, alerts_max: u32) -> Self {
        let view = Self { alerts: Arc::default(), alerts_max: usize::try_from(alerts_max).unwrap_or(usize::MAX) };
        view.rebuild(engine);
        view
    }

    /// Every alert, by first event time and id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<Arc<Alert>> = self.read().values().cloned().collect();
        alerts.sort_by(|a, b| (a.first_event_time, &a.id).cmp(&(b.first_event_time, &b.id)));
        alerts
    }

    /// The alert of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Alert>> {
        self.read().get(id).cloned()
    }

    pub(super) fn apply(&self, change: &AlertChange) {
        let mut alerts = self.write();
        if change.kind == ChangeKind::Withdrawn {
            alerts.remove(&change.alert.id);
        } else {
            alerts.insert(change.alert.id.clone(), Arc::new(change.alert.clone()));
        }
    }

    /// The engine forgets alerts at its limit without saying which, so the view is made anew when it outgrows it.
    pub(super) fn prune(&self, engine: &Engine) {
        if self.read().len() > self.alerts_max.saturating_add(self.alerts_max / 8) {
            self.rebuild(engine);
        }
    }

    fn rebuild(&self, engine: &Engine) {
        *self.write() = engine.alerts().into_iter().map(|alert| (alert.id.clone(), Arc::new(alert))).collect();
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Alert>>> {
        self.alerts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Alert>>> {
        self.alerts.write().unwrap_or_else(PoisonError::into_inner)
    }
}
