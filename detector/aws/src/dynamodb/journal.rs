//! The journal of records that cannot be read again, and the positions of sources that can.
//!
//! Both belong to a scope and are fenced by its epoch: whoever has an older epoch than the last writer writes nothing.
//! Entries are numbered by a counter that is raised in the same transaction as they are written. An entry too long for
//! an item lies in parts, which are written first and found only through the entry.

use std::collections::BTreeMap;

use bedrock_watch_service::store::JournalEntry;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use super::{
    Scope,
    failure::Failure,
    head::{pack, unpack},
    item::{EXPIRES, Item, Key, VERSION},
    table::{EPOCH, If, Pause, Query, Range, TRANSACTION_BYTES_MAX, TRANSACTION_WRITES_MAX, Table, Write},
};

/// Bytes of an entry in one item; DynamoDB allows 400 KB.
const PART_BYTES: usize = 350_000;
/// Bytes of an entry that is read, in parts and compressed or not.
const ENTRY_BYTES_MAX: u64 = 256 << 20;
/// Entries that one call reads at most.
const READ_MAX: usize = 10_000;
/// Positions written at the same time.
const AT_ONCE: usize = 8;
/// After how long DynamoDB deletes parts, in seconds: a year. Normally they go with their entry; this is for those whose
/// entry was never written.
const PARTS_KEPT_S: i64 = 365 * 86_400;

const END_BYTES: usize = 4;

/// The counter of a scope as it was last read or written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counter {
    last: u64,
    version: u64,
}

fn partition(scope: &Scope) -> String {
    format!("journal#{}", scope.name)
}

fn counter_key(scope: &Scope) -> Key {
    Key::new(scope.partition(), "journal")
}

async fn read_counter(table: &Table, scope: &Scope) -> Result<Counter, Failure> {
    let Some(item) = table.get(&counter_key(scope)).await? else { return Ok(Counter::default()) };
    scope.check(item.get_number(EPOCH)?)?;
    Ok(Counter { last: item.get_number("last")?, version: item.version()? })
}

/// The number of the last entry.
pub(super) async fn last(table: &Table, scope: &Scope, known: &Mutex<Option<Counter>>) -> Result<u64, Failure> {
    let mut known = known.lock().await;
    if let Some(counter) = *known {
        return Ok(counter.last);
    }
    let counter = read_counter(table, scope).await?;
    *known = Some(counter);
    Ok(counter.last)
}

/// Adds entries; returns the number of the last one.
pub(super) async fn add(
    table: &Table,
    scope: &Scope,
    known: &Mutex<Option<Counter>>,
    entries: &[JournalEntry],
) -> Result<u64, Failure> {
    // One after the other in this process; the condition is for others.
    let mut known = known.lock().await;
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        items.push(prepare(table, entry).await?);
    }
    let mut left = items.as_slice();
    let mut pause = Pause::for_conflicts();
    loop {
        let counter = match *known {
            Some(counter) => counter,
            None => read_counter(table, scope).await?,
        };
        *known = Some(counter);
        if left.is_empty() {
            return Ok(counter.last);
        }
        let mut bytes: usize = 0;
        let fitting = left.iter().take(TRANSACTION_WRITES_MAX.saturating_sub(1)).take_while(|item| {
            bytes = bytes.saturating_add(Write::Put((*item).clone(), If::Always).bytes());
            bytes <= TRANSACTION_BYTES_MAX
        });
        let count = fitting.count().max(1);
        let (now, later) = left.split_at_checked(count).unwrap_or((left, &[]));
        let (writes, raised) = numbered(scope, counter, now);
        match table.transact(&writes).await {
            Ok(()) => {
                *known = Some(raised);
                left = later;
            }
            Err(Failure::Conflict) => {
                *known = None;
                pause.after_conflict().await?;
            }
            Err(failure) => {
                // Whether it was done is not known.
                *known = None;
                return Err(failure);
            }
        }
    }
}

fn numbered(scope: &Scope, counter: Counter, items: &[Item]) -> (Vec<Write>, Counter) {
    let mut last = counter.last;
    let mut writes = Vec::with_capacity(items.len().saturating_add(1));
    for item in items {
        last = last.saturating_add(1);
        let mut item = item.clone();
        item.0.extend(entry_key(scope, last).attributes());
        writes.push(Write::Put(item, If::Always));
    }
    let raised = Counter { last, version: counter.version.saturating_add(1) };
    let item = Item::at(&counter_key(scope)).number(VERSION, raised.version).number("last", last);
    writes.push(Write::Put(item.number(EPOCH, scope.epoch), If::read(counter.version)));
    (writes, raised)
}

fn entry_key(scope: &Scope, number: u64) -> Key {
    Key::new(partition(scope), format!("{number:020}"))
}

fn part_key(parts: &str, number: usize) -> Key {
    Key::new(format!("part#{parts}"), format!("{number:06}"))
}

