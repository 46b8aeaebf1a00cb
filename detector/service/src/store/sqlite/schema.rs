//! The tables, their version, and how a file is made one of ours.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, config::DbConfig};

use super::Failure;

/// Says that a SQLite file is ours: "BWst".
const APPLICATION_ID: i32 = 0x4257_7374;
/// How long a statement waits for another process that is writing.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Statements kept ready.
const STATEMENTS_MAX: usize = 64;
/// Files up to this size are checked when the daemon opens them, in bytes; for larger ones it would take too long.
const CHECKED_BYTES_MAX: u64 = 256 << 20;
/// Pages (of 4 KiB) in the write-ahead log before a commit moves them into the database: only if nobody else does.
const CHECKPOINT_PAGES: i64 = 20_000;

/// One step for each version: what makes a file of version `index` one of version `index + 1`.
///
/// A step is never changed once it was released; what changes is added as another.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE alert (
    id TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    trace_id TEXT,
    silence TEXT,
    author TEXT,
    reason TEXT,
    digest BLOB NOT NULL,
    engine_status INTEGER NOT NULL,
    status INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    rule TEXT NOT NULL,
    account TEXT NOT NULL,
    principal TEXT,
    first_event_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_newest ON alert (first_event_time DESC, id DESC);
CREATE INDEX alert_over ON alert (changed_at) WHERE status <> 0;

CREATE TABLE revision (
    alert TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    silence TEXT,
    author TEXT,
    reason TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (alert, revision)
) STRICT;

CREATE TABLE delivery (
    sink TEXT NOT NULL,
    alert TEXT NOT NULL,
    state INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    since INTEGER NOT NULL,
    due INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    base INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    told_at INTEGER,
    memo TEXT,
    attempts INTEGER NOT NULL,
    unsettled INTEGER NOT NULL,
    reminder INTEGER NOT NULL,
    group_key TEXT,
    skip_if_undone INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    owner TEXT,
    until INTEGER,
    claimed INTEGER NOT NULL,
    error TEXT,
    dead_at INTEGER,
    PRIMARY KEY (sink, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_order ON delivery (sink, state, severity DESC, since, alert, due);
CREATE INDEX delivery_due ON delivery (sink, state, due);
CREATE INDEX delivery_alert ON delivery (alert);

CREATE TABLE position (
    source TEXT PRIMARY KEY NOT NULL,
    position TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    records BLOB NOT NULL,
    ends BLOB NOT NULL
) STRICT;

CREATE TABLE silence (
    id TEXT PRIMARY KEY NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
CREATE INDEX alert_firing ON alert (changed_at) WHERE status = 0;
",
    "
CREATE TABLE link (
    key TEXT NOT NULL,
    first INTEGER NOT NULL,
    alert TEXT NOT NULL,
    last INTEGER NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (key, first, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_alert ON link (alert);

CREATE TABLE note (
    sink TEXT NOT NULL,
    incident TEXT NOT NULL,
    version INTEGER NOT NULL,
    held_until INTEGER,
    memo TEXT NOT NULL,
    PRIMARY KEY (incident, sink)
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE evidence (
    seq INTEGER PRIMARY KEY NOT NULL,
    line TEXT NOT NULL
) STRICT;

CREATE TABLE chain (
    worker TEXT PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    at INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    archived_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
];

/// Settings of a connection, whatever it is used for.
pub(super) fn prepare(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Or SQLite plans a statement anew for each value it is asked with, which costs as much as finding the row.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    // A commit has reached the disk when it returns; that is what "accepted" means.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(())
}

/// Makes sure that the file is a store of this version. The owner creates and migrates it; others only look.
pub(super) fn establish(connection: &mut Connection, owner: bool) -> Result<(), Failure> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: Option<String> =
        connection.query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get(0)).optional()?;
    let supported = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if tables.is_some() && application != APPLICATION_ID {
        return Err(Failure::Foreign("it is the database of another program".to_owned()));
    }
    if version > supported {
        let reason = format!("its format is {version}, and this version reads up to {supported}");
        return Err(Failure::Foreign(reason));
    }
    if !owner {
        let old = format!("its format is {version} and not {supported}; start the daemon once to bring it up to date");
        return if version == supported { Ok(()) } else { Err(Failure::Foreign(old)) };
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    if version < supported {
        migrate(connection, version)?;
    } else {
        check(connection)?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, from: i32) -> Result<(), Failure> {
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

fn check(connection: &Connection) -> Result<(), Failure> {
    let bytes: i64 =
        connection.query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| {
            row.get(0)
        })?;
    if u64::try_from(bytes).unwrap_or(0) > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(Failure::Damaged(verdict)) }
}
