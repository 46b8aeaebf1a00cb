//! A store in memory, with the delivery part of the trait in full and little of the rest (it forgets nothing and keeps no
//! snapshot): it lets tests decide what time it is, which a store with threads of its own does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::store::{
    AlertFilter, Change, Claim, Commit, Committed, DeadLetter, Destination, JournalEntry, Page, Recorded, Resolution,
    Revision, Settlement, Silence, Snapshot, Store, StoreError, StoredAlert, Waiting,
};
use jiff::Timestamp;

/// The store.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    failing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    alerts: BTreeMap<String, Kept>,
    deliveries: BTreeMap<(String, String), Delivery>,
    errors: Vec<String>,
    silences: Vec<Silence>,
    journal: Vec<JournalEntry>,
    positions: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Kept {
    stored: StoredAlert,
    history: Vec<Revision>,
}

#[derive(Debug, Default)]
struct Delivery {
    want: u32,
    delivered: u32,
    fence: u64,
    held_until: Option<Timestamp>,
    due: Timestamp,
    memo: Option<String>,
    attempts: u32,
    unsettled: bool,
    reminder: bool,
    group: Option<String>,
    skip_if_undone: bool,
    told_at: Option<Timestamp>,
    dead: Option<DeadLetter>,
}

impl Delivery {
    fn waits(&self) -> bool {
        self.dead.is_none() && (self.want > self.delivered || self.reminder)
    }
}

