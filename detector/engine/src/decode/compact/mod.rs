//! A parser for JSON as AWS writes it: compact, without escapes in what is read.
//!
//! Nearly every record comes so, and reading it takes half the time that a parser for all of JSON needs. It accepts
//! nothing that is no JSON; whatever it does not know (white space between tokens, escapes in a key or a value that is
//! read, `\u` anywhere) is an error, and the general parser reads the record instead. So it decides nothing: what it
//! accepts, every parser reads alike, and tests hold it against serde_json.

mod quotes;

use serde::de::IgnoredAny;

use super::{
    json::NESTING_MAX,
    wire::{Raw, Text},
};
use quotes::Quotes;

/// Parses the whole of `text`, which may nest as deep as [`NESTING_MAX`], into `slot`.
pub(super) fn parse<'a, T: Read<'a>>(text: &'a str, slot: &mut Option<T>) -> Result<(), NotCompact> {
    let mut parser = Compact::new(text);
    T::read(&mut parser, slot)?;
    // Control characters may stand between tokens only, and there this parser wants none.
    if parser.at != text.len() || parser.quotes.passed_control_character() {
        return Err(NotCompact);
    }
    Ok(())
}

/// The text is not what this parser reads; it may well be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCompact;

/// What can be read from compact JSON.
///
/// Not serde's way, in which a value is handed up by value through every level: here it is written where it belongs,
/// and that is half the cost.
pub(super) trait Read<'a>: Sized {
    /// Reads a value that is not null into `slot`.
    fn read(parser: &mut Compact<'a>, slot: &mut Option<Self>) -> Result<(), NotCompact>;
}

impl<'a> Read<'a> for Text<'a> {
    #[inline]
    fn read(parser: &mut Compact<'a>, slot: &mut Option<Self>) -> Result<(), NotCompact> {
        *slot = Some(Self::borrowed(parser.string()?));
        Ok(())
    }
}

/// An unparsed value.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawText<'a>(&'a str);

impl<'a> Read<'a> for RawText<'a> {
    fn read(parser: &mut Compact<'a>, slot: &mut Option<Self>) -> Result<(), NotCompact> {
        let start = parser.at;
        parser.skip_value()?;
        *slot = Some(RawText(parser.text_from(start)?));
        Ok(())
    }
}

impl<'a> Read<'a> for IgnoredAny {
    fn read(parser: &mut Compact<'a>, slot: &mut Option<Self>) -> Result<(), NotCompact> {
        *slot = Some(Self);
        parser.skip_value()
    }
}

impl<'a> Raw<'a> for RawText<'a> {
    fn into_text(self) -> std::borrow::Cow<'a, str> {
        std::borrow::Cow::Borrowed(self.0)
    }
}

/// The parser.
#[derive(Debug)]
pub(super) struct Compact<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The quotes from `at` on, which the parser passes one by one.
    quotes: Quotes<'a>,
    /// How many levels more the text may nest.
    levels: usize,
}

