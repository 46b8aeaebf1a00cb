//! How times and names are written in the database.
//!
//! The numbers are part of the file's format: they never change their meaning.

use bedrock_watch_engine::alert::{ChangeKind, Severity, Status};
use jiff::Timestamp;

use super::Failure;

/// Nanoseconds since 1970; times beyond the year 2262 become that.
pub(super) fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time.as_second() < 0 { i64::MIN } else { i64::MAX })
}

/// The time written as `nanos`.
pub(super) fn time(nanos: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_nanosecond(i128::from(nanos)).map_err(|error| Failure::Damaged(error.to_string()))
}

/// An optional time.
pub(super) fn time_or_none(nanos: Option<i64>) -> Result<Option<Timestamp>, Failure> {
    nanos.map(time).transpose()
}

pub(super) const FIRING: i64 = 0;

pub(super) const fn status_number(status: Status) -> i64 {
    match status {
        Status::Firing => FIRING,
        Status::Resolved => 1,
        Status::Withdrawn => 2,
    }
}

pub(super) fn status(number: i64) -> Result<Status, Failure> {
    match number {
        FIRING => Ok(Status::Firing),
        1 => Ok(Status::Resolved),
        2 => Ok(Status::Withdrawn),
        _ => Err(Failure::Damaged(format!("{number} is no status"))),
    }
}

pub(super) const fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

pub(super) fn severity(number: i64) -> Result<Severity, Failure> {
    let found = Severity::ALL.into_iter().find(|severity| severity_number(*severity) == number);
    found.ok_or_else(|| Failure::Damaged(format!("{number} is no severity")))
}

pub(super) const UPDATED: i64 = 1;
pub(super) const RESOLVED: i64 = 2;
pub(super) const WITHDRAWN: i64 = 3;

pub(super) const fn kind_number(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Fired => 0,
        ChangeKind::Updated => UPDATED,
        ChangeKind::Resolved => RESOLVED,
        ChangeKind::Withdrawn => WITHDRAWN,
    }
}

pub(super) fn kind(number: i64) -> Result<ChangeKind, Failure> {
    match number {
        0 => Ok(ChangeKind::Fired),
        UPDATED => Ok(ChangeKind::Updated),
        RESOLVED => Ok(ChangeKind::Resolved),
        WITHDRAWN => Ok(ChangeKind::Withdrawn),
        _ => Err(Failure::Damaged(format!("{number} is no kind of change"))),
    }
}

/// A count as the database gives it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A count as the database takes it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
