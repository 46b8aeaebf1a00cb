//! The one place that chooses a JSON parser: `compact` first, then sonic-rs, with serde_json behind it.
//!
//! `compact` reads nearly every record, as AWS writes them, and leaves the others to sonic-rs, which is twice as fast as
//! serde_json. Where that refuses too, serde_json decides and writes the message, so nothing is lost by a
//! quirk of the fast parser. One difference is known and accepted: in values that nobody reads sonic-rs looks neither
//! at the four digits of a `\u` escape nor at the pairing of surrogates, so a record whose only fault is there is
//! accepted, while serde_json alone would reject it.

use serde::Deserialize;

use super::{DecodeError, wire::Raw};

/// How deep a record may nest, brackets and braces together.
///
/// Real records stay under 20. The parsers recurse once a level, so there has to be a limit, and below this one
/// `serde_json::Value` can hold every part of a record.
pub const NESTING_MAX: usize = 120;

/// A parser.
pub(super) trait Json {
    /// Its unparsed value.
    type Raw<'a>: Raw<'a> + Deserialize<'a>;

    /// Parses the whole of `text`.
    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DecodeError>;
}

/// The fast one.
pub(super) enum Sonic {}

impl Json for Sonic {
    type Raw<'a> = sonic_rs::LazyValue<'a>;

    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DecodeError> {
        sonic_rs::from_str(text).map_err(|error| {
            let (line, column, offset) = (error.line(), error.column(), error.offset());
            DecodeError::NotJson { line, column, offset, what: "unreadable".to_owned() }
        })
    }
}

/// The one that decides in doubt.
pub(super) enum SerdeJson {}

impl Json for SerdeJson {
    type Raw<'a> = &'a serde_json::value::RawValue;

    fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DecodeError> {
        serde_json::from_str(text).map_err(|error| describe(&error, text))
    }
}

fn describe(error: &serde_json::Error, text: &str) -> DecodeError {
    let (line, column) = (error.line(), error.column());
    let offset = offset_of(text, line, column);
    let mut what = error.to_string();
    if let Some(at) = what.rfind(" at line ") {
        what.truncate(at);
    }
    match error.classify() {
        serde_json::error::Category::Eof => DecodeError::Truncated { length: text.len() },
        serde_json::error::Category::Data => DecodeError::WrongType { line, column, offset, what },
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            DecodeError::NotJson { line, column, offset, what }
        }
    }
}

/// The byte at `line` and `column`, both from 1 and the column in bytes, as serde_json counts.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before.saturating_add(column.saturating_sub(1)).min(text.len())
}

/// Whether `text` nests deeper than [`NESTING_MAX`].
pub(super) fn is_too_deep(text: &str) -> bool {
    // Nearly every record has fewer openers than levels are allowed. Both openers become a brace by one bit, and counts
    // of 8 bits over short pieces let the compiler use its widest vectors.
    let in_piece =
        |piece: &[u8]| piece.iter().fold(0_u8, |count, byte| count.wrapping_add(u8::from(byte | 0x20 == b'{')));
    let openers: usize = text.as_bytes().chunks(u8::MAX.into()).map(|piece| usize::from(in_piece(piece))).sum();
    openers > NESTING_MAX && depth(text.as_bytes()) > NESTING_MAX
}

/// The greatest depth of brackets outside strings.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut greatest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth = depth.saturating_add(1);
                greatest = greatest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_depth_outside_strings_only() {
        let check = |text: &str, expected| assert_eq!(is_too_deep(text), expected, "{text:.60}");
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&nested(NESTING_MAX), false);
        check(&nested(NESTING_MAX + 1), true);
        check(&format!(r#"["\"{}"]"#, "{".repeat(500)), false);
        check(&format!("[{}]", vec!["{}"; 500].join(",")), false);
    }

    #[test]
    fn says_where() {
        let error = SerdeJson::parse::<serde_json::Value>("{\n \"a\": x}").err();
        assert_eq!(
            error,
            Some(DecodeError::NotJson { line: 2, column: 7, offset: 8, what: "expected value".to_owned() })
        );
    }
}
