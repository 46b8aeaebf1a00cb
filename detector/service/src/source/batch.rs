//! Records on their way from a source to the engine.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::input::{Item, Records as _, record_of, records_of};

/// A batch is handed over once it has this many records ...
const RECORDS_MAX: usize = 1_000;
/// ... or this many bytes.
const BYTES_MAX: usize = 1 << 20;

/// Records in one buffer, so that a batch costs two allocations and not one a record.
#[derive(Debug, Clone, Default)]
pub struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// What the source found that is no record at all, as `place: reason`.
    pub rejected: Vec<String>,
}

/// A body holds more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body holds too much")]
pub struct TooLarge;

impl Records {
    /// The records of a complete body, plain or gzip, in any form the product accepts.
    ///
    /// # Errors
    /// When the records have more than `bytes_max` bytes.
    pub fn of_body(body: &[u8], bytes_max: usize) -> Result<Self, TooLarge> {
        let mut records = Self::default();
        records.push_body(body, bytes_max, "")?;
        Ok(records)
    }

    /// Adds the records of a body; what is rejected of it is said to lie at `place`, where there is one.
    ///
    /// # Errors
    /// When the records of this body have more than `bytes_max` bytes; those up to there have been added.
    pub fn push_body(&mut self, body: &[u8], bytes_max: usize, place: &str) -> Result<(), TooLarge> {
        if body.len() <= bytes_max && self.push_single(body) {
            return Ok(());
        }
        let most = self.bytes.len().saturating_add(bytes_max);
        let place = if place.is_empty() { String::new() } else { format!("{place}, ") };
        let mut items = records_of(body);
        while let Some(item) = items.next() {
            match item {
                Item::Record(record) => self.push(record.bytes),
                Item::Rejected(rejected) => {
                    self.rejected.push(format!("{place}line {}: {}", rejected.line, rejected.reason));
                }
                Item::Note(note) if note.is_failure => self.rejected.push(format!("{place}{}", note.text)),
                Item::Note(_) => {}
            }
            if self.bytes.len() > most {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    /// Adds the record that a body is, where that is quickly told; else nothing is added, and [`Self::push_body`] tells.
    pub fn push_single(&mut self, body: &[u8]) -> bool {
        let record = record_of(body);
        if let Some(record) = record {
            self.push(record);
        }
        record.is_some()
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// The records in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    /// All records in one buffer, as a journal keeps them, and where each ends.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<usize>) {
        (self.bytes, self.ends)
    }

    /// How many records there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes the records have.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to hand over.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.rejected.is_empty()
    }

    /// Whether it is time to hand it over.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.ends.len() >= RECORDS_MAX || self.bytes.len() >= BYTES_MAX || self.rejected.len() >= RECORDS_MAX
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that the engine has taken.
    pub accepted: u64,
    /// Records that are no valid event, or were put aside.
    pub rejected: u64,
}

/// Whether records were judged before a restart, and the alerts they caused stored.
///
/// A source that goes on from an older position than the one it was last committed at reads some records again, so that
/// the engine remembers them. What they cause is known to the store already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// All of them were, and more follow.
    Again,
    /// Some or all of them were; what follows was not. An empty batch says that nothing is repeated.
    Last,
    /// None of them was.
    New,
}

/// How a batch survives a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The source can be read again: up to here it has been read once the records are judged.
    At(String),
    /// It cannot: the journal keeps the records.
    Journal,
    /// Nothing keeps them; they tell what AWS will say again when it is asked again.
    Nowhere,
}

/// A batch in the queue.
#[derive(Debug)]
pub struct Batch {
    /// Which source it is from.
    pub source: Arc<str>,
    /// The records.
    pub records: Records,
    /// How the records survive a crash.
    pub kept: Kept,
    /// Whether the records were judged before.
    pub repeat: Repeat,
    /// Where the outcome is told.
    pub reply: Option<oneshot::Sender<Outcome>>,
    /// When it came in.
    pub received: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn keeps_records_apart() {
        let mut records = Records::default();
        for record in [&b"one"[..], b"", b"three"] {
            records.push(record);
        }
        assert_eq!(records.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(records.len(), 3);
    }
}
