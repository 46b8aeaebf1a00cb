//! The chains of evidence: one for each process, whose lines are written in the transaction of what they record.
//!
//! An item holds the lines of one transaction, under the number of the first of them, and is put only where there is
//! none: a second writer of the same number would fail. No item has a time to end. A process knows where its own chain
//! stands; when it does not (an answer was lost), it looks before it writes again, so that what is said again because
//! nobody answered is not written again. What comes with other writes needs no such care: their conditions fail.

use std::sync::Arc;

use bedrock_watch_service::evidence::{
    Chain, Fact,
    chain::{Head, next_lines, read_line},
    new_name,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    failure::Failure,
    item::{Item, Key},
    table::{If, Query, Range, Table, Write},
};

/// The partition that names every chain, and says how far it is archived.
const CHAINS: &str = "chains";
/// Facts written at once where they come without anything else; their lines must fit in an item.
const FACTS_MAX: usize = 8;
/// Items that one call reads at most.
const ITEMS_MAX: usize = 1_000;

/// The evidence, seen from one process. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    worker: Arc<str>,
    /// Held by whoever writes.
    writer: Arc<Mutex<Writer>>,
}

/// What a process knows of its own chain.
#[derive(Debug)]
struct Writer {
    end: End,
    /// What the last call of [`Evidence::attest`] has written although it failed: the caller will say it again.
    untold: Vec<Fact>,
}

/// Where a chain ends.
#[derive(Debug)]
enum End {
    Known(Head),
    /// Behind this, if it was done.
    Unclear(Attempt),
}

/// A transaction whose outcome is not known.
#[derive(Debug)]
struct Attempt {
    /// The number of its first line.
    first: u64,
    lines: String,
    /// Where the chain stands if it was done.
    after: Head,
    /// Its facts, where it consists of nothing else.
    facts: Vec<Fact>,
}

fn partition(worker: &str) -> String {
    format!("evidence#{worker}")
}

fn key(worker: &str, first: u64) -> Key {
    Key::new(partition(worker), sortable(first))
}

fn sortable(seq: u64) -> String {
    format!("{seq:020}")
}

fn damaged(worker: &str, reason: &dyn std::fmt::Display) -> Failure {
    Failure::Damaged(format!("the evidence of {worker}: {reason}"))
}

