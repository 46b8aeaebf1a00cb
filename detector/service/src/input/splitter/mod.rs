//! Takes a stream of bytes apart into records, in constant memory.
//!
//! Feed it chunks, take pieces until it wants more. It knows JSON Lines, pretty-printed and concatenated values, arrays,
//! `{"Records": [...]}` and CloudWatch Logs messages, all in one stream if need be. After broken bytes it goes on at
//! the next line that begins a value; inside a container also at the next `{"eventVersion"`.

mod line;
mod message;
mod recover;
mod scanner;
mod single;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr_iter, memrchr};

use line::Line;
use scanner::{ContainerKind, Scan, Scanner};
pub(super) use single::single;

/// The longest record that is taken, in bytes. CloudTrail's are at most 256 KiB; Kinesis carries up to 10 MiB.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How deep containers may lie in each other before the stream is taken for garbage.
const CONTAINERS_MAX: usize = 8;

/// What the splitter found.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// One record.
    Record {
        /// Its bytes.
        bytes: &'a [u8],
        /// The line on which it begins, from 1.
        line: u64,
        /// The byte at which it begins, from 0.
        offset: u64,
    },
    /// Bytes that are no record.
    Rejected {
        /// The line on which they begin, from 1.
        line: u64,
        /// The byte at which they begin, from 0.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
}

/// The same without the bytes, which [`Splitter::bytes`] gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Record {
        place: Place,
        line: u64,
        offset: u64,
    },
    Rejected {
        line: u64,
        offset: u64,
        reason: String,
    },
    /// Nothing more in what was fed.
    More,
}

/// Where a record's bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Buffer(Range<usize>),
    /// It was unescaped from a log message.
    Message,
    /// It was rewritten by the reader, which keeps it.
    Rewritten,
}

/// Takes a stream of bytes apart.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// The first byte of the buffer that is not done with, and its place in the stream.
    start: usize,
    offset: u64,
    line: u64,
    /// How far the buffer has been looked through for what is now searched, at least `start`.
    seen: usize,
    state: State,
    containers: Vec<Container>,
    /// The white space between the beginning of the line and `start`, if there is nothing else.
    indent: Option<usize>,
    /// Whether something broken was left behind, so that stray closing brackets are to be expected.
    has_recovered: bool,
    is_live: bool,
    has_ended: bool,
    message: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Where a value may begin.
    Between,
    /// In a value.
    Value(Value),
    /// Searching for the next value.
    Lost(recover::Lost),
}

#[derive(Debug)]
struct Value {
    scanner: Scanner,
    line: u64,
    offset: u64,
    /// The indentation of the line on which it began.
    indent: usize,
    kind: ValueKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Record,
    /// What follows the list of records in its object.
    Rest,
    /// Rejected already, because it is too long.
    TooLong,
}

/// An array whose elements are records, or containers of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    InObject(ContainerKind),
}

