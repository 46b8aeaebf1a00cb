//! The ties of alerts, and what sinks remember of incidents.
//!
//! Ties are written with the alert, in its transaction. Alerts that were stored by a version without ties get theirs
//! when they change next.

use bedrock_watch_engine::{Second, alert::Alert};
use rusqlite::{Connection, params};

use super::{
    Failure, alerts,
    values::{count, nanos, signed, time_or_none},
};
use crate::{
    incident::{Link, id_of, links},
    store::{Note, Reach, StoredAlert},
};

/// Puts an alert's ties in place of those it had.
pub(super) fn tie(connection: &Connection, alert: &Alert) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM link WHERE alert = ?1")?.execute([&alert.id])?;
    for link in links(alert) {
        connection
            .prepare_cached("INSERT INTO link (key, first, alert, last, who) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![link.key, link.first.0, link.alert, link.last.0, link.who])?;
    }
    Ok(())
}

/// The ties within these reaches.
pub(super) fn within(connection: &Connection, reaches: &[Reach], limit: usize) -> Result<Vec<Link>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT key, first, alert, last, who FROM link WHERE key = ?1 AND first >= ?2 AND first <= ?3 \
         ORDER BY first, alert LIMIT ?4",
    )?;
    let mut found = Vec::new();
    for reach in reaches {
        let mut rows = statement.query(params![reach.key, reach.from.0, reach.to.0, limit])?;
        while let Some(row) = rows.next()? {
            found.push(Link {
                key: row.get(0)?,
                first: Second(row.get(1)?),
                alert: row.get(2)?,
                last: Second(row.get(3)?),
                who: row.get(4)?,
            });
        }
    }
    Ok(found)
}

/// The alerts of these ids.
pub(super) fn alerts_by_id(connection: &Connection, ids: &[String]) -> Result<Vec<StoredAlert>, Failure> {
    ids.iter().filter_map(|id| alerts::one(connection, id).transpose()).collect()
}

/// Those of these alerts that are stored in another revision than this one.
pub(super) fn changed_alerts(connection: &Connection, known: &[(String, u32)]) -> Result<Vec<StoredAlert>, Failure> {
    known.iter().filter_map(|(id, revision)| alerts::one_beside(connection, id, *revision).transpose()).collect()
}

/// The notes of a sink about these incidents.
pub(super) fn notes(connection: &Connection, sink: &str, incidents: &[String]) -> Result<Vec<Note>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT sink, incident, version, held_until, memo FROM note WHERE incident = ?1 AND sink = ?2",
    )?;
    let mut found = Vec::new();
    for incident in incidents {
        let mut rows = statement.query(params![incident, sink])?;
        if let Some(row) = rows.next()? {
            found.push(Note {
                sink: row.get(0)?,
                incident: row.get(1)?,
                version: count(row.get(2)?),
                held_until: time_or_none(row.get(3)?)?,
                memo: row.get(4)?,
            });
        }
    }
    Ok(found)
}

/// Keeps a note if nobody has written it since it was read.
pub(super) fn put_note(connection: &Connection, note: &Note) -> Result<bool, Failure> {
    let (held, version) = (note.held_until.map(nanos), signed(note.version));
    let sql = if note.version == 0 {
        "INSERT INTO note (sink, incident, version, held_until, memo) VALUES (?1, ?2, ?3 + 1, ?4, ?5) \
         ON CONFLICT (incident, sink) DO NOTHING"
    } else {
        "UPDATE note SET version = version + 1, held_until = ?4, memo = ?5 \
         WHERE sink = ?1 AND incident = ?2 AND version = ?3"
    };
    let written =
        connection.prepare_cached(sql)?.execute(params![note.sink, note.incident, version, held, note.memo])?;
    Ok(written > 0)
}

/// Nobody of a process that is gone holds a note any longer.
pub(super) fn void_holds(connection: &Connection) -> Result<(), Failure> {
    connection.execute("UPDATE note SET held_until = NULL, version = version + 1 WHERE held_until IS NOT NULL", [])?;
    Ok(())
}

/// Forgets what there is about an alert that is forgotten.
pub(super) fn forget(connection: &Connection, alert: &str) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM link WHERE alert = ?1")?.execute([alert])?;
    connection.prepare_cached("DELETE FROM note WHERE incident = ?1")?.execute([id_of(alert)])?;
    Ok(())
}
