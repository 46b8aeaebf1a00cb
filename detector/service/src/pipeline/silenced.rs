//! Alerts that a silence keeps from being told: when it ends and they still fire, they are told after all.
//!
//! Deliberately no timer for each: silences are few, and whether one ended is looked at every few seconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bedrock_watch_engine::alert::{AlertChange, ChangeKind, Status};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Permit, Pipeline,
    writer::{Judged, Order},
};
use crate::store::{AlertFilter, Silence, Store, StoreError};

/// How often it is looked whether a silence has ended.
const EVERY: Duration = Duration::from_secs(5);

/// The alerts that were last routed under a silence, by id, with the silence.
#[derive(Debug)]
pub(super) struct Silenced {
    alerts: BTreeMap<String, String>,
    /// When it is looked next.
    pub(super) look_at: Instant,
}

impl Silenced {
    /// The alerts of the store that fire and were kept silent.
    pub(super) async fn of_store(store: &dyn Store) -> Result<Self, StoreError> {
        let mut alerts = BTreeMap::new();
        let mut filter = AlertFilter { status: Some(Status::Firing), ..AlertFilter::default() };
        loop {
            let page = store.alerts(&filter).await?;
            for stored in page.alerts {
                if let Some(silence) = stored.silence {
                    alerts.insert(stored.alert.id.clone(), silence);
                }
            }
            filter.after = page.next;
            if filter.after.is_none() {
                return Ok(Self { alerts, look_at: Instant::now() });
            }
        }
    }

    /// Notes under which silence a change was routed, if under any.
    pub(super) fn note(&mut self, alert: &str, status: Status, silence: Option<&str>) {
        match silence.filter(|_| status == Status::Firing) {
            Some(silence) => {
                self.alerts.insert(alert.to_owned(), silence.to_owned());
            }
            None => {
                self.alerts.remove(alert);
            }
        }
    }

    /// The alerts whose silence holds no longer.
    fn released(&self, silences: &Arc<[Silence]>, now: Timestamp) -> BTreeSet<String> {
        let holds = |id: &str| silences.iter().any(|silence| silence.id == id && now < silence.ends_at);
        let released = self.alerts.iter().filter(|(_, silence)| !holds(silence));
        released.map(|(alert, _)| alert.clone()).collect()
    }
}

impl Pipeline {
    /// Tells the alerts whose silence has ended and that still fire; another silence may cover them now.
    pub(super) fn end_silences(&mut self, permit: Permit) {
        let now = Instant::now();
        self.silenced.look_at = now.checked_add(EVERY).unwrap_or(now);
        let released = self.silenced.released(&self.silences.current(), Timestamp::now());
        if released.is_empty() || self.catch_up.is_some() {
            return;
        }
        let firing = |alert: &bedrock_watch_engine::alert::Alert| alert.status == Status::Firing;
        let alerts = self.engine.alerts().into_iter().filter(|alert| firing(alert) && released.contains(&alert.id));
        let changes: Vec<AlertChange> = alerts.map(|alert| AlertChange { kind: ChangeKind::Updated, alert }).collect();
        for alert in &released {
            self.silenced.note(alert, Status::Resolved, None);
        }
        tracing::info!(alerts = changes.len(), "a silence has ended");
        let mut judged = Judged::default();
        self.route(changes, &mut judged);
        permit.send(Order::Commit(judged));
    }
}
