//! A store in memory: it lets tests decide what time it is, which a store with threads of its own does not, and has a
//! part for each unit of work, as the shared one has. Deliberately no filters, no forgetting, no evidence, and one
//! silence list.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::{
    evidence::{Chain, Fact},
    incident::{Link, links},
    store::{
        AlertFilter, Change, Claim, Commit, Committed, DIGEST_BYTES, DeadLetter, Destination, JournalEntry, Note, Page,
        Reach, Recorded, Resolution, Revision, Settlement, Silence, Snapshot, Store, StoreError, StoredAlert, Waiting,
        digest,
        life::{Known, Told, next},
    },
};
use jiff::Timestamp;

/// The store, as one unit of work sees it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    scope: String,
    epoch: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    failing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    alerts: BTreeMap<String, Kept>,
    deliveries: BTreeMap<(String, String), Delivery>,
    errors: Vec<String>,
    silences: Vec<Silence>,
    notes: BTreeMap<(String, String), Note>,
    scopes: BTreeMap<String, Scope>,
}

/// What belongs to one unit of work.
#[derive(Debug, Default)]
struct Scope {
    positions: BTreeMap<String, String>,
    journal: BTreeMap<u64, JournalEntry>,
    journal_through: u64,
    snapshot: Option<Snapshot>,
    /// That of whoever wrote last.
    epoch: u64,
}

