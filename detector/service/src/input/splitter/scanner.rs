//! Finds the end of a JSON value in chunks, and notices containers of records before they are over.
//!
//! Follows the structure (brackets, commas, colons, strings) closely enough to notice where a value breaks off and
//! the next record begins. Does not look into numbers, literals and escapes: decoding does.

use bedrock_watch_engine::decode::NESTING_MAX;
use memchr::memchr3;

/// A value being scanned.
#[derive(Debug)]
pub(super) struct Scanner {
    expect: Expect,
    /// How many brackets are open, and for each whether it is an object's.
    depth: u32,
    objects: u128,
    in_string: bool,
    escaped: bool,
    /// Whether an array under `Records` or `logEvents` may be a container of records.
    may_contain_records: bool,
    /// The beginning of the last string directly inside the outermost object.
    last: Short,
    key: Key,
    is_control: bool,
}

/// What the grammar allows next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    Literal,
    CommaOrEnd,
}

/// The key of the outermost object whose value is being scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    None,
    Records,
    LogEvents,
    MessageType,
    Other,
}

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// More bytes are needed.
    More,
    /// The value is complete.
    Done,
    /// The array under this key of the outermost object has just been opened, and holds records.
    Container(ContainerKind),
    /// The byte at which the scan stopped cannot stand there.
    Broken(&'static str),
}

/// What holds records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerKind {
    /// `{"Records": [...]}`.
    Records,
    /// `{"logEvents": [...]}` of a CloudWatch Logs message.
    LogEvents,
    /// The same of a control message, whose events are no records.
    ControlMessage,
}

/// The first bytes of a string.
#[derive(Debug, Default)]
struct Short {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Short {
    const CAPACITY: usize = 24;

    fn push(&mut self, part: &[u8]) {
        let end = self.length.saturating_add(part.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(part);
        }
        self.length = end;
    }

    /// The whole string, if it was short.
    fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Scanner {
    /// For a value whose first byte comes next.
    pub(super) fn new() -> Self {
        Self {
            expect: Expect::Value,
            depth: 0,
            objects: 0,
            in_string: false,
            escaped: false,
            may_contain_records: true,
            last: Short::default(),
            key: Key::None,
            is_control: false,
        }
    }

    /// For the rest of an object whose container of records has just ended.
    pub(super) fn rest_of_object() -> Self {
        Self { expect: Expect::CommaOrEnd, depth: 1, objects: 1, key: Key::Other, ..Self::new() }
    }

    /// Scans on through `bytes`; says how many were consumed and what was found. A broken byte is not consumed.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> (usize, Scan) {
        let mut at = 0;
        loop {
            if self.in_string {
                match self.string(bytes, &mut at) {
                    None => {}
                    Some(stopped) => return (at, stopped),
                }
            }
            let Some(byte) = bytes.get(at) else { return (at, Scan::More) };
            match self.byte(*byte) {
                None => at += 1,
                Some(broken @ Scan::Broken(_)) => return (at, broken),
                Some(found) => return (at + 1, found),
            }
        }
    }

    /// Scans on through a string; `None` once it is over.
    fn string(&mut self, bytes: &[u8], at: &mut usize) -> Option<Scan> {
        while let Some(rest) = bytes.get(*at..).filter(|rest| !rest.is_empty()) {
            if self.escaped {
                self.escaped = false;
                self.note_string(rest.get(..1).unwrap_or_default());
                *at += 1;
                continue;
            }
            let Some(found) = memchr3(b'"', b'\\', b'\n', rest) else {
                self.note_string(rest);
                *at = bytes.len();
                return Some(Scan::More);
            };
            self.note_string(rest.get(..found).unwrap_or_default());
            *at += found;
            match rest.get(found) {
                Some(b'"') => {
                    *at += 1;
                    self.in_string = false;
                    self.end_of_string();
                    return None;
                }
                Some(b'\\') => {
                    *at += 1;
                    self.escaped = true;
                    // An escape makes it another string than the short one that looks like it.
                    self.note_string(b"\\");
                }
                _ => return Some(Scan::Broken("unescaped line break in a string")),
            }
        }
        Some(Scan::More)
    }

