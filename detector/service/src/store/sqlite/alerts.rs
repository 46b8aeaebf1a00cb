//! Alerts and their revisions.

use std::sync::Arc;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Status};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{
    Failure, deliveries, evidence, incidents,
    values::{
        FIRING, RESOLVED, UPDATED, WITHDRAWN, kind, kind_number, nanos, severity, severity_number, status,
        status_number, time,
    },
};
use crate::evidence::{of_change, of_resolution};
use crate::store::{
    AlertFilter, Change, Page, Recorded, Resolution, Revision, StoredAlert,
    digest::digest,
    life::{Known, Next, Told, never_resolves, next},
};

/// Revisions kept of an alert: the first, the last and what is more than an update first of all.
const REVISIONS_MAX: i64 = 64;
/// Revisions kept of an alert, whatever they are.
const TRANSITIONS_MAX: i64 = 256;
/// Alerts on a page.
const PAGE_MAX: usize = 1_000;
/// Alerts forgotten in one transaction.
pub(super) const FORGET_MAX: u64 = 200;

/// The columns of [`stored`], from `alert` joined with its latest revision.
const STORED: &str = "alert.revision, created_at, changed_at, trace_id, alert.silence, alert.author, alert.reason, \
                      body, id, first_event_time FROM alert JOIN revision \
                      ON revision.alert = alert.id AND revision.revision = alert.revision";

/// Stores a change, and who is to hear of it.
pub(super) fn record(connection: &Connection, change: &Change, now: Timestamp) -> Result<Recorded, Failure> {
    let known = known(connection, &change.alert.id)?;
    let Some(next) = next(known.as_ref(), change) else {
        return Ok(Recorded::Known);
    };
    let revision = known.as_ref().map_or(0, |known| known.revision).saturating_add(1);
    let mut alert = Arc::clone(&change.alert);
    if alert.status != next.status {
        Arc::make_mut(&mut alert).status = next.status;
    }
    write_alert(connection, change, &next, (revision, now))?;
    incidents::tie(connection, &alert)?;
    let silence = change.silence.as_deref();
    write_revision(connection, (&alert.id, revision, next.kind), (&alert, silence, None), now)?;
    match next.told {
        Told::Destinations => {
            deliveries::want(connection, (&alert.id, revision, alert.severity), &change.destinations, now)?;
        }
        Told::Listeners => deliveries::want_again(connection, (&alert.id, revision, alert.severity), now)?,
        Told::Nobody => {}
    }
    evidence::add(connection, &of_change(known.as_ref(), &next, change, revision), now)?;
    Ok(Recorded::Revision(revision))
}

fn known(connection: &Connection, id: &str) -> Result<Option<Known>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, engine_status, status, severity, author IS NOT NULL, silence IS NOT NULL, revision \
         FROM alert WHERE id = ?1",
    )?;
    let row = statement
        .query_row([id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        })
        .optional()?;
    let Some((digest, engine_status, stands, bad, by_hand, silenced, revision)) = row else { return Ok(None) };
    let known = Known {
        digest,
        engine_status: status(engine_status)?,
        status: status(stands)?,
        severity: severity(bad)?,
        by_hand,
        silenced,
        revision,
    };
    Ok(Some(known))
}

fn write_alert(
    connection: &Connection,
    change: &Change,
    next: &Next,
    (revision, now): (u32, Timestamp),
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO alert VALUES (:id, :revision, :now, :now, :trace_id, :silence, NULL, NULL, :digest, \
         :engine_status, :status, :severity, :rule, :account, :principal, :first) \
         ON CONFLICT (id) DO UPDATE SET revision = :revision, changed_at = :now, \
         trace_id = coalesce(trace_id, :trace_id), silence = :silence, \
         author = iif(:by_hand, author, NULL), reason = iif(:by_hand, reason, NULL), digest = :digest, \
         engine_status = :engine_status, status = :status, severity = :severity, rule = :rule, account = :account, \
         principal = :principal, first_event_time = :first",
    )?;
    let alert = &change.alert;
    statement.execute(named_params! {
        ":id": alert.id,
        ":revision": revision,
        ":now": nanos(now),
        ":trace_id": change.trace_id,
        ":silence": change.silence,
        ":by_hand": next.by_hand,
        ":digest": digest(alert),
        ":engine_status": status_number(alert.status),
        ":status": status_number(next.status),
        ":severity": severity_number(alert.severity),
        ":rule": alert.rule,
        ":account": alert.account,
        ":principal": alert.principal,
        ":first": alert.first_event_time.0,
    })?;
    Ok(())
}

