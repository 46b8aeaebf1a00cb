//! What changes of alerts become in the table, together with who is to hear of them.
//!
//! What is known of an alert is read, the change is worked out in memory, and everything that comes of it is written in
//! one transaction whose conditions say that nothing was changed meanwhile; otherwise it is worked out again. So an
//! alert, its revision and its deliveries always agree, and of several workers that find the same alert the first one
//! wins. Changes of different alerts share transactions only to save calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bedrock_watch_engine::alert::{ChangeKind, Status};
use bedrock_watch_service::{
    evidence::{Fact, of_change, of_resolution},
    incident::links,
    store::{
        Change, Recorded, Resolution, StoredAlert, digest,
        life::{Told, never_resolves, next},
    },
};
use jiff::Timestamp;

use super::{
    delivery::{self, Delivery},
    evidence::Evidence,
    failure::Failure,
    head::{self, Head, Written, revision_item, revision_key},
    incidents,
    item::Key,
    table::{If, Pause, TRANSACTION_BYTES_MAX, TRANSACTION_WRITES_MAX, Table, Write},
};

/// Changes worked out together. One alert may get a revision and lose another by each, and must fit in a transaction.
const ROUND_CHANGES: usize = 25;
/// Items of alerts in a transaction; the evidence has two besides.
const WRITES_MAX: usize = TRANSACTION_WRITES_MAX - 2;

/// The table, and the evidence in it.
type Place<'a> = (&'a Table, &'a Evidence);

/// Stores changes in order; says what each was.
pub(super) async fn record(place: Place<'_>, changes: &[Change], now: Timestamp) -> Result<Vec<Recorded>, Failure> {
    let mut recorded = Vec::with_capacity(changes.len());
    for round in changes.chunks(ROUND_CHANGES) {
        recorded.extend(record_round(place, round, now).await?);
    }
    Ok(recorded)
}

async fn record_round(place: Place<'_>, changes: &[Change], now: Timestamp) -> Result<Vec<Recorded>, Failure> {
    let mut recorded: Vec<Option<Recorded>> = vec![None; changes.len()];
    let mut pause = Pause::for_conflicts();
    let mut share = true;
    loop {
        let left = || changes.iter().zip(&recorded).filter(|(_, done)| done.is_none()).map(|(change, _)| change);
        let ids: BTreeSet<&str> = left().map(|change| change.alert.id.as_str()).collect();
        if ids.is_empty() {
            return Ok(recorded.into_iter().flatten().collect());
        }
        let mut plans = load(place.0, &ids).await?;
        let mut outcomes: BTreeMap<String, Vec<Recorded>> = BTreeMap::new();
        for change in left() {
            let id = &change.alert.id;
            let plan = plans.entry(id.clone()).or_default();
            outcomes.entry(id.clone()).or_default().push(plan.apply(change, now)?);
        }
        let lost = write(place, plans, share, now).await?;
        outcomes.retain(|id, _| !lost.contains(id));
        let mut outcomes: BTreeMap<_, _> = outcomes.into_iter().map(|(id, all)| (id, all.into_iter())).collect();
        for (change, recorded) in changes.iter().zip(&mut recorded).filter(|(_, recorded)| recorded.is_none()) {
            *recorded = outcomes.get_mut(&change.alert.id).and_then(Iterator::next);
        }
        if !lost.is_empty() {
            share = false;
            pause.after_conflict().await?;
        }
    }
}

/// A person resolves an alert.
pub(super) async fn resolve(
    place: Place<'_>,
    id: &str,
    by: &Resolution,
    now: Timestamp,
) -> Result<Option<StoredAlert>, Failure> {
    let mut pause = Pause::for_conflicts();
    loop {
        let mut plan = load(place.0, &[id].into()).await?.remove(id).unwrap_or_default();
        let Some(head) = plan.head.clone() else { return Ok(None) };
        let latest = place.0.get(&revision_key(id, head.revision)).await?;
        if let Some(latest) = latest {
            if head.status != Status::Firing {
                return head.stored(&latest).map(Some);
            }
            let stored = head.stored(&latest)?;
            let resolved = plan.resolve(stored, by, now)?;
            if write(place, [(id.to_owned(), plan)].into(), true, now).await?.is_empty() {
                return Ok(Some(resolved));
            }
        }
        pause.after_conflict().await?;
    }
}