impl<'a> Compact<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at: 0, quotes: Quotes::new(bytes), levels: NESTING_MAX }
    }

    /// Where the next token begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` to the next token.
    pub(super) fn text_from(&self, start: usize) -> Result<&'a str, NotCompact> {
        self.text.get(start..self.at).ok_or(NotCompact)
    }

    /// Reads a value, or null, into `slot`.
    #[inline]
    pub(super) fn optional<T: Read<'a>>(&mut self, slot: &mut Option<T>) -> Result<(), NotCompact> {
        if self.peek() == Some(b'n') {
            *slot = None;
            return self.expect_word(b"null");
        }
        T::read(self, slot)
    }

    /// Reads an object: shows `field` each key, which then has to read or skip the value.
    #[inline]
    pub(super) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &'a [u8]) -> Result<(), NotCompact>,
    ) -> Result<(), NotCompact> {
        self.nested(|parser| {
            parser.expect(b'{')?;
            if parser.take(b'}') {
                return Ok(());
            }
            loop {
                let (start, end) = parser.pass_plain_string()?;
                let key = parser.bytes.get(start..end).ok_or(NotCompact)?;
                parser.expect(b':')?;
                field(parser, key)?;
                if !parser.take(b',') {
                    return parser.expect(b'}');
                }
            }
        })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), NotCompact> {
        if self.take(byte) { Ok(()) } else { Err(NotCompact) }
    }

    /// Whether `byte` comes next; it is passed over if so.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at = self.at.wrapping_add(1);
        }
        is_next
    }

    fn expect_word(&mut self, word: &[u8]) -> Result<(), NotCompact> {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at = self.at.saturating_add(word.len());
        if is_next { Ok(()) } else { Err(NotCompact) }
    }

    /// Passes a string; where its content begins and ends.
    #[inline]
    fn pass_string(&mut self) -> Result<(usize, usize), NotCompact> {
        // All quotes before this place were passed, so the next one is the string's or there is no string here.
        let (open, close) = self.quotes.next_two().ok_or(NotCompact)?;
        if open != self.at {
            return Err(NotCompact);
        }
        self.at = close.wrapping_add(1);
        Ok((open.wrapping_add(1), close))
    }

    /// Passes a string without escapes; where its content begins and ends.
    #[inline]
    fn pass_plain_string(&mut self) -> Result<(usize, usize), NotCompact> {
        let (start, end) = self.pass_string()?;
        if self.quotes.backslash() < end { Err(NotCompact) } else { Ok((start, end)) }
    }

    /// A string without escapes.
    #[inline]
    fn string(&mut self) -> Result<&'a str, NotCompact> {
        let (start, end) = self.pass_plain_string()?;
        self.text.get(start..end).ok_or(NotCompact)
    }

    #[inline]
    fn skip_string(&mut self) -> Result<(), NotCompact> {
        let (_, end) = self.pass_string()?;
        while self.quotes.backslash() < end {
            let escaped = self.quotes.backslash().wrapping_add(1);
            match self.bytes.get(escaped) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                _ => return Err(NotCompact),
            }
            self.quotes.pass_backslashes(self.bytes, escaped.wrapping_add(1));
        }
        Ok(())
    }

    pub(super) fn skip_value(&mut self) -> Result<(), NotCompact> {
        match self.peek() {
            Some(b'"') => self.skip_string(),
            Some(b'{') => self.nested(Self::skip_object),
            Some(b'[') => self.nested(Self::skip_array),
            Some(b't') => self.expect_word(b"true"),
            Some(b'f') => self.expect_word(b"false"),
            Some(b'n') => self.expect_word(b"null"),
            _ => self.skip_number(),
        }
    }

    /// Reads what stands in a pair of brackets, a level deeper.
    #[inline]
    fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, NotCompact>) -> Result<T, NotCompact> {
        self.levels = self.levels.checked_sub(1).ok_or(NotCompact)?;
        let read = inside(self);
        self.levels = self.levels.wrapping_add(1);
        read
    }

    fn skip_object(&mut self) -> Result<(), NotCompact> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_string()?;
            self.expect(b':')?;
            self.skip_value()?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    fn skip_array(&mut self) -> Result<(), NotCompact> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.skip_value()?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    fn skip_number(&mut self) -> Result<(), NotCompact> {
        self.take(b'-');
        if !self.take(b'0') {
            self.skip_digits()?;
        }
        if self.take(b'.') {
            self.skip_digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), NotCompact> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at = self.at.wrapping_add(1);
        }
        if self.at > start { Ok(()) } else { Err(NotCompact) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_compact_json_and_nothing_else() {
        let check = |text: &str, expected: bool| {
            assert_eq!(parse::<IgnoredAny>(text, &mut None).is_ok(), expected, "{text}");
            assert!(!expected || serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
        };
        for text in ["0", "-0", "10.5", "1e9", "-1.25E-3", "true", "null", "{}", "[]", r#""""#, r#""é""#] {
            check(text, true);
            check(&format!(r#"{{"a":[{text},{{"b":{text}}}]}}"#), true);
        }
        check(r#"{"a":"\"\\\/\b\f\n\r\t"}"#, true);
        check(&format!(r#"["{}\"{}"]"#, "x".repeat(100), "y".repeat(7)), true);
        for text in ["01", "1.", ".5", "+1", "1e", "-", "tru", "nul", "{", "[", "[1,]", r#"{"a":1,}"#, r#"{"a"}"#] {
            check(text, false);
        }
        for text in [r#"{,"a":1}"#, "{a:1}", r#""a"#, r#""\"#, r#""\x""#, r#""\u0041""#, "[1 ,2]", " 1", "1 ", "1,", ""]
        {
            check(text, false);
        }
        check("\"a\u{1}\"", false);
    }
}