fn write_revision(
    connection: &Connection,
    (id, revision, kind): (&str, u32, ChangeKind),
    (alert, silence, by): (&Alert, Option<&str>, Option<&Resolution>),
    now: Timestamp,
) -> Result<(), Failure> {
    let body = serde_json::to_string(alert).map_err(|error| Failure::Damaged(error.to_string()))?;
    let (author, reason) = (by.map(|by| &by.author), by.map(|by| &by.reason));
    connection.prepare_cached("INSERT INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        id,
        revision,
        nanos(now),
        kind_number(kind),
        silence,
        author,
        reason,
        body
    ])?;
    trim(connection, id)
}

/// Drops the oldest updates beyond the limit, and then whatever is oldest; never the first revision.
fn trim(connection: &Connection, id: &str) -> Result<(), Failure> {
    let kept: i64 = connection
        .prepare_cached("SELECT count(*) FROM revision WHERE alert = ?1")?
        .query_row([id], |row| row.get(0))?;
    if kept <= REVISIONS_MAX {
        return Ok(());
    }
    let dropped = connection
        .prepare_cached(
            "DELETE FROM revision WHERE rowid IN (SELECT rowid FROM revision WHERE alert = ?1 AND kind = ?2 \
             AND revision > 1 AND revision < (SELECT max(revision) FROM revision WHERE alert = ?1) \
             ORDER BY revision LIMIT ?3)",
        )?
        .execute(params![id, UPDATED, kept.saturating_sub(REVISIONS_MAX)])?;
    let kept = kept.saturating_sub(i64::try_from(dropped).unwrap_or(i64::MAX));
    if kept > TRANSITIONS_MAX {
        connection
            .prepare_cached(
                "DELETE FROM revision WHERE rowid IN (SELECT rowid FROM revision WHERE alert = ?1 AND revision > 1 \
                 ORDER BY revision LIMIT ?2)",
            )?
            .execute(params![id, kept.saturating_sub(TRANSITIONS_MAX)])?;
    }
    Ok(())
}

/// A person resolves an alert.
pub(super) fn resolve(
    connection: &Connection,
    id: &str,
    by: &Resolution,
    now: Timestamp,
) -> Result<Option<StoredAlert>, Failure> {
    let Some(stored) = one(connection, id)? else { return Ok(None) };
    if stored.alert.status != Status::Firing {
        return Ok(Some(stored));
    }
    let revision = stored.revision.saturating_add(1);
    let mut alert = stored.alert;
    Arc::make_mut(&mut alert).status = Status::Resolved;
    connection
        .prepare_cached(
            "UPDATE alert SET revision = ?2, changed_at = ?3, silence = NULL, author = ?4, reason = ?5, status = ?6 \
             WHERE id = ?1",
        )?
        .execute(params![id, revision, nanos(now), by.author, by.reason, RESOLVED_STATUS])?;
    write_revision(connection, (id, revision, ChangeKind::Resolved), (&alert, None, Some(by)), now)?;
    deliveries::want_again(connection, (id, revision, alert.severity), now)?;
    evidence::add(connection, &[of_resolution(&alert, revision, by)], now)?;
    one(connection, id)
}

const RESOLVED_STATUS: i64 = status_number(Status::Resolved);

/// One alert.
pub(super) fn one(connection: &Connection, id: &str) -> Result<Option<StoredAlert>, Failure> {
    one_beside(connection, id, 0)
}

/// One alert, unless it is stored in this revision. They are counted from 1.
pub(super) fn one_beside(connection: &Connection, id: &str, revision: u32) -> Result<Option<StoredAlert>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {STORED} WHERE id = ?1 AND alert.revision <> ?2"))?;
    let row = statement.query_row(params![id, revision], |row| Ok(stored(row))).optional()?;
    row.transpose()
}

fn stored(row: &Row<'_>) -> Result<StoredAlert, Failure> {
    let (author, reason): (Option<String>, Option<String>) = (row.get(5)?, row.get(6)?);
    Ok(StoredAlert {
        revision: row.get(0)?,
        created_at: time(row.get(1)?)?,
        changed_at: time(row.get(2)?)?,
        trace_id: row.get(3)?,
        silence: row.get(4)?,
        resolution: author.zip(reason).map(|(author, reason)| Resolution { author, reason }),
        alert: alert(row, 7)?,
    })
}

fn alert(row: &Row<'_>, column: usize) -> Result<Arc<Alert>, Failure> {
    let body: String = row.get(column)?;
    serde_json::from_str(&body).map(Arc::new).map_err(|error| Failure::Damaged(format!("an alert in it: {error}")))
}

