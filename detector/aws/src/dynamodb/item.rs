//! Items of the table as fields with types, and the few attribute names that mean the same in every item.
//!
//! The names are part of the table's format: they never change their meaning.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use bedrock_watch_engine::alert::{ChangeKind, Severity, Status};
use jiff::Timestamp;

use super::failure::Failure;

/// The partition key.
pub(super) const PK: &str = "pk";
/// The sort key.
pub(super) const SK: &str = "sk";
/// The sort key of the index `by_order`; only items that are listed have it.
pub(super) const ORDER: &str = "o";
/// The sort key of the index `by_due`; only items for which a time will come have it.
pub(super) const DUE: &str = "d";
/// Grows with every write of an item that is read before it is written.
pub(super) const VERSION: &str = "v";
/// When DynamoDB may delete the item, in seconds since 1970.
pub(super) const EXPIRES: &str = "expires_at";

/// Digits of a time in a key, so that text sorts as the times do.
const TIME_DIGITS: usize = 20;

/// An item.
#[derive(Debug, Clone, Default)]
pub(super) struct Item(pub(super) HashMap<String, AttributeValue>);

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    pub(super) fn attributes(&self) -> HashMap<String, AttributeValue> {
        Item::at(self).0
    }
}

impl Item {
    /// An item with nothing but its key.
    pub(super) fn at(key: &Key) -> Self {
        Self::default().text(PK, &key.pk).text(SK, &key.sk)
    }

    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
        self
    }

    pub(super) fn maybe_text(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn number(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::N(value.to_string()));
        self
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::Bool(value));
        self
    }

    pub(super) fn bytes(mut self, name: &str, value: Vec<u8>) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::B(Blob::new(value)));
        self
    }

    pub(super) fn time(self, name: &str, value: Timestamp) -> Self {
        self.number(name, nanos(value))
    }

    pub(super) fn maybe_time(self, name: &str, value: Option<Timestamp>) -> Self {
        match value {
            Some(value) => self.time(name, value),
            None => self,
        }
    }

    pub(super) fn key(&self) -> Result<Key, Failure> {
        Ok(Key::new(self.get_text(PK)?, self.get_text(SK)?))
    }

    pub(super) fn get_text(&self, name: &str) -> Result<&str, Failure> {
        self.maybe_get_text(name)?.ok_or_else(|| missing(name))
    }

    pub(super) fn maybe_get_text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Damaged(format!("the attribute {name} of an item is no text"))),
        }
    }

    pub(super) fn get_owned(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.maybe_get_text(name)?.map(str::to_owned))
    }

    pub(super) fn get_number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.maybe_get_number(name)?.ok_or_else(|| missing(name))
    }

    pub(super) fn maybe_get_number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let wrong = || Failure::Damaged(format!("the attribute {name} of an item is no such number as it should be"));
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(number)) => number.parse().map(Some).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }

    pub(super) fn get_flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(AttributeValue::Bool(true)))
    }

    pub(super) fn get_bytes(&self, name: &str) -> Result<&[u8], Failure> {
        match self.0.get(name) {
            Some(AttributeValue::B(bytes)) => Ok(bytes.as_ref()),
            _ => Err(missing(name)),
        }
    }

    pub(super) fn get_time(&self, name: &str) -> Result<Timestamp, Failure> {
        time(self.get_number(name)?)
    }

    pub(super) fn maybe_get_time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        self.maybe_get_number(name)?.map(time).transpose()
    }

    /// The version of the item.
    pub(super) fn version(&self) -> Result<u64, Failure> {
        self.get_number(VERSION)
    }
}

fn missing(name: &str) -> Failure {
    Failure::Damaged(format!("an item has no attribute {name} of the right type"))
}

/// Nanoseconds since 1970; times beyond the year 2262 become that.
fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time.as_second() < 0 { i64::MIN } else { i64::MAX })
}

fn time(nanos: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_nanosecond(i128::from(nanos)).map_err(|error| Failure::Damaged(error.to_string()))
}

/// A time as part of a key. Times before 1970 become that.
pub(super) fn sortable(time: Timestamp) -> String {
    format!("{:0TIME_DIGITS$}", nanos(time).max(0))
}

/// The time in a key.
pub(super) fn of_sortable(text: &str) -> Result<Timestamp, Failure> {
    time(text.parse().map_err(|_| Failure::Damaged(format!("`{text}` is no time in a key")))?)
}

pub(super) const fn status_name(status: Status) -> &'static str {
    status.as_str()
}

pub(super) fn status(name: &str) -> Result<Status, Failure> {
    let all = [Status::Firing, Status::Resolved, Status::Withdrawn];
    let found = all.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| Failure::Damaged(format!("`{name}` is no status")))
}

pub(super) fn severity(rank: usize) -> Result<Severity, Failure> {
    let found = Severity::ALL.into_iter().find(|severity| severity.rank() == rank);
    found.ok_or_else(|| Failure::Damaged(format!("{rank} is no severity")))
}

/// One letter for each kind of change.
pub(super) const fn kind_letter(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Fired => 'f',
        ChangeKind::Updated => 'u',
        ChangeKind::Resolved => 'r',
        ChangeKind::Withdrawn => 'w',
    }
}

pub(super) fn kind(letter: char) -> Result<ChangeKind, Failure> {
    match letter {
        'f' => Ok(ChangeKind::Fired),
        'u' => Ok(ChangeKind::Updated),
        'r' => Ok(ChangeKind::Resolved),
        'w' => Ok(ChangeKind::Withdrawn),
        _ => Err(Failure::Damaged(format!("`{letter}` is no kind of change"))),
    }
}