#[derive(Debug)]
struct Kept {
    stored: StoredAlert,
    history: Vec<Revision>,
    digest: [u8; DIGEST_BYTES],
    engine_status: Status,
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
        self.shared.failing.store(failing, Ordering::SeqCst);
    }

    /// The same store for another unit of work; a snapshot of a later epoch is never replaced by one of an earlier.
    #[must_use]
    pub fn scoped(&self, scope: &str, epoch: u64) -> Self {
        Self { shared: Arc::clone(&self.shared), scope: scope.to_owned(), epoch }
    }

    /// Up to which revision a sink was told of an alert.
    #[must_use]
    pub fn delivered(&self, sink: &str, alert: &str) -> u32 {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.get(&(sink.to_owned(), alert.to_owned())).map_or(0, |delivery| delivery.delivered)
    }

    /// What a sink remembers of an alert.
    #[must_use]
    pub fn memo(&self, sink: &str, alert: &str) -> Option<String> {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.get(&(sink.to_owned(), alert.to_owned())).and_then(|delivery| delivery.memo.clone())
    }

    /// Every error with which a delivery was settled.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).errors.clone()
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.shared.failing.load(Ordering::SeqCst) {
            let (place, reason) = ("memory".to_owned(), "the test says so".to_owned());
            return Err(StoreError::Unavailable { action: "use", place, reason });
        }
        Ok(self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// What belongs to a unit of work, to be written by whoever has it since `epoch`.
    fn scope_mut(&mut self, name: &str, epoch: u64) -> Result<&mut Scope, StoreError> {
        let scope = self.scopes.entry(name.to_owned()).or_default();
        if epoch < scope.epoch {
            return Err(StoreError::Overtaken { place: "memory".to_owned(), scope: name.to_owned() });
        }
        scope.epoch = epoch;
        Ok(scope)
    }

    fn record(&mut self, change: &Change, now: Timestamp) -> Recorded {
        let kept = self.alerts.get(&change.alert.id);
        let known = kept.map(|kept| Known {
            digest: kept.digest,
            engine_status: kept.engine_status,
            status: kept.stored.alert.status,
            severity: kept.stored.alert.severity,
            by_hand: kept.stored.resolution.is_some(),
            silenced: kept.stored.silence.is_some(),
            revision: kept.stored.revision,
        });
        let Some(next) = next(known.as_ref(), change) else { return Recorded::Known };
        let alert = Arc::new(Alert { status: next.status, ..change.alert.as_ref().clone() });
        let resolution = kept.and_then(|kept| kept.stored.resolution.clone()).filter(|_| next.by_hand);
        let revision = self.keep(next.kind, (&alert, change), resolution, now);
        match next.told {
            Told::Destinations => {
                change.destinations.iter().for_each(|to| self.want(to, &alert, revision, now));
            }
            Told::Listeners => self.want_again(&alert.id, revision),
            Told::Nobody => {}
        }
        Recorded::Revision(revision)
    }

    /// Adds a revision and returns its number.
    fn keep(
        &mut self,
        kind: ChangeKind,
        (alert, change): (&Arc<Alert>, &Change),
        resolution: Option<Resolution>,
        now: Timestamp,
    ) -> u32 {
        let before = self.alerts.remove(&alert.id);
        let revision = before.as_ref().map_or(0, |kept| kept.stored.revision).saturating_add(1);
        let (created_at, mut history) = before.map_or((now, Vec::new()), |kept| (kept.stored.created_at, kept.history));
        history.push(Revision { revision, at: now, kind, alert: Arc::clone(alert), resolution: None });
        let stored = StoredAlert {
            alert: Arc::clone(alert),
            revision,
            created_at,
            changed_at: now,
            trace_id: change.trace_id.clone(),
            silence: change.silence.clone(),
            resolution,
        };
        let (digest, engine_status) = (digest(&change.alert), change.alert.status);
        self.alerts.insert(alert.id.clone(), Kept { stored, history, digest, engine_status });
        revision
    }

    /// Whoever has heard of the alert, or is about to, hears again.
    fn want_again(&mut self, alert: &str, revision: u32) {
        for ((_, of), delivery) in &mut self.deliveries {
            if of == alert {
                delivery.want = revision;
                delivery.dead = None;
            }
        }
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
        state.scope_mut(&self.scope, self.epoch)?;
        let recorded = commit.changes.iter().map(|change| state.record(change, now)).collect();
        let scope = state.scope_mut(&self.scope, self.epoch)?;
        for entry in commit.journal {
            scope.journal_through = scope.journal_through.saturating_add(1);
            scope.journal.insert(scope.journal_through, entry);
        }
        scope.positions.extend(commit.positions);
        Ok(Committed { journal_through: scope.journal_through, recorded })
    }

    async fn positions(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(self.state()?.scopes.get(&self.scope).map(|scope| scope.positions.clone()).unwrap_or_default())
    }

    async fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        let state = self.state()?;
        let Some(scope) = state.scopes.get(&self.scope) else { return Ok(Vec::new()) };
        let entries = scope.journal.range(after.saturating_add(1)..).take(limit);
        Ok(entries.map(|(number, entry)| (*number, entry.clone())).collect())
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let mut state = self.state()?;
        let scope = state.scope_mut(&self.scope, self.epoch)?;
        scope.journal = scope.journal.split_off(&snapshot.journal.saturating_add(1));
        scope.snapshot = Some(snapshot);
        Ok(())
    }

    async fn load_snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let state = self.state()?;
        Ok(state.scopes.get(&self.scope).and_then(|scope| scope.snapshot.clone()))
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
        if kept.stored.alert.status != Status::Firing {
            return Ok(Some(kept.stored.clone()));
        }
        let (digest, engine_status) = (kept.digest, kept.engine_status);
        let alert = Arc::new(Alert { status: Status::Resolved, ..kept.stored.alert.as_ref().clone() });
        let change = Change {
            kind: ChangeKind::Resolved,
            alert: Arc::clone(&alert),
            trace_id: None,
            destinations: Vec::new(),
            silence: None,
            suppressed: None,
            only_if_new: false,
        };
        let revision = state.keep(ChangeKind::Resolved, (&alert, &change), Some(by.clone()), now);
        state.want_again(id, revision);
        let Some(kept) = state.alerts.get_mut(id) else { return Ok(None) };
        // What the engine said stays what it said.
        (kept.digest, kept.engine_status) = (digest, engine_status);
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
            Settlement::Delivered { through, memo, .. } => {
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

    async fn links(&self, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, StoreError> {
        let state = self.state()?;
        let mut all: Vec<Link> = state.alerts.values().flat_map(|kept| links(&kept.stored.alert)).collect();
        all.sort_unstable_by(|one, other| (one.first, &one.alert).cmp(&(other.first, &other.alert)));
        let within = |reach: &Reach| {
            let fits = |link: &&Link| link.key == reach.key && link.first >= reach.from && link.first <= reach.to;
            all.iter().filter(fits).take(limit).cloned().collect::<Vec<_>>()
        };
        Ok(reaches.iter().flat_map(within).collect())
    }

    async fn alerts_by_id(&self, ids: &[String]) -> Result<Vec<StoredAlert>, StoreError> {
        let state = self.state()?;
        Ok(ids.iter().filter_map(|id| state.alerts.get(id)).map(|kept| kept.stored.clone()).collect())
    }

    async fn notes(&self, sink: &str, incidents: &[String]) -> Result<Vec<Note>, StoreError> {
        let state = self.state()?;
        let key = |incident: &String| (incident.clone(), sink.to_owned());
        Ok(incidents.iter().filter_map(|incident| state.notes.get(&key(incident))).cloned().collect())
    }

    async fn put_note(&self, note: &Note) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let key = (note.incident.clone(), note.sink.clone());
        if state.notes.get(&key).map_or(0, |known| known.version) != note.version {
            return Ok(false);
        }
        state.notes.insert(key, Note { version: note.version.saturating_add(1), ..note.clone() });
        Ok(true)
    }

    async fn put_silence(&self, silence: Silence, _: Timestamp) -> Result<(), StoreError> {
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

    async fn attest(&self, _: Vec<Fact>, _: Timestamp) -> Result<(), StoreError> {
        self.state().map(drop)
    }

    async fn chains(&self) -> Result<Vec<Chain>, StoreError> {
        Ok(Vec::new())
    }

    async fn evidence(&self, _: &str, _: u64, _: usize) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn archived(&self, _: &str, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
}
