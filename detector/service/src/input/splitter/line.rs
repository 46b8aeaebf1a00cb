//! The quick way for JSON Lines: tells that a line is a single record without looking at its structure.
//!
//! The line begins as records do and ends with a closing brace, and what follows begins a new value. An incomplete
//! value cannot be followed by one, and a second value on the line would follow a closing brace, so in valid JSON the
//! line is exactly one value. In broken JSON the line is broken, and decoding says so.

use memchr::{memchr, memchr_iter};

/// How a CloudTrail record begins, as CloudTrail writes it.
pub(super) const BEGINNING_OF_RECORD: &[u8] = br#"{"eventVersion""#;
/// How records begin: that, and an EventBridge envelope. What begins so is never taken for a container of records.
const BEGINNINGS: [&[u8]; 2] = [BEGINNING_OF_RECORD, br#"{"version""#];
/// A line longer than this is scanned instead of searched for its end.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// How much blank space after a line is looked through for what follows.
const BLANK_BYTES_MAX: usize = 4096;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// One record of this many bytes.
    Record { length: usize },
    /// More bytes are needed to tell. In the first `searched` there is no line break.
    More { searched: usize },
    /// It has to be scanned.
    Other,
}

/// Looks at the line with which `rest` begins. In its first `searched` bytes no line break was found before.
pub(super) fn look(rest: &[u8], searched: usize, has_ended: bool) -> Line {
    if !BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning)) {
        let may_become_one = BEGINNINGS.iter().any(|beginning| beginning.starts_with(rest));
        return if may_become_one && !has_ended { Line::More { searched: rest.len() } } else { Line::Other };
    }
    let Some(end) = memchr(b'\n', rest.get(searched..).unwrap_or_default()).map(|at| at + searched) else {
        let may_end = !has_ended && rest.len() < LINE_BYTES_MAX;
        return if may_end { Line::More { searched: rest.len() } } else { Line::Other };
    };
    if end >= LINE_BYTES_MAX {
        return Line::Other;
    }
    let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
    if !line.ends_with(b"}") || has_second_value(line) {
        return Line::Other;
    }
    let after = rest.get(end..).unwrap_or_default();
    let after = after.get(..BLANK_BYTES_MAX).unwrap_or(after);
    match after.trim_ascii_start().first() {
        Some(b'{') => Line::Record { length: line.len() },
        None if after.len() < BLANK_BYTES_MAX && has_ended => Line::Record { length: line.len() },
        None if after.len() < BLANK_BYTES_MAX => Line::More { searched: end },
        Some(_) | None => Line::Other,
    }
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