impl MemoryStore {
    /// Makes every call fail, or work again.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Up to which revision a sink was told of an alert.
    #[must_use]
    pub fn delivered(&self, sink: &str, alert: &str) -> u32 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.get(&(sink.to_owned(), alert.to_owned())).map_or(0, |delivery| delivery.delivered)
    }

    /// What a sink remembers of an alert.
    #[must_use]
    pub fn memo(&self, sink: &str, alert: &str) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.get(&(sink.to_owned(), alert.to_owned())).and_then(|delivery| delivery.memo.clone())
    }

    /// Every error with which a delivery was settled.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).errors.clone()
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            let (place, reason) = ("memory".to_owned(), "the test says so".to_owned());
            return Err(StoreError::Unavailable { action: "use", place, reason });
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn record(&mut self, change: &Change, now: Timestamp) -> Recorded {
        let known = self.alerts.get(&change.alert.id).map(|kept| kept.stored.revision).unwrap_or_default();
        if self.alerts.get(&change.alert.id).is_some_and(|kept| kept.stored.alert == change.alert) {
            return Recorded::Known;
        }
        let revision = known.saturating_add(1);
        let history =
            Revision { revision, at: now, kind: change.kind, alert: Arc::clone(&change.alert), resolution: None };
        let stored = StoredAlert {
            alert: Arc::clone(&change.alert),
            revision,
            created_at: now,
            changed_at: now,
            trace_id: change.trace_id.clone(),
            silence: change.silence.clone(),
            resolution: None,
        };
        match self.alerts.get_mut(&change.alert.id) {
            Some(kept) => {
                kept.history.push(history);
                kept.stored = StoredAlert { created_at: kept.stored.created_at, ..stored };
            }
            None => {
                self.alerts.insert(change.alert.id.clone(), Kept { stored, history: vec![history] });
            }
        }
        let over = change.alert.status != Status::Firing;
        for ((_, alert), delivery) in &mut self.deliveries {
            if over && *alert == change.alert.id {
                delivery.want = revision;
                delivery.dead = None;
            }
        }
        for destination in &change.destinations {
            self.want(destination, &change.alert, revision, now);
        }
        Recorded::Revision(revision)
    }

    fn want(&mut self, destination: &Destination, alert: &Alert, revision: u32, now: Timestamp) {
        let key = (destination.sink.clone(), alert.id.clone());
        let delivery = self.deliveries.entry(key).or_default();
        if !delivery.waits() {
            delivery.due = destination.not_before.unwrap_or(now);
        }
        delivery.dead = None;
        delivery.want = revision;
        delivery.group.clone_from(&destination.group);
        delivery.skip_if_undone = destination.skip_if_undone;
    }

    fn due(&mut self, sink: &str, now: Timestamp) -> Vec<(std::cmp::Reverse<Severity>, Timestamp, String)> {
        let mut due = Vec::new();
        for ((of, alert), delivery) in &mut self.deliveries {
            if delivery.held_until.is_some_and(|until| until <= now) {
                delivery.held_until = None;
                delivery.unsettled = true;
            }
            if of == sink && delivery.waits() && delivery.due <= now && delivery.held_until.is_none() {
                let severity = self.alerts.get(alert).map_or(Severity::Low, |kept| kept.stored.alert.severity);
                due.push((std::cmp::Reverse(severity), delivery.due, alert.clone()));
            }
        }
        due.sort();
        due
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, commit: Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let mut state = self.state()?;
        let recorded = commit.changes.iter().map(|change| state.record(change, now)).collect();
        state.positions.extend(commit.positions);
        state.journal.extend(commit.journal);
        Ok(Committed { journal_through: state.journal.len() as u64, recorded })
    }

    async fn positions(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(self.state()?.positions.clone())
    }

    async fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        let state = self.state()?;
        let numbered = (1..).zip(state.journal.iter().cloned());
        Ok(numbered.filter(|(number, _)| *number > after).take(limit).collect())
    }

    async fn save_snapshot(&self, _: Snapshot) -> Result<(), StoreError> {
        Ok(())
    }

    async fn load_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        Ok(None)
    }

    async fn alert(&self, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        Ok(self.state()?.alerts.get(id).map(|kept| kept.stored.clone()))
    }

    async fn alerts(&self, _: &AlertFilter) -> Result<Page, StoreError> {
        let alerts = self.state()?.alerts.values().map(|kept| kept.stored.clone()).collect();
        Ok(Page { alerts, next: None })
    }

    async fn history(&self, id: &str) -> Result<Vec<Revision>, StoreError> {
        Ok(self.state()?.alerts.get(id).map(|kept| kept.history.clone()).unwrap_or_default())
    }

    async fn resolve(&self, id: &str, by: &Resolution, now: Timestamp) -> Result<Option<StoredAlert>, StoreError> {
        let mut state = self.state()?;
        let Some(kept) = state.alerts.get(id) else { return Ok(None) };
        let alert = Arc::new(Alert { status: Status::Resolved, ..kept.stored.alert.as_ref().clone() });
        let (trace_id, destinations, silence) = (None, Vec::new(), None);
        state.record(&Change { kind: ChangeKind::Resolved, alert, trace_id, destinations, silence }, now);
        let Some(kept) = state.alerts.get_mut(id) else { return Ok(None) };
        kept.stored.resolution = Some(by.clone());
        Ok(Some(kept.stored.clone()))
    }

    async fn claim(
        &self,
        sink: &str,
        _: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        let mut state = self.state()?;
        let mut claims = Vec::new();
        for (_, _, id) in state.due(sink, now).into_iter().take(limit) {
            let State { alerts, deliveries, .. } = &mut *state;
            let Some(delivery) = deliveries.get_mut(&(sink.to_owned(), id.clone())) else { continue };
            let Some(kept) = alerts.get(&id) else { continue };
            delivery.fence = delivery.fence.saturating_add(1);
            delivery.held_until = Some(until);
            let pending = kept.history.iter().filter(|one| one.revision > delivery.delivered).cloned().collect();
            claims.push(Claim {
                sink: sink.to_owned(),
                alert: kept.stored.clone(),
                fence: delivery.fence,
                until,
                delivered: delivery.delivered,
                pending,
                memo: delivery.memo.clone(),
                attempts: delivery.attempts,
                unsettled: delivery.unsettled,
                reminder: delivery.reminder,
                group: delivery.group.clone(),
                skip_if_undone: delivery.skip_if_undone,
            });
        }
        Ok(claims)
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        if let Settlement::Retry { error, .. } | Settlement::Dead { error } = settlement {
            state.errors.push(error.clone());
        }
        let key = (claim.sink.clone(), claim.alert.alert.id.clone());
        let Some(delivery) = state.deliveries.get_mut(&key) else { return Ok(false) };
        if delivery.fence != claim.fence || delivery.held_until.is_none_or(|until| until <= now) {
            return Ok(false);
        }
        delivery.held_until = None;
        match settlement {
            Settlement::Delivered { through, memo } => {
                delivery.delivered = *through;
                delivery.memo = memo.clone().or_else(|| delivery.memo.take());
                delivery.told_at = Some(now);
                (delivery.attempts, delivery.unsettled, delivery.reminder) = (0, false, false);
            }
            Settlement::Retry { at, unsettled, .. } => {
                delivery.due = *at;
                delivery.unsettled = *unsettled;
                delivery.attempts = delivery.attempts.saturating_add(1);
            }
            Settlement::Dead { error } => {
                let alert = &claim.alert.alert;
                delivery.attempts = delivery.attempts.saturating_add(1);
                delivery.dead = Some(DeadLetter {
                    sink: claim.sink.clone(),
                    alert: alert.id.clone(),
                    rule: alert.rule.as_str().into(),
                    severity: alert.severity,
                    at: now,
                    error: error.clone(),
                    attempts: delivery.attempts,
                });
            }
            Settlement::Released => {}
        }
        Ok(true)
    }

    async fn next_due(&self, sink: &str) -> Result<Option<Timestamp>, StoreError> {
        let state = self.state()?;
        let of_sink = state.deliveries.iter().filter(|((of, _), delivery)| of == sink && delivery.waits());
        Ok(of_sink.map(|(_, delivery)| delivery.due).min())
    }

    async fn waiting(&self, sink: &str) -> Result<Waiting, StoreError> {
        let state = self.state()?;
        let of_sink: Vec<&Delivery> =
            state.deliveries.iter().filter(|((of, _), _)| of == sink).map(|(_, delivery)| delivery).collect();
        let alerts = of_sink.iter().filter(|delivery| delivery.waits()).count() as u64;
        let dead = of_sink.iter().filter(|delivery| delivery.dead.is_some()).count() as u64;
        let since = of_sink.iter().filter(|delivery| delivery.waits()).map(|delivery| delivery.due).min();
        Ok(Waiting { alerts, dead, since })
    }

    async fn remind(&self, sink: &str, told_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let State { alerts, deliveries, .. } = &mut *state;
        let mut reminded = 0;
        for ((of, alert), delivery) in deliveries {
            let fires = alerts.get(alert).is_some_and(|kept| kept.stored.alert.status == Status::Firing);
            let long_ago = delivery.told_at.is_some_and(|told| told < told_before);
            if of == sink && fires && long_ago && !delivery.waits() && delivery.dead.is_none() {
                (delivery.reminder, delivery.due) = (true, now);
                reminded += 1;
            }
        }
        Ok(reminded)
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let state = self.state()?;
        Ok(state.deliveries.values().filter_map(|delivery| delivery.dead.clone()).take(limit).collect())
    }

    async fn redrive(&self, sink: Option<&str>, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let mut redriven = 0;
        for ((of, _), delivery) in &mut state.deliveries {
            if sink.is_none_or(|sink| sink == of) && delivery.dead.take().is_some() {
                (delivery.due, delivery.attempts) = (now, 0);
                redriven += 1;
            }
        }
        Ok(redriven)
    }

    async fn put_silence(&self, silence: Silence) -> Result<(), StoreError> {
        self.state()?.silences.push(silence);
        Ok(())
    }

    async fn silences(&self, now: Timestamp, _: bool) -> Result<Vec<Silence>, StoreError> {
        Ok(self.state()?.silences.iter().filter(|silence| silence.ends_at > now).cloned().collect())
    }

    async fn end_silence(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn forget(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
}
