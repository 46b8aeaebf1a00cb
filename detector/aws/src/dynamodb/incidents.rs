//! The ties of alerts, and what sinks remember of incidents, as items.
//!
//! Ties are written in the transaction of their alert; the alert's head lists them, so that they are taken away with it.

use std::collections::BTreeMap;

use bedrock_watch_engine::Second;
use bedrock_watch_service::{
    incident::{Link, id_of},
    store::{Note, Reach, StoredAlert},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    failure::Failure,
    head,
    item::{EXPIRES, Item, Key, ORDER, VERSION},
    lists,
    table::{BY_ORDER, If, Query, Range, Table, Write},
};

/// Queries under way at once.
const QUERIES_AT_ONCE: usize = 8;
/// For how long a note is kept after it was last written, in seconds; it is deleted earlier with its alert.
const NOTE_KEPT_S: i64 = 120 * 86_400;
/// The attribute with whose alert it is; one that the index knows.
const WHO: &str = "principal";

fn tie_key(key: &str, alert: &str) -> Key {
    Key::new(format!("tie#{key}"), alert)
}

/// What the head of an alert says of its ties: from when until when, and their keys.
pub(super) fn listed(links: &[Link]) -> String {
    let Some(first) = links.first() else { return String::new() };
    let keys: Vec<&str> = links.iter().map(|link| link.key.as_str()).collect();
    format!("{} {} {} {}", first.first.0, first.last.0, first.who, keys.join(" "))
}

/// The keys in what a head says.
fn keys(listed: &str) -> impl Iterator<Item = &str> {
    listed.split_whitespace().skip(3)
}

/// The writes that put ties in place of those that a head lists; none where they are the same.
pub(super) fn replace(alert: &str, before: &str, links: &[Link]) -> BTreeMap<Key, Write> {
    if before == listed(links) {
        return BTreeMap::new();
    }
    let gone = keys(before).map(|key| tie_key(key, alert));
    let mut writes: BTreeMap<Key, Write> = gone.map(|key| (key.clone(), Write::Delete(key, If::Always))).collect();
    for link in links {
        let key = tie_key(&link.key, alert);
        let order = format!("{:010}#{:010}#{alert}", link.first.0, link.last.0);
        let item = Item::at(&key).text(ORDER, &order).text(WHO, &link.who);
        writes.insert(key, Write::Put(item, If::Always));
    }
    writes
}

/// The writes that take away what there is about an alert that is forgotten.
pub(super) fn forget(head: &head::Head) -> impl Iterator<Item = Write> {
    let ties = keys(&head.ties).map(|key| tie_key(key, &head.id));
    let notes = head.sinks.iter().map(|sink| note_key(&id_of(&head.id), sink));
    ties.chain(notes).map(|key| Write::Delete(key, If::Always))
}

/// The ties within these reaches.
pub(super) async fn within(table: &Table, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, Failure> {
    let queries: Vec<(String, Query)> = reaches.iter().map(|reach| (reach.key.clone(), query(reach, limit))).collect();
    let ask = |(key, query): (String, Query)| async move {
        let found = table.query(&query).await?;
        found.iter().map(|item| read(&key, item)).collect::<Result<Vec<_>, _>>()
    };
    let queries = stream::iter(queries).map(ask).buffered(QUERIES_AT_ONCE);
    let found: Vec<Vec<Link>> = queries.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn query(reach: &Reach, limit: usize) -> Query {
    // `~` comes after everything that can follow the time.
    let range = Range::Between(format!("{:010}", reach.from.0), format!("{:010}~", reach.to.0));
    Query { limit, ..Query::new(format!("tie#{}", reach.key), Some(BY_ORDER), range) }
}

fn read(key: &str, item: &Item) -> Result<Link, Failure> {
    let damaged = || Failure::Damaged("a tie of an alert has no readable time".to_owned());
    let mut parts = item.get_text(ORDER)?.splitn(3, '#');
    let mut time = || parts.next().and_then(|part| part.parse().ok()).map(Second).ok_or_else(damaged);
    let (first, last) = (time()?, time()?);
    Ok(Link { key: key.to_owned(), first, last, alert: item.key()?.sk, who: item.get_text(WHO)?.to_owned() })
}

/// The alerts of these ids.
pub(super) async fn alerts_by_id(table: &Table, ids: &[String]) -> Result<Vec<StoredAlert>, Failure> {
    let keys: Vec<Key> = ids.iter().map(|id| head::key(id)).collect();
    lists::stored(table, &keys).await
}

fn note_key(incident: &str, sink: &str) -> Key {
    Key::new(format!("note#{incident}"), sink)
}

/// The notes of a sink about these incidents.
pub(super) async fn notes(table: &Table, sink: &str, incidents: &[String]) -> Result<Vec<Note>, Failure> {
    let keys: Vec<Key> = incidents.iter().map(|incident| note_key(incident, sink)).collect();
    let found = table.batch_get(&keys).await?;
    let note = |item: &Item| {
        let Key { pk, sk } = item.key()?;
        Ok(Note {
            sink: sk,
            incident: pk.strip_prefix("note#").unwrap_or_default().to_owned(),
            version: item.version()?,
            held_until: item.maybe_get_time("held_until")?,
            memo: item.get_text("memo")?.to_owned(),
        })
    };
    found.values().map(note).collect()
}

/// Keeps a note if nobody has written it since it was read.
pub(super) async fn put_note(table: &Table, note: &Note) -> Result<bool, Failure> {
    let expires = Timestamp::now().as_second().saturating_add(NOTE_KEPT_S);
    let item = Item::at(&note_key(&note.incident, &note.sink))
        .number(VERSION, note.version.saturating_add(1))
        .maybe_time("held_until", note.held_until)
        .text("memo", &note.memo)
        .number(EXPIRES, expires);
    match table.put(item, If::read(note.version)).await {
        Ok(()) => Ok(true),
        Err(Failure::Conflict) => Ok(false),
        Err(failure) => Err(failure),
    }
}