/// One alert and what becomes of it.
#[derive(Debug, Default)]
struct Plan {
    head: Option<Head>,
    deliveries: BTreeMap<String, Delivery>,
    revisions: BTreeMap<Key, Write>,
    /// Its ties, where they change.
    ties: BTreeMap<Key, Write>,
    changed: BTreeSet<String>,
    /// Deliveries that stay as they are, which must still be so.
    relied_on: BTreeSet<String>,
    /// What of it is evidence.
    facts: Vec<Fact>,
}

/// What is known of these alerts.
async fn load(table: &Table, ids: &BTreeSet<&str>) -> Result<BTreeMap<String, Plan>, Failure> {
    let keys: Vec<Key> = ids.iter().map(|id| head::key(id)).collect();
    let mut plans = BTreeMap::new();
    let mut keys_of_deliveries = Vec::new();
    for item in table.batch_get(&keys).await?.values() {
        let head = Head::read(item)?;
        keys_of_deliveries.extend(head.sinks.iter().map(|sink| delivery::key(sink, &head.id)));
        plans.insert(head.id.clone(), Plan { head: Some(head), ..Plan::default() });
    }
    for item in table.batch_get(&keys_of_deliveries).await?.values() {
        let delivery = Delivery::read(item)?;
        if let Some(plan) = plans.get_mut(&delivery.alert) {
            plan.deliveries.insert(delivery.sink.clone(), delivery);
        }
    }
    Ok(plans)
}

impl Plan {
    fn apply(&mut self, change: &Change, now: Timestamp) -> Result<Recorded, Failure> {
        let known = self.head.as_ref().map(Head::known);
        let Some(next) = next(known.as_ref(), change) else {
            return Ok(Recorded::Known);
        };
        let mut alert = Arc::clone(&change.alert);
        if alert.status != next.status {
            Arc::make_mut(&mut alert).status = next.status;
        }
        let before = self.head.take().unwrap_or_else(|| Head::new(&change.alert, now));
        let revision = before.revision.saturating_add(1);
        self.facts.extend(of_change(known.as_ref(), &next, change, revision));
        let mut head = Head {
            revision,
            changed_at: now,
            trace_id: before.trace_id.or_else(|| change.trace_id.clone()),
            silence: change.silence.clone(),
            resolution: before.resolution.filter(|_| next.by_hand),
            digest: digest(&change.alert),
            engine_status: change.alert.status,
            status: next.status,
            severity: alert.severity,
            rule: alert.rule.clone(),
            account: alert.account.clone(),
            principal: alert.principal.clone(),
            first: alert.first_event_time.0,
            is_unending: never_resolves(&alert),
            ..before
        };
        let silence = change.silence.as_deref();
        let written = Written { revision, at: now, kind: next.kind, silence, by: None };
        self.add_revision(&mut head, revision_item(&alert, &written)?, &written);
        let links = links(&alert);
        self.ties.extend(incidents::replace(&alert.id, &head.ties, &links));
        head.ties = incidents::listed(&links);
        let wanted = (revision, alert.severity);
        match next.told {
            Told::Destinations => {
                for destination in &change.destinations {
                    let sink = &destination.sink;
                    let delivery = self.deliveries.entry(sink.clone());
                    let delivery = delivery.or_insert_with(|| Delivery::new(sink, &alert.id, alert.severity));
                    delivery.want_for(wanted, destination, now);
                    head.sinks.insert(sink.clone());
                    self.changed.insert(sink.clone());
                }
            }
            Told::Listeners => self.want_again(wanted, now),
            Told::Nobody => {}
        }
        if next.status == Status::Firing {
            // It can be reminded of again.
            for delivery in self.deliveries.values_mut().filter(|delivery| delivery.over) {
                delivery.over = false;
                self.changed.insert(delivery.sink.clone());
            }
        }
        self.head = Some(head);
        Ok(Recorded::Revision(revision))
    }

