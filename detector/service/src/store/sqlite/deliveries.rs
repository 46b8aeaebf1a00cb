//! Deliveries: one row for each sink and alert.
//!
//! A row rests, waits, is claimed or is dead. `wanted` is the revision the sink should be told up to and `delivered`
//! the one it has been told up to; `base` is where its present wait began, so that revisions which were not meant for
//! the sink are not told later. `since` is when it first fell due and keeps the order, `due` moves with each retry.

use bedrock_watch_engine::alert::{Severity, Status};
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params, params};

use super::{
    Failure, alerts, evidence,
    values::{FIRING, count, nanos, severity, severity_number, signed, time, time_or_none},
};
use crate::evidence::{of_redrive, of_settlement};
use crate::store::{Claim, DeadLetter, Destination, Settlement, Waiting};

const RESTING: i64 = 0;
const WAITING: i64 = 1;
const CLAIMED: i64 = 2;
const DEAD: i64 = 3;

/// Deliveries that one call claims, or dead letters it lists, at most.
const ROWS_MAX: usize = 1_000;

fn rows(limit: usize) -> i64 {
    i64::try_from(limit.min(ROWS_MAX)).unwrap_or(i64::MAX)
}

/// Makes the destinations want a revision of an alert.
pub(super) fn want(
    connection: &Connection,
    (alert, revision, severity): (&str, u32, Severity),
    destinations: &[Destination],
    now: Timestamp,
) -> Result<(), Failure> {
    destinations.iter().try_for_each(|destination| want_one(connection, alert, (revision, severity), destination, now))
}

/// The part of an update that is the same for every row that wants more than before. A wait that goes on keeps its
/// beginning, and one that is being retried its pause.
const WANTS: &str = "wanted = :revision, severity = :severity, \
    base = iif(state IN (0, 3), :revision - 1, base), \
    since = iif(state IN (0, 3) OR wanted <= delivered, :due, min(since, :due)), \
    due = iif(state = 1 AND attempts > 0, due, iif(state = 1, min(due, :due), :due)), \
    attempts = iif(state IN (0, 3), 0, attempts), \
    dead_at = NULL, state = iif(state = 2, 2, 1)";

/// Makes the sinks that have heard of an alert, or are about to, want a revision of it.
pub(super) fn want_again(
    connection: &Connection,
    (alert, revision, severity): (&str, u32, Severity),
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = format!(
        "UPDATE delivery SET {WANTS} WHERE alert = :alert AND (delivered > 0 OR state IN (:waiting, :claimed))"
    );
    connection.prepare_cached(&sql)?.execute(named_params! {
        ":alert": alert,
        ":revision": revision,
        ":severity": severity_number(severity),
        ":due": nanos(now),
        ":waiting": WAITING,
        ":claimed": CLAIMED,
    })?;
    Ok(())
}

fn want_one(
    connection: &Connection,
    alert: &str,
    (revision, severity): (u32, Severity),
    destination: &Destination,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = format!(
        "INSERT INTO delivery (sink, alert, state, severity, since, due, wanted, base, delivered, attempts, \
         unsettled, reminder, group_key, skip_if_undone, fence, claimed) \
         VALUES (:sink, :alert, 1, :severity, :due, :due, :revision, :revision - 1, 0, 0, 0, 0, :group, :skip, 0, 0) \
         ON CONFLICT (sink, alert) DO UPDATE SET {WANTS}, group_key = :group, skip_if_undone = :skip"
    );
    connection.prepare_cached(&sql)?.execute(named_params! {
        ":sink": destination.sink,
        ":alert": alert,
        ":revision": revision,
        ":severity": severity_number(severity),
        ":due": nanos(destination.not_before.map_or(now, |time| time.max(now))),
        ":group": destination.group,
        ":skip": destination.skip_if_undone,
    })?;
    Ok(())
}

/// Claims of a process that is gone hold no longer; what they were about may have arrived.
pub(super) fn void_claims(connection: &Connection) -> Result<(), Failure> {
    connection.execute(
        "UPDATE delivery SET state = ?1, unsettled = 1, owner = NULL, until = NULL WHERE state = ?2",
        params![WAITING, CLAIMED],
    )?;
    Ok(())
}