/// A page of alerts.
pub(super) fn page(connection: &Connection, filter: &AlertFilter) -> Result<Page, Failure> {
    let after = filter.after.as_deref().map(parse_token).transpose()?;
    let (after_time, after_id) = after.map_or((None, None), |(time, id)| (Some(time), Some(id)));
    let limit = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STORED} WHERE iif(:status IS NULL, status <> :withdrawn, status = :status) \
         AND (:severity IS NULL OR severity >= :severity) AND (:rule IS NULL OR rule = :rule) \
         AND (:account IS NULL OR account = :account) AND (:principal IS NULL OR principal = :principal) \
         AND (:time IS NULL OR first_event_time <= :time) \
         AND (:time IS NULL OR (first_event_time, id) < (:time, :id)) \
         ORDER BY first_event_time DESC, id DESC LIMIT :limit"
    ))?;
    let mut rows = statement.query(named_params! {
        ":status": filter.status.map(status_number),
        ":withdrawn": status_number(Status::Withdrawn),
        ":severity": filter.severity_min.map(severity_number),
        ":rule": filter.rule,
        ":account": filter.account,
        ":principal": filter.principal,
        ":time": after_time,
        ":id": after_id,
        // One more than asked for says whether there is another page.
        ":limit": i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
    })?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        if page.alerts.len() == limit {
            page.next = page.alerts.last().map(|last| token(&last.alert));
            break;
        }
        page.alerts.push(stored(row)?);
    }
    Ok(page)
}

fn token(alert: &Alert) -> String {
    format!("{}.{}", alert.first_event_time.0, alert.id)
}

fn parse_token(token: &str) -> Result<(u32, String), Failure> {
    let parsed = token.split_once('.').and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
    parsed.ok_or(Failure::Token)
}

/// The revisions of an alert after `after` up to `through`; those stored under a silence are left out if `told`, unless
/// they end the alert.
pub(super) fn revisions(
    connection: &Connection,
    id: &str,
    (after, through): (u32, u32),
    told: bool,
) -> Result<Vec<Revision>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, at, kind, author, reason, body FROM revision WHERE alert = ?1 AND revision > ?2 \
         AND revision <= ?3 AND (NOT ?4 OR silence IS NULL OR kind IN (?5, ?6)) ORDER BY revision",
    )?;
    let mut rows = statement.query(params![id, after, through, told, RESOLVED, WITHDRAWN])?;
    let mut revisions = Vec::new();
    while let Some(row) = rows.next()? {
        let (author, reason): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
        revisions.push(Revision {
            revision: row.get(0)?,
            at: time(row.get(1)?)?,
            kind: kind(row.get(2)?)?,
            alert: alert(row, 5)?,
            resolution: author.zip(reason).map(|(author, reason)| Resolution { author, reason }),
        });
    }
    Ok(revisions)
}

/// Forgets alerts that have been over for long, or fire for ever and have not changed for long, at most [`FORGET_MAX`];
/// returns how many.
pub(super) fn forget(connection: &Connection, before: Timestamp) -> Result<u64, Failure> {
    let mut over = connection.prepare_cached("SELECT id FROM alert WHERE status <> ?1 AND changed_at < ?2 LIMIT ?3")?;
    let limit = i64::try_from(FORGET_MAX).unwrap_or(i64::MAX);
    let mut ids: Vec<String> =
        over.query_map(params![FIRING, nanos(before), limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let room = usize::try_from(FORGET_MAX).unwrap_or(usize::MAX).saturating_sub(ids.len());
    ids.extend(unending(connection, before, room)?);
    for id in &ids {
        for sql in [
            "DELETE FROM delivery WHERE alert = ?1",
            "DELETE FROM revision WHERE alert = ?1",
            "DELETE FROM alert WHERE id = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([id])?;
        }
        incidents::forget(connection, id)?;
    }
    connection.prepare_cached("DELETE FROM silence WHERE ends_at < ?1")?.execute([nanos(before)])?;
    Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX))
}

/// Alerts that fire, have not changed since `before`, and that nothing ever resolves; at most `limit`.
fn unending(connection: &Connection, before: Timestamp, limit: usize) -> Result<Vec<String>, Failure> {
    let mut firing = connection.prepare_cached(
        "SELECT id, body FROM alert JOIN revision ON revision.alert = alert.id \
         AND revision.revision = alert.revision WHERE status = ?1 AND changed_at < ?2",
    )?;
    let mut rows = firing.query(params![FIRING, nanos(before)])?;
    let mut ids = Vec::new();
    while ids.len() < limit
        && let Some(row) = rows.next()?
    {
        let body: String = row.get(1)?;
        let alert: Alert = serde_json::from_str(&body).map_err(|error| Failure::Damaged(error.to_string()))?;
        if never_resolves(&alert) {
            ids.push(row.get(0)?);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn an_alert_is_asked_for_without_planning_anew() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        schema::establish(&mut connection, true).unwrap();
        for id in ["a", "b", "c"] {
            assert!(one(&connection, id).unwrap().is_none());
        }
        let sql = format!("SELECT {STORED} WHERE id = ?1 AND alert.revision <> ?2");
        let statement = connection.prepare_cached(&sql).unwrap();
        assert_eq!(statement.get_status(StatementStatus::Run), 3);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