/// The item of an entry, but for its key; what does not fit in it is written at once.
async fn prepare(table: &Table, entry: &JournalEntry) -> Result<Item, Failure> {
    let mut plain = Vec::with_capacity(entry.records.len());
    let count = u32::try_from(entry.ends.len()).unwrap_or(u32::MAX);
    plain.extend(count.to_le_bytes());
    plain.extend(entry.ends.iter().flat_map(|end| end.to_le_bytes()));
    plain.extend(&entry.records);
    let packed = pack(&plain)?;
    let item = Item::default().text("source", &entry.source);
    if packed.len() <= PART_BYTES {
        return Ok(item.bytes("packed", packed));
    }
    let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let expires = jiff::Timestamp::now().as_second().saturating_add(PARTS_KEPT_S);
    let mut count: usize = 0;
    for bytes in packed.chunks(PART_BYTES) {
        let part = Item::at(&part_key(&name, count)).bytes("packed", bytes.to_vec()).number(EXPIRES, expires);
        table.put(part, If::Always).await?;
        count = count.saturating_add(1);
    }
    Ok(item.text("parts", &name).number("count", count))
}

/// Entries after the one numbered `after`.
pub(super) async fn read(
    table: &Table,
    scope: &Scope,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, JournalEntry)>, Failure> {
    let mut query = Query::new(partition(scope), None, Range::After(entry_key(scope, after).sk));
    query.limit = limit.min(READ_MAX);
    if query.limit == 0 {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    for item in table.query(&query).await? {
        let number =
            item.key()?.sk.parse().map_err(|_| Failure::Damaged("a journal entry has no number".to_owned()))?;
        entries.push((number, read_entry(table, &item).await?));
    }
    Ok(entries)
}

async fn read_entry(table: &Table, item: &Item) -> Result<JournalEntry, Failure> {
    let plain = match parts(item)? {
        None => unpack(item.get_bytes("packed")?, ENTRY_BYTES_MAX)?,
        Some(keys) => {
            let found = table.batch_get(&keys).await?;
            let mut packed = Vec::new();
            for key in &keys {
                let lost = || Failure::Damaged(format!("a part of the journal entry {} is missing", key.pk));
                packed.extend(found.get(key).ok_or_else(lost)?.get_bytes("packed")?);
            }
            unpack(&packed, ENTRY_BYTES_MAX)?
        }
    };
    let damaged = || Failure::Damaged("a journal entry is shorter than it says".to_owned());
    let (count, rest) = plain.split_first_chunk::<END_BYTES>().ok_or_else(damaged)?;
    let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
    let (ends, records) = rest.split_at_checked(count.saturating_mul(END_BYTES)).ok_or_else(damaged)?;
    let (ends, _) = ends.as_chunks::<END_BYTES>();
    let ends = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
    Ok(JournalEntry { source: item.get_text("source")?.to_owned(), records: records.to_vec(), ends })
}

/// The keys of the parts in which an entry lies, if it does.
fn parts(item: &Item) -> Result<Option<Vec<Key>>, Failure> {
    let Some(name) = item.maybe_get_text("parts")? else { return Ok(None) };
    let count: usize = item.get_number("count")?;
    Ok(Some((0..count).map(|number| part_key(name, number)).collect()))
}

/// Forgets entries up to the one numbered `through`.
pub(super) async fn forget(table: &Table, scope: &Scope, through: u64) -> Result<(), Failure> {
    let mut query = Query::new(partition(scope), None, Range::UpTo(entry_key(scope, through).sk));
    query.limit = READ_MAX;
    loop {
        let found = table.query(&query).await?;
        let mut keys = Vec::with_capacity(found.len());
        for item in &found {
            keys.extend(parts(item)?.unwrap_or_default());
        }
        // Parts first: an entry that is left over after a crash still says where they are.
        table.batch_delete(&keys).await?;
        let entries: Vec<Key> = found.iter().map(Item::key).collect::<Result<_, _>>()?;
        table.batch_delete(&entries).await?;
        if found.len() < READ_MAX {
            return Ok(());
        }
    }
}

/// What the sort key of a position begins with.
const POSITION: &str = "position#";

/// Notes positions, each by itself: a position says only that what lies before it is stored.
pub(super) async fn set_positions(
    table: &Table,
    scope: &Scope,
    positions: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let writes: Vec<_> =
        positions.iter().map(|(source, position)| set_position(table, scope, source, position)).collect();
    stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
}

async fn set_position(table: &Table, scope: &Scope, source: &str, position: &str) -> Result<(), Failure> {
    let key = Key::new(scope.partition(), format!("{POSITION}{source}"));
    let item = Item::at(&key).text("position", position).number(EPOCH, scope.epoch);
    match table.put(item, If::Epoch(scope.epoch)).await {
        Err(Failure::Conflict) => Err(Failure::Overtaken(scope.to_string())),
        done => done,
    }
}

/// Every position of a scope.
pub(super) async fn positions(table: &Table, scope: &Scope) -> Result<BTreeMap<String, String>, Failure> {
    let query = Query::new(scope.partition(), None, Range::Begins(POSITION.to_owned()));
    let found = table.query(&query).await?;
    let position = |item: &Item| {
        let source = item.key()?.sk.strip_prefix(POSITION).unwrap_or_default().to_owned();
        Ok((source, item.get_text("position")?.to_owned()))
    };
    found.iter().map(position).collect()
}
