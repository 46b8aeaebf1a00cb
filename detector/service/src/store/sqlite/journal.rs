//! The journal of records that cannot be read again, and the positions of sources that can.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{
    Failure,
    values::{count, signed},
};
use crate::store::JournalEntry;

/// Entries forgotten in one transaction, so that commits need not wait for long.
pub(super) const FORGET_MAX: i64 = 500;
/// Entries that one call reads at most.
const READ_MAX: usize = 10_000;
const END_BYTES: usize = 4;

/// Adds entries.
pub(super) fn add(connection: &Connection, entries: &[JournalEntry]) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached("INSERT INTO journal (source, records, ends) VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        let ends: Vec<u8> = entry.ends.iter().flat_map(|end| end.to_le_bytes()).collect();
        statement.execute(params![entry.source, entry.records, ends])?;
    }
    Ok(())
}

/// The number of the last entry there ever was.
pub(super) fn last(connection: &Connection) -> Result<u64, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'journal'")?;
    Ok(count(statement.query_row([], |row| row.get(0))?))
}

/// Numbers entries after `number` from now on: what a snapshot contains must not be numbered again, even if the
/// database is younger than the snapshot.
pub(super) fn number_after(connection: &Connection, number: u64) -> Result<(), Failure> {
    if last(connection)? >= number {
        return Ok(());
    }
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'journal'", [])?;
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('journal', ?1)", [signed(number)])?;
    Ok(())
}

/// Entries after the one numbered `after`.
pub(super) fn read(connection: &Connection, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT number, source, records, ends FROM journal WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let limit = i64::try_from(limit.min(READ_MAX)).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![signed(after), limit])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let ends: Vec<u8> = row.get(3)?;
        let (ends, _) = ends.as_chunks::<END_BYTES>();
        let ends = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
        entries.push((count(row.get(0)?), JournalEntry { source: row.get(1)?, records: row.get(2)?, ends }));
    }
    Ok(entries)
}

/// Forgets entries up to the one numbered `through`, at most [`FORGET_MAX`]; returns whether there are more.
pub(super) fn forget(connection: &Connection, through: u64) -> Result<bool, Failure> {
    let forgotten = connection
        .prepare_cached("DELETE FROM journal WHERE number IN (SELECT number FROM journal WHERE number <= ?1 LIMIT ?2)")?
        .execute(params![signed(through), FORGET_MAX])?;
    Ok(i64::try_from(forgotten).unwrap_or(i64::MAX) >= FORGET_MAX)
}

/// Notes positions.
pub(super) fn set_positions(connection: &Connection, positions: &BTreeMap<String, String>) -> Result<(), Failure> {
    let mut statement = connection
        .prepare_cached("INSERT INTO position VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET position = ?2")?;
    for (source, position) in positions {
        statement.execute([source, position])?;
    }
    Ok(())
}

/// Every position.
pub(super) fn positions(connection: &Connection) -> Result<BTreeMap<String, String>, Failure> {
    let mut statement = connection.prepare_cached("SELECT source, position FROM position")?;
    let positions = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(positions)
}
