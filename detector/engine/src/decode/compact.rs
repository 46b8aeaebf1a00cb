//! A parser for JSON as AWS writes it: compact, without escapes in what is read.
//!
//! Nearly every record comes so, and reading it takes half the time that a parser for all of JSON needs. It accepts
//! nothing that is no JSON; whatever it does not know (white space between tokens, escapes in a key or a value that is
//! read, `\u` anywhere) is an error, and the general parser reads the record instead. So it decides nothing: what it
//! accepts, every parser reads alike, and tests hold it against serde_json.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor},
    forward_to_deserialize_any,
};

use wide::u8x32;

use super::wire::Raw;

/// Parses the whole of `text`. No part of it may nest deeper than the stack allows, which the caller has seen to.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, NotCompact> {
    // Control characters may stand between tokens only, and there this parser wants none.
    if text.as_bytes().iter().fold(false, |found, byte| found | (*byte < b' ')) {
        return Err(NotCompact);
    }
    let mut parser = Compact { text, bytes: text.as_bytes(), at: 0 };
    let value = T::deserialize(&mut parser)?;
    if parser.at == text.len() { Ok(value) } else { Err(NotCompact) }
}

/// The text is not what this parser reads; it may well be JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCompact;

impl fmt::Display for NotCompact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not compact JSON")
    }
}

impl std::error::Error for NotCompact {}

impl serde::de::Error for NotCompact {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// An unparsed value.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawText<'a>(&'a str);

/// Under this name a [`RawText`] asks the parser for a value's text.
const RAW: &str = "$bedrock-watch raw text";

impl<'a> Deserialize<'a> for RawText<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        impl<'a> Visitor<'a> for Borrowed {
            type Value = RawText<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value's text")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
                Ok(RawText(text))
            }
        }

        deserializer.deserialize_newtype_struct(RAW, Borrowed)
    }
}

impl<'a> Raw<'a> for RawText<'a> {
    fn into_text(self) -> std::borrow::Cow<'a, str> {
        std::borrow::Cow::Borrowed(self.0)
    }
}

struct Compact<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotCompact> {
        if self.peek() == Some(byte) {
            self.at = self.at.saturating_add(1);
            Ok(())
        } else {
            Err(NotCompact)
        }
    }

    /// Whether `literal` comes next; it is passed over if so.
    fn take(&mut self, literal: &[u8]) -> bool {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(literal));
        if is_next {
            self.at = self.at.saturating_add(literal.len());
        }
        is_next
    }

    /// A string without escapes.
    fn string(&mut self) -> Result<&'a str, NotCompact> {
        self.expect(b'"')?;
        let start = self.at;
        let end = quote_or_backslash(self.bytes, start).ok_or(NotCompact)?;
        self.at = end;
        self.expect(b'"')?;
        self.text.get(start..end).ok_or(NotCompact)
    }

    fn skip_string(&mut self) -> Result<(), NotCompact> {
        self.expect(b'"')?;
        loop {
            let end = quote_or_backslash(self.bytes, self.at).ok_or(NotCompact)?;
            self.at = end.saturating_add(1);
            if self.bytes.get(end) == Some(&b'"') {
                return Ok(());
            }
            match self.peek() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at = self.at.saturating_add(1),
                _ => return Err(NotCompact),
            }
        }
    }

    fn skip_value(&mut self) -> Result<(), NotCompact> {
        let known = match self.peek() {
            Some(b'"') => return self.skip_string(),
            Some(b'{') => return self.skip_object(),
            Some(b'[') => return self.skip_array(),
            Some(b't') => self.take(b"true"),
            Some(b'f') => self.take(b"false"),
            Some(b'n') => self.take(b"null"),
            _ => return self.skip_number(),
        };
        if known { Ok(()) } else { Err(NotCompact) }
    }

    fn skip_object(&mut self) -> Result<(), NotCompact> {
        self.expect(b'{')?;
        if self.take(b"}") {
            return Ok(());
        }
        loop {
            self.skip_string()?;
            self.expect(b':')?;
            self.skip_value()?;
            if !self.take(b",") {
                return self.expect(b'}');
            }
        }
    }

    fn skip_array(&mut self) -> Result<(), NotCompact> {
        self.expect(b'[')?;
        if self.take(b"]") {
            return Ok(());
        }
        loop {
            self.skip_value()?;
            if !self.take(b",") {
                return self.expect(b']');
            }
        }
    }

    fn skip_number(&mut self) -> Result<(), NotCompact> {
        self.take(b"-");
        if !self.take(b"0") {
            self.skip_digits()?;
        }
        if self.take(b".") {
            self.skip_digits()?;
        }
        if self.take(b"e") || self.take(b"E") {
            let _signed = self.take(b"+") || self.take(b"-");
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), NotCompact> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at = self.at.saturating_add(1);
        }
        if self.at > start { Ok(()) } else { Err(NotCompact) }
    }
}

