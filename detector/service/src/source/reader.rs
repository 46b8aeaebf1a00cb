//! From a byte stream to batches, on a thread that may block.
//!
//! A batch is handed over when it is full, and before every read: a read may wait for a long time, and what has
//! arrived must not wait with it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, Read},
    rc::Rc,
};

use super::{Intake, Kept, Records, Repeat};
use crate::input::{Item, Reader, Records as _};

/// Which lines of a file were judged before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// None of them.
    Nothing,
    /// Those up to the one that begins at this offset.
    Through(u64),
    /// All, and some of the next file.
    All,
}

/// What has been read and not yet handed over.
#[derive(Debug)]
pub(super) struct Pending {
    intake: Intake,
    records: Records,
    /// Where the last record in it begins.
    last: u64,
    lines: Lines,
    /// Makes a position of an offset; without it the stream cannot be read again.
    position: Option<fn(&str, u64) -> String>,
    identity: String,
    /// What was judged before; `Nothing` once that is behind.
    before: Before,
    closed: bool,
}

/// The offsets at which lines begin, from the last one handed over on.
#[derive(Debug)]
struct Lines {
    read: u64,
    starts: VecDeque<u64>,
}

impl Pending {
    /// Nothing yet, of a stream that cannot be read again.
    pub(super) fn new(intake: Intake) -> Self {
        Self {
            intake,
            records: Records::default(),
            last: 0,
            lines: Lines { read: 0, starts: VecDeque::from([0]) },
            position: None,
            identity: String::new(),
            before: Before::Nothing,
            closed: false,
        }
    }

    /// Nothing yet, of a file of which `skipped` bytes were passed over; `position` names a place in it. `before` are the
    /// lines that were judged before.
    pub(super) fn of_file(
        intake: Intake,
        (identity, position): (String, fn(&str, u64) -> String),
        skipped: u64,
        before: Before,
    ) -> Self {
        let mut pending = Self::new(intake);
        pending.position = Some(position);
        pending.identity = identity;
        pending.before = before;
        pending.lines = Lines { read: skipped, starts: VecDeque::from([skipped]) };
        pending
    }

    fn flush(&mut self) {
        if self.records.is_empty() || self.closed {
            return;
        }
        let records = std::mem::take(&mut self.records);
        let line = self.lines.start_of(self.last);
        let kept = self.position.map_or(Kept::Journal, |position| Kept::At(position(&self.identity, line)));
        let repeat = match self.before {
            Before::Nothing => Repeat::New,
            Before::All => Repeat::Again,
            Before::Through(through) if line < through => Repeat::Again,
            Before::Through(_) => Repeat::Last,
        };
        if repeat == Repeat::Last {
            self.before = Before::Nothing;
        }
        self.closed = self.intake.send_blocking(records, kept, repeat).is_err();
    }

    /// Nothing more comes. If what was judged before has not all come again, it never will, and that is said.
    fn finish(&mut self) {
        self.flush();
        if matches!(self.before, Before::Through(_)) && !self.closed {
            self.closed = self.intake.send_blocking(Records::default(), Kept::Nowhere, Repeat::Last).is_err();
        }
    }
}

impl Lines {
    fn see(&mut self, bytes: &[u8]) {
        for newline in memchr::memchr_iter(b'\n', bytes) {
            self.starts.push_back(self.read.saturating_add(newline as u64).saturating_add(1));
        }
        self.read = self.read.saturating_add(bytes.len() as u64);
    }

    /// The beginning of the line that holds `offset`. Reading on from there meets records that were judged already,
    /// which does no harm, and misses none, even where a line holds several.
    fn start_of(&mut self, offset: u64) -> u64 {
        while self.starts.get(1).is_some_and(|second| *second <= offset) {
            self.starts.pop_front();
        }
        self.starts.front().copied().unwrap_or_default()
    }
}

struct Tap<R> {
    stream: R,
    pending: Rc<RefCell<Pending>>,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pending.borrow_mut().flush();
        if self.pending.borrow().closed {
            return Ok(0);
        }
        let read = self.stream.read(buffer)?;
        self.pending.borrow_mut().lines.see(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Reads `stream` to its end, or until the service shuts down; `skipped` bytes lie before it.
pub(super) fn pump<R: Read>(name: &str, stream: R, pending: Pending, skipped: u64) {
    let pending = Rc::new(RefCell::new(pending));
    let mut reader = Reader::live(name, Tap { stream, pending: Rc::clone(&pending) });
    while let Some(item) = reader.next() {
        let mut pending = pending.borrow_mut();
        match item {
            Item::Record(record) => {
                pending.last = skipped.saturating_add(record.offset);
                pending.records.push(record.bytes);
            }
            Item::Rejected(rejected) => {
                pending.last = skipped.saturating_add(rejected.offset);
                pending.records.rejected.push(format!("line {}: {}", rejected.line, rejected.reason));
            }
            Item::Note(note) => tracing::warn!(source = name, "{}", note.text),
        }
        if pending.records.is_full() {
            pending.flush();
        }
        if pending.closed {
            return;
        }
    }
    pending.borrow_mut().finish();
}