impl Splitter {
    /// For a stream that will end, such as a file.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            line: 1,
            seen: 0,
            state: State::Between,
            containers: Vec::new(),
            indent: Some(0),
            has_recovered: false,
            is_live: false,
            has_ended: false,
            message: Vec::new(),
        }
    }

    /// For a stream in which the next record may be long in coming: a record is given as soon as it is complete.
    #[must_use]
    pub fn live() -> Self {
        Self { is_live: true, ..Self::new() }
    }

    /// Takes in the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that nothing more will come.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// The next piece; `None` when more has to be fed, or, after [`Splitter::end`], when all is said.
    pub fn next_piece(&mut self) -> Option<Piece<'_>> {
        match self.step() {
            Step::Record { place, line, offset } => Some(Piece::Record { bytes: self.bytes(&place), line, offset }),
            Step::Rejected { line, offset, reason } => Some(Piece::Rejected { line, offset, reason }),
            Step::More => None,
        }
    }

    /// The bytes of the record that the last step gave.
    pub(super) fn bytes(&self, place: &Place) -> &[u8] {
        match place {
            Place::Buffer(range) => self.buffer.get(range.clone()).unwrap_or_default(),
            Place::Message => &self.message,
            Place::Rewritten => &[],
        }
    }

    /// Reads up to `bytes_max` bytes from `source` into the buffer.
    pub(super) fn fill(&mut self, source: &mut impl std::io::Read, bytes_max: usize) -> std::io::Result<usize> {
        self.compact();
        let before = self.buffer.len();
        self.buffer.resize(before + bytes_max, 0);
        let read = source.read(self.buffer.get_mut(before..).unwrap_or_default());
        self.buffer.truncate(before + read.as_ref().map_or(0, |read| *read));
        read
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    fn compact(&mut self) {
        self.buffer.drain(..self.start);
        self.seen = self.seen.saturating_sub(self.start);
        self.start = 0;
    }

    /// Finds the next piece.
    pub(super) fn step(&mut self) -> Step {
        loop {
            let found = match &mut self.state {
                State::Between => self.between(),
                State::Value(_) => self.value(),
                State::Lost(lost) => {
                    let lost = *lost;
                    self.lost(lost)
                }
            };
            if let Some(step) = found {
                return step;
            }
        }
    }

    /// Passes over `count` bytes.
    fn advance(&mut self, count: usize) {
        let to = self.start.saturating_add(count).min(self.buffer.len());
        let passed = self.buffer.get(self.start..to).unwrap_or_default();
        let is_space = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        self.indent = match (memrchr(b'\n', passed), self.indent) {
            (Some(at), _) => passed.get(at + 1..).filter(|line| is_space(line)).map(<[u8]>::len),
            (None, Some(indent)) if is_space(passed) => Some(indent + passed.len()),
            (None, _) => None,
        };
        self.line += memchr_iter(b'\n', passed).count() as u64;
        self.offset += passed.len() as u64;
        self.start = to;
        self.seen = self.seen.max(to);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Looks for the beginning of a value.
    fn between(&mut self) -> Option<Step> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if self.offset == 0 && BYTE_ORDER_MARK.starts_with(self.rest().get(..3).unwrap_or_else(|| self.rest())) {
            if self.rest().len() < BYTE_ORDER_MARK.len() && !self.has_ended {
                return Some(Step::More);
            }
            if self.rest().starts_with(BYTE_ORDER_MARK) {
                self.advance(BYTE_ORDER_MARK.len());
                self.indent = Some(0);
            }
        }
        self.skip_space();
        let Some(first) = self.rest().first().copied() else { return Some(self.nothing_more()) };
        match first {
            b'{' if self.containers.is_empty() => match self.whole_line() {
                Line::Record { length } => {
                    let (line, offset) = (self.line, self.offset);
                    let range = self.start..self.start + length;
                    // The line holds no other line break, so there is no need to count them.
                    self.start += length;
                    self.offset += length as u64;
                    self.indent = None;
                    return Some(Step::Record { place: Place::Buffer(range), line, offset });
                }
                Line::More { .. } => return Some(Step::More),
                Line::Other => self.begin(Scanner::new(), ValueKind::Record),
            },
            b'{' => self.begin(Scanner::new(), ValueKind::Record),
            b'[' => {
                self.advance(1);
                return self.open(Container::Array);
            }
            b',' => self.advance(1),
            b']' if !self.containers.is_empty() => {
                self.advance(1);
                if let Some(Container::InObject(_)) = self.containers.pop() {
                    self.begin(Scanner::rest_of_object(), ValueKind::Rest);
                }
            }
            b']' | b'}' if self.has_recovered => self.advance(1),
            _ => {
                return Some(self.reject_line("not a record: expected { or ["));
            }
        }
        None
    }

    fn open(&mut self, container: Container) -> Option<Step> {
        if self.containers.len() >= CONTAINERS_MAX {
            self.containers.clear();
            self.has_recovered = true;
            return Some(self.reject_line("lists of records nested too deep"));
        }
        self.containers.push(container);
        None
    }

    fn skip_space(&mut self) {
        let space = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.advance(space);
    }

    /// The end of what was fed, between values.
    fn nothing_more(&mut self) -> Step {
        if self.has_ended && !self.containers.is_empty() {
            self.containers.clear();
            if !self.has_recovered {
                let reason = "truncated: the input ends inside a list of records".to_owned();
                return Step::Rejected { line: self.line, offset: self.offset, reason };
            }
        }
        Step::More
    }

    /// Begins to scan a value at `start`.
    fn begin(&mut self, scanner: Scanner, kind: ValueKind) {
        // Where the value is not the first thing on its line, a later one may stand at any depth.
        let indent = self.indent.unwrap_or(usize::MAX);
        let (line, offset) = (self.line, self.offset);
        self.seen = self.start;
        self.state = State::Value(Value { scanner, line, offset, indent, kind });
    }

    /// Scans on through a value.
    fn value(&mut self) -> Option<Step> {
        let State::Value(value) = &mut self.state else { return None };
        let (consumed, found) = value.scanner.scan(self.buffer.get(self.seen..).unwrap_or_default());
        self.seen += consumed;
        let (line, offset, indent, kind) = (value.line, value.offset, value.indent, value.kind);
        let length = self.seen - self.start;
        match found {
            Scan::More => self.unfinished(length),
            Scan::Done => {
                self.state = State::Between;
                let range = self.start..self.seen;
                self.advance(length);
                match kind {
                    ValueKind::Record if length > RECORD_BYTES_MAX => Some(too_long(line, offset)),
                    ValueKind::Record => self.complete(range, line, offset),
                    ValueKind::Rest | ValueKind::TooLong => None,
                }
            }
            Scan::Container(kind) => {
                self.state = State::Between;
                self.advance(length);
                self.open(Container::InObject(kind))
            }
            Scan::Broken(what) => {
                self.advance(length);
                let at = self.offset;
                self.state = State::Lost(recover::Lost::Value { indent });
                self.has_recovered = true;
                let reason = format!("not JSON at byte {at}: {what}");
                (kind != ValueKind::TooLong).then_some(Step::Rejected { line, offset, reason })
            }
        }
    }

    /// A value goes on beyond what was fed.
    fn unfinished(&mut self, length: usize) -> Option<Step> {
        let State::Value(value) = &mut self.state else { return None };
        let (line, offset, kind) = (value.line, value.offset, value.kind);
        if self.has_ended {
            self.state = State::Between;
            self.containers.clear();
            self.advance(length);
            let reason = match kind {
                ValueKind::TooLong => return Some(Step::More),
                ValueKind::Record => "truncated: the input ends inside a record",
                ValueKind::Rest => "truncated: the input ends after a list of records",
            };
            return Some(Step::Rejected { line, offset, reason: reason.to_owned() });
        }
        match kind {
            ValueKind::Record if length > RECORD_BYTES_MAX => {
                value.kind = ValueKind::TooLong;
                self.advance(length);
                Some(too_long(line, offset))
            }
            ValueKind::Record => Some(Step::More),
            ValueKind::Rest | ValueKind::TooLong => {
                self.advance(length);
                Some(Step::More)
            }
        }
    }

    /// A value is complete.
    fn complete(&mut self, range: Range<usize>, line: u64, offset: u64) -> Option<Step> {
        let place = match self.containers.last() {
            Some(Container::InObject(ContainerKind::ControlMessage)) => return None,
            Some(Container::InObject(ContainerKind::LogEvents)) => {
                let element = self.buffer.get(range).unwrap_or_default();
                if let Err(reason) = message::unwrap(element, &mut self.message) {
                    return Some(Step::Rejected { line, offset, reason });
                }
                Place::Message
            }
            Some(Container::Array | Container::InObject(ContainerKind::Records)) | None => Place::Buffer(range),
        };
        Some(Step::Record { place, line, offset })
    }

    /// Whether the line at `start` is a single record.
    fn whole_line(&mut self) -> Line {
        // Telling needs the line after, which in a live stream may be long in coming.
        if self.is_live || self.indent != Some(0) {
            return Line::Other;
        }
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let found = line::look(rest, self.seen.saturating_sub(self.start), self.has_ended);
        if let Line::More { searched } = found {
            self.seen = self.start + searched;
        }
        found
    }
}

fn too_long(line: u64, offset: u64) -> Step {
    Step::Rejected { line, offset, reason: format!("longer than {RECORD_BYTES_MAX} bytes") }
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}
