//! Takes a stream of bytes apart into records, in constant memory.
//!
//! Feed it chunks, take pieces until it wants more. It knows JSON Lines, pretty-printed and concatenated values, arrays,
//! `{"Records": [...]}` and CloudWatch Logs messages, all in one stream if need be. After broken bytes it goes on at
//! the next line that begins a value; inside a container also at the next `{"eventVersion"`.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::{
    message,
    scanner::{ContainerKind, Scan, Scanner},
};

/// The longest record that is taken, in bytes. CloudTrail's are at most 256 KiB; Kinesis carries up to 10 MiB.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A line longer than this is scanned instead of searched for its end.
const FAST_LINE_BYTES_MAX: usize = 1024 * 1024;
/// How much blank space after a line is looked through for what follows.
const BLANK_BYTES_MAX: usize = 4096;
/// How deep containers may lie in each other before the stream is taken for garbage.
const CONTAINERS_MAX: usize = 8;
/// How a record inside a container begins, as CloudTrail writes it.
const BEGINNING_OF_RECORD: &[u8] = br#"{"eventVersion""#;

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
    Lost(Lost),
}

/// What is being passed over, and so what can come next.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// The rest of a value that broke off. The next one begins a line, at most this deep in it: what stands deeper
    /// belongs to the broken one.
    Value { indent: usize },
    /// A line that is no JSON. Every further line of the kind is rejected by itself.
    Garbage,
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
        if self.offset == 0 && BYTE_ORDER_MARK.starts_with(self.rest().get(..3).unwrap_or(self.rest())) {
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
                Line::Record(range) => {
                    let (line, offset) = (self.line, self.offset);
                    // The line holds no other line break, so there is no need to count them.
                    let length = range.len();
                    self.start += length;
                    self.offset += length as u64;
                    self.indent = None;
                    return Some(Step::Record { place: Place::Buffer(range), line, offset });
                }
                Line::More => return Some(Step::More),
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

    /// Gives up the rest of this line.
    fn reject_line(&mut self, reason: &str) -> Step {
        let (line, offset) = (self.line, self.offset);
        self.indent = None;
        self.state = State::Lost(Lost::Garbage);
        Step::Rejected { line, offset, reason: reason.to_owned() }
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
                self.state = State::Lost(Lost::Value { indent });
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

    /// Searches for the next place where a value can begin.
    fn lost(&mut self, lost: Lost) -> Option<Step> {
        loop {
            if self.indent.is_some() {
                self.skip_space();
                let indent = self.indent.unwrap_or_default();
                let begins_value = match (self.rest().first(), lost) {
                    (None, _) => return Some(self.nothing_more()),
                    (Some(_), Lost::Garbage) => true,
                    (Some(b'{' | b'['), Lost::Value { indent: indent_max }) => indent <= indent_max,
                    (Some(_), Lost::Value { .. }) => false,
                };
                if begins_value {
                    self.state = State::Between;
                    return None;
                }
                self.indent = None;
            }
            let end_of_line = memchr(b'\n', self.rest());
            let searched = self.rest().get(..end_of_line.unwrap_or(self.rest().len())).unwrap_or_default();
            if !self.containers.is_empty()
                && let Some(at) = memmem::find(searched, BEGINNING_OF_RECORD)
            {
                self.advance(at);
                self.state = State::Between;
                return None;
            }
            match end_of_line {
                Some(at) => {
                    self.advance(at);
                    self.indent = Some(0);
                }
                None => {
                    // The beginning of a record may lie across the end of what was fed.
                    let kept = if self.has_ended { 0 } else { BEGINNING_OF_RECORD.len() - 1 };
                    self.advance(searched.len().saturating_sub(kept));
                    return Some(self.nothing_more());
                }
            }
        }
    }

    /// Whether the line at `start` is a single record, told without looking at its structure.
    ///
    /// It begins as records do, ends with a closing brace, and what follows begins a new value. An incomplete value
    /// cannot be followed by one, and a second value on the line would follow a closing brace, so in valid JSON the
    /// line is exactly one value. In broken JSON the line is broken, and decoding says so.
    fn whole_line(&mut self) -> Line {
        const BEGINNINGS: [&[u8]; 2] = [BEGINNING_OF_RECORD, br#"{"version""#];
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let may_grow = !self.has_ended && !self.is_live;
        if self.indent != Some(0) || !BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning)) {
            let may_become_one = BEGINNINGS.iter().any(|beginning| beginning.starts_with(rest));
            return if self.indent == Some(0) && may_become_one && may_grow { Line::More } else { Line::Other };
        }
        let searched = self.seen.saturating_sub(self.start).min(rest.len());
        let Some(end) = memchr(b'\n', rest.get(searched..).unwrap_or_default()).map(|at| at + searched) else {
            self.seen = self.buffer.len();
            return if may_grow && rest.len() < FAST_LINE_BYTES_MAX { Line::More } else { Line::Other };
        };
        if end >= FAST_LINE_BYTES_MAX {
            return Line::Other;
        }
        let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
        let is_alone = line.ends_with(b"}") && !has_second_value(line);
        let after = rest.get(end..).unwrap_or_default();
        let after = after.get(..BLANK_BYTES_MAX).unwrap_or(after);
        let following = after.trim_ascii_start().first();
        match following {
            _ if !is_alone => Line::Other,
            Some(b'{') => Line::Record(self.start..self.start + line.len()),
            Some(_) => Line::Other,
            None if after.len() == BLANK_BYTES_MAX => Line::Other,
            None if self.has_ended => Line::Record(self.start..self.start + line.len()),
            None if self.is_live => Line::Other,
            None => Line::More,
        }
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

enum Line {
    /// It is one record.
    Record(Range<usize>),
    /// More has to be fed before that can be told.
    More,
    /// It has to be scanned.
    Other,
}

/// Whether a closing brace in `line` is followed by an opening bracket, as it is where one value follows another.
fn has_second_value(line: &[u8]) -> bool {
    memchr_iter(b'}', line).any(|at| {
        let after = line.get(at + 1..).unwrap_or_default();
        match after.first() {
            Some(b' ' | b'\t' | b'\r') => matches!(after.trim_ascii_start().first(), Some(b'{' | b'[')),
            Some(b'{' | b'[') => true,
            _ => false,
        }
    })
}