impl Evidence {
    /// A new chain, whose name begins with the host's.
    pub(super) fn begin() -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
        let writer = Writer { end: End::Known(Head::default()), untold: Vec::new() };
        Self { worker: new_name(&host).into(), writer: Arc::new(Mutex::new(writer)) }
    }

    /// Does all of `writes`, with lines for `facts`, or nothing; [`Failure::Conflict`] when a condition does not hold.
    pub(super) async fn transact(
        &self,
        table: &Table,
        writes: Vec<Write>,
        facts: &[Fact],
        now: Timestamp,
    ) -> Result<(), Failure> {
        if facts.is_empty() {
            return table.transact(&writes).await;
        }
        let mut writer = self.writer.lock().await;
        self.write(&mut writer, table, writes, facts, now).await
    }

    /// Writes what happened, with nothing else.
    pub(super) async fn attest(&self, table: &Table, facts: &[Fact], now: Timestamp) -> Result<(), Failure> {
        let mut writer = self.writer.lock().await;
        self.find_end(&mut writer, table).await?;
        if !facts.starts_with(&writer.untold) {
            writer.untold.clear();
        }
        let rest = facts.get(writer.untold.len()..).unwrap_or_default();
        for facts in rest.chunks(FACTS_MAX) {
            self.write(&mut writer, table, Vec::new(), facts, now).await?;
        }
        writer.untold.clear();
        Ok(())
    }

    async fn write(
        &self,
        writer: &mut Writer,
        table: &Table,
        mut writes: Vec<Write>,
        facts: &[Fact],
        now: Timestamp,
    ) -> Result<(), Failure> {
        let before = self.find_end(writer, table).await?;
        let (first, mut after) = (before.seq.saturating_add(1), before);
        let is_first = after.seq == 0;
        let lines = next_lines(&mut after, &self.worker, now, facts).map_err(|error| damaged(&self.worker, &error))?;
        let lines = lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
        let alone = if writes.is_empty() { facts.to_vec() } else { Vec::new() };
        let item = Item::at(&key(&self.worker, first)).text("lines", &lines).number("last", after.seq);
        writes.push(Write::Put(item, If::Absent));
        if is_first {
            writes.push(Write::Put(Item::at(&Key::new(CHAINS, &*self.worker)).number("archived", 0), If::Absent));
        }
        let Err(failure) = table.transact(&writes).await else {
            writer.untold.extend(alone);
            writer.end = End::Known(after);
            return Ok(());
        };
        // It may have been done, and only its answer was lost. Where that cannot be found out, the next one looks.
        writer.end = End::Unclear(Attempt { first, lines, after, facts: alone });
        match failure {
            Failure::Conflict | Failure::Unclear(_) if self.find_out(writer, table).await.is_ok_and(|done| done) => {
                Ok(())
            }
            failure => Err(failure),
        }
    }

    /// Where the chain ends; it is looked for where that is not known.
    async fn find_end(&self, writer: &mut Writer, table: &Table) -> Result<Head, Failure> {
        self.find_out(writer, table).await?;
        match &writer.end {
            End::Known(head) => Ok(head.clone()),
            End::Unclear(_) => {
                Err(Failure::Unclear(format!("the end of the evidence of {} is not known", self.worker)))
            }
        }
    }

    /// Whether there was an unclear attempt that was done.
    async fn find_out(&self, writer: &mut Writer, table: &Table) -> Result<bool, Failure> {
        let End::Unclear(attempt) = &mut writer.end else { return Ok(false) };
        let found = table.get(&key(&self.worker, attempt.first)).await?;
        let is_done = found.is_some_and(|found| found.get_text("lines").is_ok_and(|lines| lines == attempt.lines));
        let head = if is_done {
            writer.untold.append(&mut attempt.facts);
            attempt.after.clone()
        } else {
            last(table, &self.worker).await?.map_or_else(Head::default, |last| last.head)
        };
        writer.end = End::Known(head);
        Ok(is_done)
    }

    /// Every chain there is.
    pub(super) async fn chains(&self, table: &Table) -> Result<Vec<Chain>, Failure> {
        let mut chains = Vec::new();
        for item in table.query(&Query::new(CHAINS, None, Range::All)).await? {
            chains.extend(self.chain(table, &item).await?);
        }
        Ok(chains)
    }

    async fn chain(&self, table: &Table, item: &Item) -> Result<Option<Chain>, Failure> {
        let worker = item.key()?.sk;
        let (archived, archived_hash) = (item.get_number("archived")?, item.get_owned("archived_hash")?);
        let own = *worker == *self.worker;
        let closed_at = item.maybe_get_time("closed_at")?;
        let (head, at) = match (closed_at, &archived_hash) {
            // Nothing is added to it any more, so its end need not be looked for.
            (Some(at), Some(hash)) if !own => (Head { seq: archived, hash: hash.clone() }, at),
            _ => {
                let Some(last) = last(table, &worker).await? else { return Ok(None) };
                (last.head, last.at)
            }
        };
        let archived_hash = archived_hash.unwrap_or_default();
        Ok(Some(Chain { worker, seq: head.seq, hash: head.hash, at, archived, archived_hash, own }))
    }

    /// Notes up to where a chain is archived, and forgets the items that are archived as a whole, but for the last.
    pub(super) async fn archived(&self, table: &Table, worker: &str, through: u64) -> Result<(), Failure> {
        let lines = read(table, worker, through.saturating_sub(1), 1).await?;
        let Some(line) = lines.first() else { return Ok(()) };
        let entry = read_line(line).map_err(|flaw| damaged(worker, &flaw))?;
        let last = last(table, worker).await?;
        let is_closed = *worker != *self.worker && last.as_ref().is_some_and(|last| last.head.seq == through);
        let item = Item::at(&Key::new(CHAINS, worker))
            .number("archived", through)
            .text("archived_hash", &entry.hash)
            .maybe_time("closed_at", is_closed.then_some(entry.at));
        table.put(item, If::Always).await?;
        let mut query = Query::new(partition(worker), None, Range::UpTo(sortable(through)));
        query.limit = ITEMS_MAX;
        let mut keys = Vec::new();
        for item in table.query(&query).await? {
            let ends: u64 = item.get_number("last")?;
            if ends <= through && last.as_ref().is_some_and(|last| ends < last.head.seq) {
                keys.push(item.key()?);
            }
        }
        table.batch_delete(&keys).await
    }
}

/// The last line of a chain.
struct Last {
    head: Head,
    at: Timestamp,
}

async fn last(table: &Table, worker: &str) -> Result<Option<Last>, Failure> {
    let mut query = Query::new(partition(worker), None, Range::All);
    (query.backwards, query.limit) = (true, 1);
    let Some(item) = table.query(&query).await?.into_iter().next() else { return Ok(None) };
    let line = item.get_text("lines")?.lines().next_back().unwrap_or_default();
    let entry = read_line(line).map_err(|flaw| damaged(worker, &flaw))?;
    Ok(Some(Last { head: Head { seq: entry.seq, hash: entry.hash }, at: entry.at }))
}

/// Lines of a chain after the one numbered `after`, at most `limit`.
pub(super) async fn read(table: &Table, worker: &str, after: u64, limit: usize) -> Result<Vec<String>, Failure> {
    // The item that the first of them is in may begin before it.
    let mut begins = Query::new(partition(worker), None, Range::UpTo(sortable(after.saturating_add(1))));
    (begins.backwards, begins.limit) = (true, 1);
    let mut rest = Query::new(partition(worker), None, Range::After(sortable(after.saturating_add(1))));
    rest.limit = limit.min(ITEMS_MAX);
    let mut lines = Vec::new();
    for item in table.query(&begins).await?.into_iter().chain(table.query(&rest).await?) {
        let first: u64 = item.key()?.sk.parse().map_err(|_| damaged(worker, &"an item without a number"))?;
        let numbered = (first..).zip(item.get_text("lines")?.lines());
        lines.extend(numbered.filter(|(seq, _)| *seq > after).map(|(_, line)| line.to_owned()));
        if lines.len() >= limit {
            break;
        }
    }
    lines.truncate(limit);
    Ok(lines)
}
