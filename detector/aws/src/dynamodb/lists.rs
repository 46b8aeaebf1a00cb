//! Alerts as people look at them: one, its history, pages of many; and what is forgotten in the end.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use bedrock_watch_engine::alert::Status;
use bedrock_watch_service::store::{AlertFilter, Page, Revision, StoredAlert};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    delivery,
    failure::Failure,
    head::{self, Head, PARTITIONS, order, partition, read_revision, revision_key, revisions},
    incidents,
    item::{Item, Key, ORDER, sortable},
    silences,
    table::{BY_DUE, BY_ORDER, Filter, If, Query, Range, TRANSACTION_WRITES_MAX, Table, Write},
};

/// Alerts on a page.
const PAGE_MAX: usize = 1_000;
/// Alerts forgotten in one go, in each partition.
const FORGET_MAX: usize = 100;
/// How often an alert is read again that changes while it is read.
const READS_MAX: usize = 10;

/// One alert.
pub(super) async fn one(table: &Table, id: &str) -> Result<Option<StoredAlert>, Failure> {
    for _ in 0..READS_MAX {
        let Some(item) = table.get(&head::key(id)).await? else { return Ok(None) };
        let head = Head::read(&item)?;
        if let Some(latest) = table.get(&revision_key(id, head.revision)).await? {
            return head.stored(&latest).map(Some);
        }
    }
    Err(Failure::Damaged(format!("the latest revision of alert {id} is not there")))
}

/// The revisions that are kept of an alert, oldest first.
pub(super) async fn history(table: &Table, id: &str) -> Result<Vec<Revision>, Failure> {
    let Some(item) = table.get(&head::key(id)).await? else { return Ok(Vec::new()) };
    let kept = Head::read(&item)?.kept;
    let found = table.query(&Query::new(revisions(id), None, Range::All)).await?;
    let found = found.iter().map(|item| read_revision(item).map(|(revision, _)| revision));
    // Of an alert of the same id that was forgotten before, something may be left.
    let is_kept = |found: &Result<Revision, Failure>| {
        found.as_ref().map_or(true, |revision| kept.contains_key(&revision.revision))
    };
    found.filter(is_kept).collect()
}

/// A page of alerts, newest first.
pub(super) async fn page(table: &Table, filter: &AlertFilter) -> Result<Page, Failure> {
    let range = match &filter.after {
        None => Range::All,
        Some(token) => {
            let parts = token.split_once('.').and_then(|(time, id)| Some((time.parse().ok()?, id)));
            let (time, id) = parts.ok_or(Failure::Token)?;
            Range::Below(order(time, id))
        }
    };
    let limit = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
    let conditions = conditions(filter);
    let queries = (0..PARTITIONS).map(|number| {
        let mut query = Query::new(partition(number), Some(BY_ORDER), range.clone());
        // One more than asked for says whether there is another page.
        (query.backwards, query.limit) = (true, limit.saturating_add(1));
        query.filter = conditions.clone();
        async move { table.query(&query).await }
    });
    let found: Vec<Vec<Item>> = stream::iter(queries).buffered(PARTITIONS).try_collect().await?;
    let found = found.into_iter().flatten();
    let found = found.map(|item| Ok((item.get_text(ORDER)?.to_owned(), item.key()?)));
    let mut listed: Vec<(String, Key)> = found.collect::<Result<_, Failure>>()?;
    listed.sort_unstable_by(|one, other| other.cmp(one));
    let has_more = listed.len() > limit;
    listed.truncate(limit);
    let last = listed.last().filter(|_| has_more).and_then(|(order, _)| token(order));
    let keys: Vec<Key> = listed.into_iter().map(|(_, key)| key).collect();
    Ok(Page { alerts: stored(table, &keys).await?, next: last })
}

/// The token for the page after the alert that stands here in lists.
fn token(order: &str) -> Option<String> {
    let (time, id) = order.split_once('#')?;
    Some(format!("{}.{id}", time.parse::<u32>().ok()?))
}