/// The place of the next quote or backslash from `at` on.
///
/// Most strings end within the first 32 bytes, which are looked at together: a loop that ends sooner or later by the
/// length of the string would be mispredicted for nearly every string, and that costs more than all the rest.
fn quote_or_backslash(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (blocks, tail) = rest.as_chunks::<32>();
    let mut passed = at;
    for block in blocks {
        let found = quotes_and_backslashes(block);
        if found != 0 {
            return passed.checked_add(usize::try_from(found.trailing_zeros()).ok()?);
        }
        passed = passed.saturating_add(block.len());
    }
    let further = tail.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    passed.checked_add(further)
}

/// A bit for each byte that is a quote or a backslash, the first byte's the lowest.
fn quotes_and_backslashes(block: &[u8; 32]) -> u32 {
    let block = u8x32::new(*block);
    (block.simd_eq(u8x32::splat(b'"')) | block.simd_eq(u8x32::splat(b'\\'))).to_bitmask()
}

impl<'de> Deserializer<'de> for &mut Compact<'de> {
    type Error = NotCompact;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NotCompact> {
        // The wire types ask for what they want.
        Err(NotCompact)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        if self.take(b"null") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, NotCompact> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        let start = self.at;
        self.skip_value()?;
        visitor.visit_borrowed_str(self.text.get(start..self.at).ok_or(NotCompact)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        visitor.visit_borrowed_str(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.skip_value()?;
        visitor.visit_unit()
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.expect(b'{')?;
        visitor.visit_map(Fields { parser: self, is_first: true })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        struct enum
    }
}

/// The fields of an object, whose brace was passed over.
struct Fields<'p, 'a> {
    parser: &'p mut Compact<'a>,
    is_first: bool,
}

impl<'a> MapAccess<'a> for Fields<'_, 'a> {
    type Error = NotCompact;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, NotCompact> {
        if self.parser.take(b"}") {
            return Ok(None);
        }
        if !std::mem::take(&mut self.is_first) {
            self.parser.expect(b',')?;
        }
        seed.deserialize(&mut *self.parser).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, NotCompact> {
        self.parser.expect(b':')?;
        seed.deserialize(&mut *self.parser)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    #[test]
    fn accepts_compact_json_and_nothing_else() {
        let check = |text: &str, expected: bool| {
            assert_eq!(parse::<IgnoredAny>(text).is_ok(), expected, "{text}");
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

    #[test]
    fn finds_the_end_of_strings_of_any_length() {
        for length in 0..100 {
            for end in ['"', '\\'] {
                let text = format!("{}{end}{}", "é".repeat(length), "\"".repeat(9));
                assert_eq!(quote_or_backslash(text.as_bytes(), 0), Some(length * 2), "{text}");
            }
            assert_eq!(quote_or_backslash("x".repeat(length).as_bytes(), 0), None);
        }
    }
}
