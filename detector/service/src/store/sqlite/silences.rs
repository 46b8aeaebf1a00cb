//! Silences as rows.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::{
    Failure,
    values::{nanos, time},
};
use crate::store::Silence;

/// For how long silences that have ended are still shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Adds or replaces one.
pub(super) fn put(connection: &Connection, silence: &Silence) -> Result<(), Failure> {
    let body = serde_json::to_string(silence).map_err(|error| Failure::Damaged(error.to_string()))?;
    connection.prepare_cached("INSERT OR REPLACE INTO silence VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        silence.id,
        nanos(silence.starts_at),
        nanos(silence.ends_at),
        body
    ])?;
    Ok(())
}

/// Those that end after `now`, and those that ended lately if asked for.
pub(super) fn list(connection: &Connection, now: Timestamp, ended: bool) -> Result<Vec<Silence>, Failure> {
    let oldest = if ended { now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN) } else { now };
    let mut statement =
        connection.prepare_cached("SELECT body, ends_at FROM silence WHERE ends_at > ?1 ORDER BY starts_at, id")?;
    let mut rows = statement.query([nanos(oldest)])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        let silence: Silence =
            serde_json::from_str(&body).map_err(|error| Failure::Damaged(format!("a silence in it: {error}")))?;
        silences.push(Silence { ends_at: silence.ends_at.min(time(row.get(1)?)?), ..silence });
    }
    Ok(silences)
}

/// Ends one; `false` when it does not hold.
pub(super) fn end(connection: &Connection, id: &str, now: Timestamp) -> Result<bool, Failure> {
    let ended = connection
        .prepare_cached("UPDATE silence SET ends_at = ?2 WHERE id = ?1 AND ends_at > ?2")?
        .execute(params![id, nanos(now)])?;
    Ok(ended > 0)
}