/// Claims what is due for a sink.
pub(super) fn claim(
    connection: &Connection,
    (sink, owner): (&str, &str),
    (now, until): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Vec<Claim>, Failure> {
    connection
        .prepare_cached(
            "UPDATE delivery SET state = ?3, unsettled = 1, owner = NULL, until = NULL, due = min(due, until) \
             WHERE sink = ?1 AND state = ?2 AND until <= ?4",
        )?
        .execute(params![sink, CLAIMED, WAITING, nanos(now)])?;
    let due: Vec<String> = connection
        .prepare_cached(
            "SELECT alert FROM delivery INDEXED BY delivery_order WHERE sink = ?1 AND state = ?2 AND due <= ?3 \
             ORDER BY severity DESC, since, alert LIMIT ?4",
        )?
        .query_map(params![sink, WAITING, nanos(now), rows(limit)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    due.into_iter().map(|alert| claim_one(connection, (sink, &alert, owner), until)).collect()
}

fn claim_one(
    connection: &Connection,
    (sink, alert, owner): (&str, &str, &str),
    until: Timestamp,
) -> Result<Claim, Failure> {
    let stored = alerts::one(connection, alert)?;
    let stored = stored.ok_or_else(|| Failure::Damaged(format!("a delivery of alert {alert}, which is not there")))?;
    let mut statement = connection.prepare_cached(
        "UPDATE delivery SET state = ?5, fence = fence + 1, owner = ?3, until = ?4, claimed = wanted \
         WHERE sink = ?1 AND alert = ?2 \
         RETURNING fence, delivered, base, wanted, memo, attempts, unsettled, reminder, group_key, skip_if_undone",
    )?;
    let mut rows = statement.query(params![sink, alert, owner, nanos(until), CLAIMED])?;
    let row = rows.next()?.ok_or_else(|| Failure::Damaged("a delivery vanished".to_owned()))?;
    let (delivered, base, wanted): (u32, u32, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let reminder: bool = row.get(7)?;
    let claim = Claim {
        sink: sink.to_owned(),
        fence: count(row.get(0)?),
        until,
        delivered,
        pending: Vec::new(),
        memo: row.get(4)?,
        attempts: row.get(5)?,
        unsettled: row.get(6)?,
        reminder: reminder && stored.alert.status == Status::Firing,
        group: row.get(8)?,
        skip_if_undone: row.get(9)?,
        alert: stored,
    };
    // Run to its end, so that the update is done before anything else reads.
    while rows.next()?.is_some() {}
    let pending = alerts::revisions(connection, alert, (delivered.max(base), wanted), true)?;
    Ok(Claim { pending, ..claim })
}

/// Settles a claim; `false` when somebody else has it.
pub(super) fn settle(
    connection: &Connection,
    claim: &Claim,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, Failure> {
    let (sink, alert) = (&claim.sink, &claim.alert.alert.id);
    let fence = signed(claim.fence);
    let held = connection
        .prepare_cached(
            "UPDATE delivery SET owner = NULL, until = NULL, state = ?5 \
             WHERE sink = ?1 AND alert = ?2 AND fence = ?3 AND state = ?4",
        )?
        .execute(params![sink, alert, fence, CLAIMED, WAITING])?;
    if held == 0 {
        return Ok(false);
    }
    match settlement {
        Settlement::Delivered { through, memo, .. } => connection
            .prepare_cached(
                "UPDATE delivery SET delivered = max(delivered, min(?3, wanted)), told_at = ?4, attempts = 0, \
                 unsettled = 0, reminder = 0, error = NULL, memo = coalesce(?5, memo), since = due, \
                 state = iif(max(delivered, ?3) >= wanted, ?6, state) WHERE sink = ?1 AND alert = ?2",
            )?
            .execute(params![sink, alert, through, nanos(now), memo, RESTING])?,
        Settlement::Retry { at, error, unsettled } => connection
            .prepare_cached(
                "UPDATE delivery SET attempts = attempts + 1, due = ?3, error = ?4, unsettled = max(unsettled, ?5) \
                 WHERE sink = ?1 AND alert = ?2",
            )?
            .execute(params![sink, alert, nanos(*at), error, unsettled])?,
        // What was added meanwhile has not been tried, so the delivery goes on with it.
        Settlement::Dead { error } => connection
            .prepare_cached(
                "UPDATE delivery SET attempts = attempts + 1, error = ?3, reminder = 0, \
                 dead_at = iif(wanted > claimed, NULL, ?4), state = iif(wanted > claimed, state, ?5) \
                 WHERE sink = ?1 AND alert = ?2",
            )?
            .execute(params![sink, alert, error, nanos(now), DEAD])?,
        Settlement::Released => 0,
    };
    evidence::add(connection, of_settlement(claim, settlement).as_slice(), now)?;
    Ok(true)
}

/// When the next delivery of a sink falls due, or a claim of it expires.
pub(super) fn next_due(connection: &Connection, sink: &str) -> Result<Option<Timestamp>, Failure> {
    let earliest: Option<i64> = connection
        .prepare_cached(
            "SELECT min(at) FROM (SELECT min(due) AS at FROM delivery WHERE sink = ?1 AND state = ?2 \
             UNION ALL SELECT min(until) FROM delivery WHERE sink = ?1 AND state = ?3)",
        )?
        .query_row(params![sink, WAITING, CLAIMED], |row| row.get(0))?;
    time_or_none(earliest)
}

/// How much waits for a sink.
pub(super) fn waiting(connection: &Connection, sink: &str) -> Result<Waiting, Failure> {
    let (alerts, since): (i64, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), min(since) FROM delivery WHERE sink = ?1 AND state IN (?2, ?3) AND wanted > delivered",
        )?
        .query_row(params![sink, WAITING, CLAIMED], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let dead: i64 = connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE sink = ?1 AND state = ?2")?
        .query_row(params![sink, DEAD], |row| row.get(0))?;
    Ok(Waiting { alerts: count(alerts), dead: count(dead), since: time_or_none(since)? })
}

/// Makes a sink hear again of what still fires.
pub(super) fn remind(
    connection: &Connection,
    sink: &str,
    told_before: Timestamp,
    now: Timestamp,
) -> Result<u64, Failure> {
    let reminded = connection
        .prepare_cached(
            "UPDATE delivery SET state = :waiting, reminder = 1, due = :now, since = :now \
             WHERE sink = :sink AND state = :resting AND told_at < :before AND EXISTS (SELECT 1 FROM alert \
             WHERE alert.id = delivery.alert AND status = :firing AND NOT EXISTS (SELECT 1 FROM silence \
             WHERE silence.id = alert.silence AND silence.starts_at <= :now AND silence.ends_at > :now))",
        )?
        .execute(named_params! {
            ":sink": sink,
            ":waiting": WAITING,
            ":resting": RESTING,
            ":firing": FIRING,
            ":now": nanos(now),
            ":before": nanos(told_before),
        })?;
    Ok(u64::try_from(reminded).unwrap_or(u64::MAX))
}

/// What was given up, newest first.
pub(super) fn dead_letters(connection: &Connection, limit: usize) -> Result<Vec<DeadLetter>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT sink, alert, rule, alert.severity, dead_at, error, attempts FROM delivery \
         JOIN alert ON alert.id = delivery.alert WHERE state = ?1 ORDER BY dead_at DESC, sink, alert LIMIT ?2",
    )?;
    let mut rows = statement.query(params![DEAD, rows(limit)])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        letters.push(dead_letter(row)?);
    }
    Ok(letters)
}

fn dead_letter(row: &Row<'_>) -> Result<DeadLetter, Failure> {
    Ok(DeadLetter {
        sink: row.get(0)?,
        alert: row.get(1)?,
        rule: row.get::<_, String>(2)?.into(),
        severity: severity(row.get(3)?)?,
        at: time(row.get(4)?)?,
        error: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        attempts: row.get(6)?,
    })
}

/// Puts back what was given up.
pub(super) fn redrive(connection: &Connection, sink: Option<&str>, now: Timestamp) -> Result<u64, Failure> {
    let driven = connection
        .prepare_cached(
            "UPDATE delivery SET state = ?2, due = ?3, since = ?3, attempts = 0, dead_at = NULL \
             WHERE state = ?1 AND (?4 IS NULL OR sink = ?4)",
        )?
        .execute(params![DEAD, WAITING, nanos(now), sink])?;
    let driven = u64::try_from(driven).unwrap_or(u64::MAX);
    evidence::add(connection, of_redrive(sink, driven).as_slice(), now)?;
    Ok(driven)
}
