//! Deliveries as workers see them: claimed, settled, counted, given up and put back.
//!
//! A sink's deliveries lie in one partition. Two indexes hold those for which something is to be done: `by_due` says
//! what is due, `by_order` what is most urgent. Everything else rests without being looked at.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use bedrock_watch_engine::alert::{ChangeKind, Status};
use bedrock_watch_service::{
    evidence::{of_redrive, of_settlement},
    store::{Claim, DeadLetter, Settlement, StoredAlert, Waiting},
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::{
    delivery::{self, DEAD, Delivery, TOLD, WAITS, partition},
    evidence::Evidence,
    failure::Failure,
    head::{self, Head, read_revision, revision_key},
    item::{DUE, Item, Key, ORDER, of_sortable, sortable},
    silences,
    table::{BY_DUE, BY_ORDER, Filter, If, Pause, Query, Range, Table},
};

/// Deliveries that one call claims, or dead letters it lists, at most.
const ROWS_MAX: usize = 1_000;
/// Deliveries read and written at the same time.
const AT_ONCE: usize = 8;
/// Deliveries looked at together.
const CHUNK: usize = 50;

/// Who claims what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimant<'a> {
    pub(super) sink: &'a str,
    pub(super) owner: &'a str,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

/// Claims what is due for a sink, the most urgent first.
pub(super) async fn claim(table: &Table, claimant: Claimant<'_>, limit: usize) -> Result<Vec<Claim>, Failure> {
    let limit = limit.min(ROWS_MAX);
    let due = due(table, claimant).await?;
    let mut due = due.into_iter();
    let mut claims = Vec::new();
    loop {
        let chunk: Vec<Key> = due.by_ref().take(limit.saturating_sub(claims.len()).min(CHUNK)).collect();
        if chunk.is_empty() {
            return Ok(claims);
        }
        let found = table.batch_get(&chunk).await?;
        // In the order of urgency, which is not that of the keys.
        let deliveries: Vec<Delivery> =
            chunk.iter().filter_map(|key| found.get(key)).map(Delivery::read).collect::<Result<_, _>>()?;
        let due = deliveries.into_iter().filter(|delivery| delivery.is_due(claimant.now));
        let tries = stream::iter(due).map(|delivery| claim_one(table, delivery, claimant)).buffered(AT_ONCE);
        let claimed: Vec<_> = tries.collect().await;
        let claimed = claimed.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        claims.extend(with_alerts(table, claimed, claimant.until).await?);
    }
}

/// The keys of what is due, the most urgent first.
async fn due(table: &Table, claimant: Claimant<'_>) -> Result<Vec<Key>, Failure> {
    let bound = sortable(claimant.now);
    let mut query = Query::new(partition(claimant.sink), Some(BY_DUE), Range::UpTo(bound.clone()));
    query.limit = ROWS_MAX;
    let mut found = table.query(&query).await?;
    if found.len() < ROWS_MAX {
        found.sort_by_cached_key(|item| item.get_owned(ORDER).ok().flatten());
    } else {
        // So much is due that it is better read in its order.
        let mut query = Query::new(partition(claimant.sink), Some(BY_ORDER), Range::Begins(WAITS.to_owned()));
        query.limit = ROWS_MAX;
        query.filter = Filter {
            parts: vec!["#d <= :now".to_owned()],
            names: [("#d".to_owned(), DUE.to_owned())].into(),
            values: [(":now".to_owned(), AttributeValue::S(bound))].into(),
        };
        found = table.query(&query).await?;
    }
    found.iter().map(Item::key).collect()
}

/// Claims one delivery; `None` when somebody else was first.
async fn claim_one(table: &Table, mut delivery: Delivery, claimant: Claimant<'_>) -> Result<Option<Delivery>, Failure> {
    delivery.claim(claimant.owner, claimant.until);
    match table.put(delivery.item(), If::read(delivery.version)).await {
        Ok(()) => Ok(Some(delivery)),
        Err(Failure::Conflict) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Adds to deliveries that are claimed what they are about. Read after the claim, so that it is at least as new.
async fn with_alerts(table: &Table, claimed: Vec<Delivery>, until: Timestamp) -> Result<Vec<Claim>, Failure> {
    let heads = heads(table, claimed.iter().map(|delivery| delivery.alert.as_str())).await?;
    let mut wanted = BTreeSet::new();
    for delivery in &claimed {
        let Some(head) = heads.get(&delivery.alert) else { continue };
        wanted.insert(revision_key(&head.id, head.revision));
        wanted.extend(pending(delivery, head).map(|revision| revision_key(&head.id, revision)));
    }
    let wanted: Vec<Key> = wanted.into_iter().collect();
    let revisions = table.batch_get(&wanted).await?;
    let mut claims = Vec::new();
    for delivery in claimed {
        let found = heads.get(&delivery.alert).and_then(|head| {
            let latest = revisions.get(&revision_key(&head.id, head.revision))?;
            Some((head, latest))
        });
        let Some((head, latest)) = found else {
            tracing::warn!(alert = delivery.alert, sink = delivery.sink, "a delivery of an alert that was forgotten");
            table.delete(&delivery::key(&delivery.sink, &delivery.alert)).await?;
            continue;
        };
        let pending = pending(&delivery, head).filter_map(|revision| revisions.get(&revision_key(&head.id, revision)));
        let pending = pending.map(read_revision).collect::<Result<Vec<_>, _>>()?;
        let ends = |kind: ChangeKind| matches!(kind, ChangeKind::Resolved | ChangeKind::Withdrawn);
        let told = pending.into_iter().filter(|(revision, silenced)| !silenced || ends(revision.kind));
        let told = told.map(|(revision, _)| revision).collect();
        claims.push(to_claim(delivery, head.clone().stored(latest)?, told, until));
    }
    Ok(claims)
}

fn pending(delivery: &Delivery, head: &Head) -> impl Iterator<Item = u32> {
    let (after, through) = delivery.pending();
    let kept: Vec<u32> = head.kept.keys().copied().filter(|number| *number > after && *number <= through).collect();
    kept.into_iter()
}

fn to_claim(
    delivery: Delivery,
    alert: StoredAlert,
    pending: Vec<bedrock_watch_service::store::Revision>,
    until: Timestamp,
) -> Claim {
    Claim {
        reminder: delivery.reminder && alert.alert.status == Status::Firing,
        sink: delivery.sink,
        alert,
        fence: delivery.fence,
        until,
        delivered: delivery.delivered,
        pending,
        memo: delivery.memo,
        attempts: delivery.attempts,
        unsettled: delivery.unsettled,
        group: delivery.group,
        skip_if_undone: delivery.skip_if_undone,
    }
}

/// The heads of these alerts that are there, by id.
async fn heads(table: &Table, ids: impl Iterator<Item = &str>) -> Result<BTreeMap<String, Head>, Failure> {
    let keys: BTreeSet<Key> = ids.map(head::key).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let found = table.batch_get(&keys).await?;
    found.values().map(|item| Head::read(item).map(|head| (head.id.clone(), head))).collect()
}

/// Settles a claim; `false` when somebody else has it.
pub(super) async fn settle(
    (table, evidence): (&Table, &Evidence),
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, Failure> {
    let key = delivery::key(&claim.sink, &claim.alert.alert.id);
    let mut pause = Pause::for_conflicts();
    loop {
        let Some(item) = table.get(&key).await? else { return Ok(false) };
        let mut delivery = Delivery::read(&item)?;
        if !delivery.settle(claim, settlement, now) {
            return Ok(false);
        }
        let settled = match of_settlement(claim, settlement) {
            Some(fact) => evidence.transact(table, vec![delivery.write()], &[fact], now).await,
            None => table.put(delivery.item(), If::read(delivery.version)).await,
        };
        match settled {
            Ok(()) => return Ok(true),
            // A change of the alert came in between.
            Err(Failure::Conflict) => pause.after_conflict().await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// When the next delivery of a sink falls due, or a claim of it expires.
pub(super) async fn next_due(table: &Table, sink: &str) -> Result<Option<Timestamp>, Failure> {
    let mut query = Query::new(partition(sink), Some(BY_DUE), Range::All);
    query.limit = 1;
    let found = table.query(&query).await?;
    found.first().map(|item| of_sortable(item.get_text(DUE)?)).transpose()
}

/// How much waits for a sink.
pub(super) async fn waiting(table: &Table, sink: &str) -> Result<Waiting, Failure> {
    let listed = |prefix: &str| Query::new(partition(sink), Some(BY_ORDER), Range::Begins(prefix.to_owned()));
    let mut waiting = Waiting::default();
    for item in table.query(&listed(WAITS)).await? {
        if item.get_number::<u32>("wanted")? > item.get_number::<u32>("delivered")? {
            let since = item.get_time("since")?;
            waiting.alerts = waiting.alerts.saturating_add(1);
            waiting.since = Some(waiting.since.map_or(since, |earliest| earliest.min(since)));
        }
    }
    waiting.dead = u64::try_from(table.query(&listed(DEAD)).await?.len()).unwrap_or(u64::MAX);
    Ok(waiting)
}

/// Makes a sink hear again of what still fires and is not silenced.
pub(super) async fn remind(table: &Table, sink: &str, told_before: Timestamp, now: Timestamp) -> Result<u64, Failure> {
    let range = Range::Between(TOLD.to_owned(), format!("{TOLD}{}", sortable(told_before)));
    let told = table.query(&Query::new(partition(sink), Some(BY_ORDER), range)).await?;
    if told.is_empty() {
        return Ok(0);
    }
    let silenced = silences::holding(table, now).await?;
    let mut reminded: u64 = 0;
    for chunk in told.chunks(CHUNK) {
        let keys: Vec<Key> = chunk.iter().map(Item::key).collect::<Result<_, _>>()?;
        let heads = heads(table, keys.iter().map(|key| key.sk.as_str())).await?;
        for item in table.batch_get(&keys).await?.values() {
            let mut delivery = Delivery::read(item)?;
            let fires = heads.get(&delivery.alert).is_some_and(|head| {
                head.status == Status::Firing && !head.silence.as_ref().is_some_and(|id| silenced.contains(id))
            });
            let rests = delivery.state == delivery::State::Resting;
            if !fires || !rests || delivery.told_at.is_none_or(|told| told >= told_before) {
                continue;
            }
            delivery.remind(now);
            match table.put(delivery.item(), If::read(delivery.version)).await {
                Ok(()) => reminded = reminded.saturating_add(1),
                // Something newer is to be told, or another worker reminds.
                Err(Failure::Conflict) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(reminded)
}

/// What was given up, newest first.
pub(super) async fn dead_letters(table: &Table, limit: usize) -> Result<Vec<DeadLetter>, Failure> {
    let limit = limit.min(ROWS_MAX);
    let mut dead: Vec<Delivery> = Vec::new();
    for sink in sinks(table).await? {
        let mut query = Query::new(partition(&sink), Some(BY_ORDER), Range::Begins(DEAD.to_owned()));
        (query.backwards, query.limit) = (true, limit);
        let keys: Vec<Key> = table.query(&query).await?.iter().map(Item::key).collect::<Result<_, _>>()?;
        for item in table.batch_get(&keys).await?.values() {
            dead.push(Delivery::read(item)?);
        }
    }
    dead.retain(|delivery| delivery.state == delivery::State::Dead);
    dead.sort_by(|one, other| (other.dead_at, &one.sink, &one.alert).cmp(&(one.dead_at, &other.sink, &other.alert)));
    dead.truncate(limit);
    let heads = heads(table, dead.iter().map(|delivery| delivery.alert.as_str())).await?;
    let letter = |delivery: Delivery| {
        let head = heads.get(&delivery.alert)?;
        Some(delivery.letter(&head.rule, head.severity))
    };
    Ok(dead.into_iter().filter_map(letter).collect())
}

/// Puts back what was given up.
pub(super) async fn redrive(
    (table, evidence): (&Table, &Evidence),
    wanted: Option<&str>,
    now: Timestamp,
) -> Result<u64, Failure> {
    let sinks = match wanted {
        Some(sink) => vec![sink.to_owned()],
        None => sinks(table).await?,
    };
    let mut driven: u64 = 0;
    for sink in sinks {
        let query = Query::new(partition(&sink), Some(BY_ORDER), Range::Begins(DEAD.to_owned()));
        let keys: Vec<Key> = table.query(&query).await?.iter().map(Item::key).collect::<Result<_, _>>()?;
        for item in table.batch_get(&keys).await?.values() {
            let mut delivery = Delivery::read(item)?;
            if delivery.state != delivery::State::Dead {
                continue;
            }
            delivery.redrive(now);
            match table.put(delivery.item(), If::read(delivery.version)).await {
                Ok(()) => driven = driven.saturating_add(1),
                // A change revived it, or somebody else did this.
                Err(Failure::Conflict) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    // Each is an item of its own, so this cannot be part of it.
    evidence.attest(table, of_redrive(wanted, driven).as_slice(), now).await?;
    Ok(driven)
}

/// The partition that names every sink.
const SINKS: &str = "sinks";

/// Every sink that ever had a delivery.
async fn sinks(table: &Table) -> Result<Vec<String>, Failure> {
    let found = table.query(&Query::new(SINKS, None, Range::All)).await?;
    found.iter().map(|item| Ok(item.key()?.sk)).collect()
}

/// Notes a sink before its first delivery.
pub(super) async fn note_sink(table: &Table, sink: &str) -> Result<(), Failure> {
    table.put(Item::at(&Key::new(SINKS, sink)), If::Always).await
}
