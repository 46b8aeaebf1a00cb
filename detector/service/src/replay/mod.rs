//! Judges recorded events in event time: what comes out depends only on the records.
//!
//! Synchronous and without any clock: "now" is the greatest event time so far, and at the end every window closes as if
//! time had moved on.

pub mod compare;
pub mod report;

use std::io;

use bedrock_watch_engine::{Engine, Second, alert::AlertChange, decode::DecodeError};

use crate::{
    event_time::event_time,
    format::visible,
    input::{Item, Records},
};

/// Rejected records that are named; the others are counted.
pub const REJECTED_NAMED_MAX: usize = 20;

/// Which records are judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// Only events at or after this time.
    pub since: Option<Second>,
    /// Only events before this time.
    pub until: Option<Second>,
}

/// What a replay came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records read.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records outside the span.
    pub outside: u64,
    /// Records and other bytes that are no valid event.
    pub rejected: u64,
    /// The first of them, as `file:line: reason`.
    pub rejections: Vec<String>,
    /// What was found out about inputs as a whole, as `file: what`.
    pub notes: Vec<String>,
    /// Whether an input could not be read, or not to its end.
    pub incomplete: bool,
    /// How far event time has come.
    pub now: Second,
}

/// Somebody who judges recorded records.
pub trait Judge {
    /// Judges a record; time goes on as the records say.
    ///
    /// # Errors
    /// When the bytes are no valid event.
    fn judge(&mut self, bytes: &[u8]) -> Result<Vec<AlertChange>, DecodeError>;

    /// How far time has come.
    fn clock(&self) -> Second;

    /// Closes every window as if time had moved on.
    fn finish(&mut self) -> Vec<AlertChange>;
}

impl Judge for Engine {
    fn judge(&mut self, bytes: &[u8]) -> Result<Vec<AlertChange>, DecodeError> {
        self.judge_recorded(bytes)
    }

    fn clock(&self) -> Second {
        Self::clock(self)
    }

    fn finish(&mut self) -> Vec<AlertChange> {
        Self::finish(self)
    }
}

/// Somebody who watches a replay.
pub trait Watcher {
    /// An alert changed.
    ///
    /// # Errors
    /// When it cannot be told on; the replay ends then.
    fn changed(&mut self, change: &AlertChange) -> io::Result<()>;

    /// Another record was judged.
    fn advanced(&mut self, summary: &Summary);
}

/// Judges every record of `records`.
///
/// # Errors
/// When the watcher cannot be told.
pub fn replay(
    judge: &mut dyn Judge,
    records: &mut dyn Records,
    span: Span,
    watcher: &mut dyn Watcher,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    while let Some(item) = records.next() {
        match item {
            Item::Record(record) => {
                summary.records = summary.records.saturating_add(1);
                summary.bytes = summary.bytes.saturating_add(record.bytes.len() as u64);
                if span.is_limited() && event_time(record.bytes).is_some_and(|time| span.excludes(time)) {
                    summary.outside = summary.outside.saturating_add(1);
                    continue;
                }
                let judged = judge.judge(record.bytes);
                summary.now = judge.clock();
                match judged {
                    Ok(changes) => tell(&changes, watcher)?,
                    Err(error) => summary.reject(record.input, record.line, &error.to_string()),
                }
                watcher.advanced(&summary);
            }
            Item::Rejected(rejected) => summary.reject(&rejected.input, rejected.line, &rejected.reason),
            Item::Note(note) => {
                summary.incomplete |= note.is_failure;
                summary.notes.push(format!("{}: {}", visible(&note.input), note.text));
            }
        }
    }
    tell(&judge.finish(), watcher)?;
    Ok(summary)
}

fn tell(changes: &[AlertChange], watcher: &mut dyn Watcher) -> io::Result<()> {
    changes.iter().try_for_each(|change| watcher.changed(change))
}

impl Span {
    const fn is_limited(self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    fn excludes(self, time: Second) -> bool {
        self.since.is_some_and(|since| time < since) || self.until.is_some_and(|until| time >= until)
    }
}

impl Summary {
    fn reject(&mut self, input: &str, line: u64, reason: &str) {
        self.rejected = self.rejected.saturating_add(1);
        if self.rejections.len() < REJECTED_NAMED_MAX {
            self.rejections.push(format!("{}:{line}: {}", visible(input), visible(reason)));
        }
    }
}