    fn resolve(&mut self, stored: StoredAlert, by: &Resolution, now: Timestamp) -> Result<StoredAlert, Failure> {
        let mut alert = stored.alert;
        Arc::make_mut(&mut alert).status = Status::Resolved;
        let revision = stored.revision.saturating_add(1);
        let written = Written { revision, at: now, kind: ChangeKind::Resolved, silence: None, by: Some(by) };
        let item = revision_item(&alert, &written)?;
        self.facts.push(of_resolution(&alert, revision, by));
        if let Some(mut head) = self.head.take() {
            head.revision = revision;
            head.changed_at = now;
            head.silence = None;
            head.resolution = Some(by.clone());
            head.status = Status::Resolved;
            self.add_revision(&mut head, item, &written);
            self.head = Some(head);
        }
        self.want_again((revision, alert.severity), now);
        Ok(StoredAlert { alert, revision, changed_at: now, silence: None, resolution: Some(by.clone()), ..stored })
    }

    fn add_revision(&mut self, head: &mut Head, item: super::item::Item, written: &Written<'_>) {
        self.revisions.insert(revision_key(&head.id, written.revision), Write::Put(item, If::Always));
        for dropped in head.keep(written.revision, written.kind) {
            let key = revision_key(&head.id, dropped);
            self.revisions.insert(key.clone(), Write::Delete(key, If::Always));
        }
    }

    fn want_again(&mut self, wanted: (u32, bedrock_watch_engine::alert::Severity), now: Timestamp) {
        for (sink, delivery) in &mut self.deliveries {
            if delivery.want_again(wanted, now) {
                self.changed.insert(sink.clone());
            } else {
                self.relied_on.insert(sink.clone());
            }
        }
    }

    /// Everything that must be written at once; nothing where nothing changed.
    fn writes(self) -> Vec<Write> {
        let Some(head) = self.head.filter(|_| !self.revisions.is_empty()) else { return Vec::new() };
        let mut writes = vec![head.write()];
        writes.extend(self.revisions.into_values());
        writes.extend(self.ties.into_values());
        for (sink, delivery) in &self.deliveries {
            if self.changed.contains(sink) {
                writes.push(delivery.write());
            } else if self.relied_on.contains(sink) {
                writes.push(Write::Check(delivery::key(sink, &delivery.alert), If::read(delivery.version)));
            }
        }
        writes
    }
}

/// Writes plans, in as few transactions as they fit in if they may `share` them; returns those that others were in the
/// way of.
async fn write(
    place: Place<'_>,
    plans: BTreeMap<String, Plan>,
    share: bool,
    now: Timestamp,
) -> Result<BTreeSet<String>, Failure> {
    let mut lost = BTreeSet::new();
    let mut group = Group::default();
    for (id, mut plan) in plans {
        let facts = std::mem::take(&mut plan.facts);
        let writes = plan.writes();
        let bytes = writes.iter().map(Write::bytes).fold(0_usize, usize::saturating_add);
        let fits = group.writes.len().saturating_add(writes.len()) <= WRITES_MAX
            && group.bytes.saturating_add(bytes) <= TRANSACTION_BYTES_MAX;
        if !group.writes.is_empty() && (!share || !fits) {
            lost.extend(write_group(place, std::mem::take(&mut group), now).await?);
        }
        group.ids.insert(id);
        group.writes.extend(writes);
        group.facts.extend(facts);
        group.bytes = group.bytes.saturating_add(bytes);
    }
    lost.extend(write_group(place, group, now).await?);
    Ok(lost)
}

/// What is written together.
#[derive(Default)]
struct Group {
    ids: BTreeSet<String>,
    writes: Vec<Write>,
    facts: Vec<Fact>,
    bytes: usize,
}

async fn write_group(place: Place<'_>, group: Group, now: Timestamp) -> Result<BTreeSet<String>, Failure> {
    let ((table, evidence), Group { ids, writes, facts, .. }) = (place, group);
    if writes.is_empty() {
        return Ok(BTreeSet::new());
    }
    if writes.len() > WRITES_MAX {
        let reason = format!("a change of one alert touches {} items, and a transaction may have 100", writes.len());
        return Err(Failure::Refused(format!("{reason}; have fewer sinks")));
    }
    match evidence.transact(table, writes, &facts, now).await {
        Ok(()) => Ok(BTreeSet::new()),
        Err(Failure::Conflict) => Ok(ids),
        Err(failure) => Err(failure),
    }
}