/// The alerts of these heads, in this order; those that were forgotten meanwhile are left out.
pub(super) async fn stored(table: &Table, keys: &[Key]) -> Result<Vec<StoredAlert>, Failure> {
    let found = table.batch_get(keys).await?;
    let heads = keys.iter().filter_map(|key| found.get(key)).map(Head::read);
    let heads: Vec<Head> = heads.collect::<Result<_, _>>()?;
    let latest: Vec<Key> = heads.iter().map(|head| revision_key(&head.id, head.revision)).collect();
    let revisions = table.batch_get(&latest).await?;
    let mut alerts = Vec::with_capacity(heads.len());
    for (head, key) in heads.into_iter().zip(&latest) {
        match revisions.get(key) {
            Some(item) => alerts.push(head.stored(item)?),
            None => alerts.extend(one(table, &head.id).await?),
        }
    }
    Ok(alerts)
}

fn conditions(filter: &AlertFilter) -> Filter {
    let mut conditions = Filter::default();
    let mut add = |name: &str, comparison: &str, value: AttributeValue| {
        conditions.parts.push(format!("#{name} {comparison} :{name}"));
        conditions.names.insert(format!("#{name}"), name.to_owned());
        conditions.values.insert(format!(":{name}"), value);
    };
    let text = |value: &str| AttributeValue::S(value.to_owned());
    match filter.status {
        Some(status) => add("status", "=", text(status.as_str())),
        None => add("status", "<>", text(Status::Withdrawn.as_str())),
    }
    if let Some(severity) = filter.severity_min {
        add("severity", ">=", AttributeValue::N(severity.rank().to_string()));
    }
    let equal = [("rule", &filter.rule), ("account", &filter.account), ("principal", &filter.principal)];
    for (name, value) in equal {
        if let Some(value) = value {
            add(name, "=", text(value));
        }
    }
    conditions
}

/// Forgets alerts that are over, or that nothing ever resolves, and were last changed before `before`, and silences that ended before it; returns how many alerts.
pub(super) async fn forget(table: &Table, before: Timestamp) -> Result<u64, Failure> {
    let mut forgotten: u64 = 0;
    for number in 0..PARTITIONS {
        loop {
            let mut query = Query::new(partition(number), Some(BY_DUE), Range::Below(sortable(before)));
            query.limit = FORGET_MAX;
            let keys: Vec<Key> = table.query(&query).await?.iter().map(Item::key).collect::<Result<_, _>>()?;
            let found = table.batch_get(&keys).await?;
            let heads: Vec<Head> = found.values().map(Head::read).collect::<Result<_, _>>()?;
            let is_over = |head: &Head| head.is_forgettable() && head.changed_at < before;
            let heads: Vec<Head> = heads.into_iter().filter(is_over).collect();
            let some = forget_all(table, heads).await?;
            forgotten = forgotten.saturating_add(some);
            // Where nothing could be forgotten, others are at work on the same alerts.
            if keys.len() < FORGET_MAX || some == 0 {
                break;
            }
        }
    }
    silences::forget(table, before).await?;
    Ok(forgotten)
}

/// Forgets these alerts: each head with its deliveries in one transaction, and then its revisions, which nobody finds
/// without the head.
async fn forget_all(table: &Table, heads: Vec<Head>) -> Result<u64, Failure> {
    let mut groups: Vec<(Vec<Head>, Vec<Write>)> = Vec::new();
    for head in heads {
        let mut writes = vec![Write::Delete(head::key(&head.id), If::Version(head.version))];
        writes.extend(incidents::forget(&head));
        writes.extend(head.sinks.iter().map(|sink| Write::Delete(delivery::key(sink, &head.id), If::Always)));
        match groups.last_mut() {
            Some((heads, together)) if together.len().saturating_add(writes.len()) <= TRANSACTION_WRITES_MAX => {
                heads.push(head);
                together.extend(writes);
            }
            _ => groups.push((vec![head], writes)),
        }
    }
    let mut forgotten: u64 = 0;
    for (heads, writes) in groups {
        match table.transact(&writes).await {
            Ok(()) => {}
            // One of them came back to life; the others wait for the next time.
            Err(Failure::Conflict) => continue,
            Err(failure) => return Err(failure),
        }
        forgotten = forgotten.saturating_add(u64::try_from(heads.len()).unwrap_or(u64::MAX));
        let revisions =
            |head: &Head| -> Vec<Key> { head.kept.keys().map(|revision| revision_key(&head.id, *revision)).collect() };
        let revisions: BTreeSet<Key> = heads.iter().flat_map(revisions).collect();
        let revisions: Vec<Key> = revisions.into_iter().collect();
        table.batch_delete(&revisions).await?;
    }
    Ok(forgotten)
}