    fn note_string(&mut self, part: &[u8]) {
        if self.depth == 1 {
            self.last.push(part);
        }
    }

    fn end_of_string(&mut self) {
        if self.expect == Expect::Colon {
            if self.depth == 1 {
                self.end_of_key();
            }
        } else if self.depth == 1 && self.key == Key::MessageType {
            self.is_control = self.last.get() == b"CONTROL_MESSAGE";
        }
    }

    fn end_of_key(&mut self) {
        let is_first = self.key == Key::None;
        self.key = match self.last.get() {
            b"Records" => Key::Records,
            b"logEvents" => Key::LogEvents,
            b"messageType" => Key::MessageType,
            b"eventVersion" | b"version" if is_first => {
                self.may_contain_records = false;
                Key::Other
            }
            _ => Key::Other,
        };
    }

    /// Takes one byte outside strings.
    fn byte(&mut self, byte: u8) -> Option<Scan> {
        if self.expect == Expect::Literal {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') {
                return None;
            }
            self.expect = Expect::CommaOrEnd;
        }
        match (byte, self.expect) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => None,
            (b'"', Expect::Key | Expect::KeyOrEnd) => self.begin_string(Expect::Colon),
            (b'"', Expect::Value | Expect::ValueOrEnd) => self.begin_string(Expect::CommaOrEnd),
            (b':', Expect::Colon) => {
                self.expect = Expect::Value;
                None
            }
            (b',', Expect::CommaOrEnd) => {
                self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
                None
            }
            (b'{' | b'[', Expect::Value | Expect::ValueOrEnd) => self.open(byte == b'{'),
            (b'}', Expect::KeyOrEnd | Expect::CommaOrEnd) if self.in_object() => self.close(),
            (b']', Expect::ValueOrEnd | Expect::CommaOrEnd) if !self.in_object() => self.close(),
            (b'0'..=b'9' | b'-' | b't' | b'f' | b'n', Expect::Value | Expect::ValueOrEnd) => {
                self.expect = Expect::Literal;
                None
            }
            _ => Some(Scan::Broken(match self.expect {
                Expect::Value | Expect::ValueOrEnd => "a value is missing",
                Expect::Key | Expect::KeyOrEnd => "a key is missing",
                Expect::Colon => "a colon is missing",
                Expect::CommaOrEnd | Expect::Literal => "a comma or a closing bracket is missing",
            })),
        }
    }

    fn begin_string(&mut self, then: Expect) -> Option<Scan> {
        self.expect = then;
        self.in_string = true;
        self.last.length = 0;
        None
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn open(&mut self, is_object: bool) -> Option<Scan> {
        if !is_object && self.depth == 1 && self.in_object() && self.may_contain_records {
            let kind = match self.key {
                Key::Records => Some(ContainerKind::Records),
                Key::LogEvents if self.is_control => Some(ContainerKind::ControlMessage),
                Key::LogEvents => Some(ContainerKind::LogEvents),
                Key::None | Key::MessageType | Key::Other => None,
            };
            if let Some(kind) = kind {
                return Some(Scan::Container(kind));
            }
        }
        // The bits of `objects` are a stack; the limit keeps it from overflowing.
        if usize::try_from(self.depth).is_ok_and(|depth| depth >= NESTING_MAX) {
            return Some(Scan::Broken("nested too deep"));
        }
        self.depth += 1;
        self.objects = (self.objects << 1) | u128::from(is_object);
        self.expect = if is_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        None
    }

    fn close(&mut self) -> Option<Scan> {
        self.depth -= 1;
        self.objects >>= 1;
        self.expect = Expect::CommaOrEnd;
        (self.depth == 0).then_some(Scan::Done)
    }
}

const _: () = assert!(NESTING_MAX < 128, "the stack of brackets is a u128");
