//! The chain of evidence: one for the file, whoever writes to it, under a name that no other file has.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Failure,
    values::{count, nanos, signed, time},
};
use crate::evidence::{
    Chain, Fact,
    chain::{Head, next_lines, read_line},
    new_name,
};

/// What the name of a file's chain begins with.
const NAME: &str = "sqlite";
/// Lines that one call reads at most.
const READ_MAX: usize = 10_000;
/// Lines forgotten in one transaction, so that commits need not wait for long.
pub(super) const FORGET_MAX: i64 = 1_000;

/// Adds what happened, in the transaction in which it does.
pub(super) fn add(connection: &Connection, facts: &[Fact], now: Timestamp) -> Result<(), Failure> {
    if facts.is_empty() {
        return Ok(());
    }
    let (worker, mut head) = match chain(connection)? {
        Some(chain) => (chain.worker, Head { seq: chain.seq, hash: chain.hash }),
        None => (new_name(NAME), Head::default()),
    };
    let lines = next_lines(&mut head, &worker, now, facts).map_err(|error| Failure::Damaged(error.to_string()))?;
    let mut insert = connection.prepare_cached("INSERT INTO evidence VALUES (?1, ?2)")?;
    for (seq, line) in lines {
        insert.execute(params![signed(seq), line])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO chain VALUES (?1, ?2, ?3, ?4, 0, '') \
             ON CONFLICT (worker) DO UPDATE SET seq = ?2, hash = ?3, at = ?4",
        )?
        .execute(params![worker, signed(head.seq), head.hash, nanos(now)])?;
    Ok(())
}

/// The file's chain, once it has a line.
pub(super) fn chain(connection: &Connection) -> Result<Option<Chain>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT worker, seq, hash, at, archived, archived_hash FROM chain LIMIT 1")?;
    let row = statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)));
    let Some((worker, seq, hash, at, archived, archived_hash)) = row.optional()? else { return Ok(None) };
    let (seq, at, archived) = (count(seq), time(at)?, count(archived));
    Ok(Some(Chain { worker, seq, hash, at, archived, archived_hash, own: true }))
}

/// Lines of the chain after the one numbered `after`.
pub(super) fn read(connection: &Connection, worker: &str, after: u64, limit: usize) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT line FROM evidence WHERE seq > ?1 AND EXISTS (SELECT 1 FROM chain WHERE worker = ?2) \
         ORDER BY seq LIMIT ?3",
    )?;
    let limit = i64::try_from(limit.min(READ_MAX)).unwrap_or(i64::MAX);
    let lines = statement.query_map(params![signed(after), worker, limit], |row| row.get(0))?;
    Ok(lines.collect::<Result<_, _>>()?)
}

/// Notes up to where the chain is archived.
pub(super) fn archived(connection: &Connection, worker: &str, through: u64) -> Result<(), Failure> {
    let line: Option<String> = connection
        .prepare_cached("SELECT line FROM evidence WHERE seq = ?1")?
        .query_row([signed(through)], |row| row.get(0))
        .optional()?;
    let Some(line) = line else { return Ok(()) };
    let entry =
        read_line(&line).map_err(|flaw| Failure::Damaged(format!("entry {through} of its evidence: {flaw}")))?;
    connection
        .prepare_cached("UPDATE chain SET archived = ?2, archived_hash = ?3 WHERE worker = ?1 AND archived < ?2")?
        .execute(params![worker, signed(through), entry.hash])?;
    Ok(())
}

/// Forgets what is archived, at most [`FORGET_MAX`] lines and never the last; returns whether there is more.
pub(super) fn forget(connection: &Connection) -> Result<bool, Failure> {
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM evidence WHERE seq IN (SELECT evidence.seq FROM evidence, chain \
             WHERE evidence.seq <= chain.archived AND evidence.seq < chain.seq ORDER BY evidence.seq LIMIT ?1)",
        )?
        .execute([FORGET_MAX])?;
    Ok(i64::try_from(forgotten).unwrap_or(i64::MAX) >= FORGET_MAX)
}
