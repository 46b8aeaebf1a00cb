//! Reads four fields of a CloudTrail record off its text, without parsing it.

use std::sync::LazyLock;

use memchr::{memchr2, memmem};
use wide::u8x32;

use super::needles::Needles;
use crate::time::Second;

/// What is known of a record before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// `eventTime`, cut to the second.
    pub time: Second,
    /// `recipientAccountId`.
    pub account: &'a str,
    /// `eventSource`; nobody looked yet whether it is UTF-8.
    pub source: &'a [u8],
    /// `eventName`; nobody looked yet whether it is UTF-8.
    pub name: &'a [u8],
}

/// Reads the four fields of a CloudTrail record, bare or in an EventBridge envelope, if they can be read off.
///
/// `Some` promises: if decoding gives a call, it has the same time, account, source and name. It rests on each key
/// occurring exactly once in the whole text, which cannot be written in another way once `\u` is excluded.
/// Two things are taken on trust: that an envelope has its one `recipientAccountId` inside `detail`, and that events
/// which are no calls (a job's state, inventory) do not have all four keys.
#[must_use]
pub fn peek(bytes: &[u8]) -> Option<Peek<'_>> {
    static WITHOUT_TEXTS: LazyLock<Peeker> = LazyLock::new(|| Peeker::new(&[]));
    WITHOUT_TEXTS.peek(bytes)
}

/// Ends of the four keys and the escape: rare, and no two begin alike.
const ENDS: [&[u8]; 5] = [b"tTime\"", b"tSource\"", b"tName\"", b"tAccountId\"", b"\\u"];

/// Peeks at records, and says nothing of those that have one of some texts.
#[derive(Debug)]
pub(super) struct Peeker {
    /// The texts, then [`ENDS`]: one pass over a record finds them all. `None` when that is not to be had.
    needles: Option<Needles>,
    text_count: usize,
}

impl Peeker {
    pub(super) fn new(texts: &[&[u8]]) -> Self {
        let needles: Vec<&[u8]> = texts.iter().copied().chain(ENDS).collect();
        Self { needles: Needles::new(&needles), text_count: texts.len() }
    }

    /// [`peek`]; `None` too if the record has one of the texts, or could have it in another spelling.
    pub(super) fn peek<'a>(&self, bytes: &'a [u8]) -> Option<Peek<'a>> {
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let keys = self.find_keys(bytes)?;
        // Asked last, because by then the record's end was fetched from memory.
        if !bytes.trim_ascii_end().ends_with(b"}") {
            return None;
        }
        let time = Second::parse_bytes(string_after(bytes, keys.time)?.0)?;
        let (source, _) = string_after(bytes, keys.source)?;
        let (name, _) = string_after(bytes, keys.name)?;
        let (account, account_end) = string_after(bytes, keys.account)?;
        let is_beside_name = match levels_closed(bytes.get(account_end..)?) {
            1 => !mentions_detail(bytes.get(..keys.name)?),
            2 => mentions_detail(bytes.get(..keys.name)?),
            _ => false,
        };
        let account = std::str::from_utf8(account).ok().filter(|account| !account.is_empty())?;
        is_beside_name.then_some(Peek { time, account, source, name })
    }

    /// Finds where the four keys end; `None` unless each occurs exactly once and can be written in no other way.
    fn find_keys(&self, text: &[u8]) -> Option<Keys> {
        let needles = self.needles.as_ref()?;
        let (mut time, mut source, mut name, mut account) = (None, None, None, None);
        let mut from = 0;
        while let Some(found) = needles.find(text, from) {
            // Texts may begin inside a key that is none of the four.
            from = found.start.saturating_add(1);
            let before = text.get(..found.start)?;
            let (slot, is_key) = match found.needle.checked_sub(self.text_count)? {
                0 => (&mut time, before.ends_with(b"\"even")),
                1 => (&mut source, before.ends_with(b"\"even")),
                2 => (&mut name, before.ends_with(b"\"even")),
                3 => (&mut account, before.ends_with(b"\"recipien")),
                _ => return None,
            };
            if is_key && slot.replace(found.end).is_some() {
                return None;
            }
        }
        Some(Keys { time: time?, source: source?, name: name?, account: account? })
    }
}

/// Where the four keys end.
struct Keys {
    time: usize,
    source: usize,
    name: usize,
    account: usize,
}

/// The string value that follows a key which ends at `at`, and where it ends.
fn string_after(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = text.get(at..)?;
    // Written compactly, as nearly always; else white space may stand on both sides of the colon.
    let value = match rest {
        [b':', b'"', value @ ..] => value,
        _ => rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?,
    };
    let end = memchr2(b'"', b'\\', value)?;
    // An escape would have to be resolved.
    let (string, rest) = value.split_at_checked(end)?;
    let rest = rest.strip_prefix(b"\"")?;
    Some((string, text.len().saturating_sub(rest.len())))
}

/// How many levels more are closed than opened in `rest`, which begins outside a string.
fn levels_closed(rest: &[u8]) -> i64 {
    levels_closed_in_blocks(rest).unwrap_or_else(|| levels_closed_slowly(rest))
}

/// The same by the block, for what follows in real records: objects in which no string has an escape.
fn levels_closed_in_blocks(rest: &[u8]) -> Option<i64> {
    let mut closed = 0_i64;
    // All ones while a string goes on from the block before.
    let mut in_string = 0_u32;
    let (blocks, tail) = rest.as_chunks::<32>();
    let mut last = [b' '; 32];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    for block in blocks.iter().chain([&last]) {
        let block = u8x32::new(*block);
        let is = |byte: u8| block.simd_eq(u8x32::splat(byte));
        if (is(b'\\') | is(b'[') | is(b']')).to_bitmask() != 0 {
            return None;
        }
        let inside = prefix_parity(is(b'"').to_bitmask()) ^ in_string;
        in_string = if inside >> 31 == 1 { u32::MAX } else { 0 };
        let braces = (is(b'{') | is(b'}')).to_bitmask() & !inside;
        if braces != 0 {
            let opening = (is(b'{').to_bitmask() & braces).count_ones();
            let closing = braces.count_ones().saturating_sub(opening);
            closed = closed.saturating_add(i64::from(closing)).saturating_sub(i64::from(opening));
        }
    }
    Some(closed)
}

/// Each bit tells whether an odd number of the bits up to and with it is set.
const fn prefix_parity(bits: u32) -> u32 {
    let bits = bits ^ (bits << 1);
    let bits = bits ^ (bits << 2);
    let bits = bits ^ (bits << 4);
    let bits = bits ^ (bits << 8);
    bits ^ (bits << 16)
}

fn levels_closed_slowly(rest: &[u8]) -> i64 {
    let mut closed = 0_i64;
    let (mut in_string, mut escaped) = (false, false);
    for byte in rest {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => closed = closed.saturating_sub(1),
            b'}' | b']' if !in_string => closed = closed.saturating_add(1),
            _ => {}
        }
    }
    closed
}

fn mentions_detail(text: &[u8]) -> bool {
    static DETAIL: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(r#""detail""#));
    DETAIL.find(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_levels_outside_strings() {
        let check = |rest: &str, expected| {
            assert_eq!(levels_closed(rest.as_bytes()), expected, "{rest}");
            assert_eq!(levels_closed_slowly(rest.as_bytes()), expected, "{rest}");
        };
        check(r#","tlsDetails":{"a":"}"}}}"#, 2);
        check(r#"}"#, 1);
        check(r#","a":"{","b":{"c":{}}}"#, 1);
        check(r#","a":[{"b":"]"}],"c":"\"}"}}"#, 2);
        check(&format!(r#","a":"{}{{","b":"}}{}"}}}}{}"#, "x".repeat(31), "{".repeat(40), " ".repeat(9)), 2);
    }

    #[test]
    fn says_nothing_in_doubt() {
        let record = r#"{"eventTime": "2026-11-22T05:39:00Z","eventSource":"s3","eventName":"GetObject","recipientAccountId":"1"}"#;
        let check = |text: &str, expected: bool| assert_eq!(peek(text.as_bytes()).is_some(), expected, "{text}");
        check(record, true);
        check(&format!("  {record}\r\n"), true);
        check(&format!(r#"{{"account":"2","detail":{record}}}"#), true);
        check(&format!(r#"{{"account":"2","other":{record}}}"#), false);
        check(&format!("[{record}]"), false);
        check(&record.replace("GetObject", "Get\\u004fbject"), false);
        check(&record.replace("GetObject", "Get\\/Object"), false);
        check(&record.replace("GetObject", "Get\\\"Object"), false);
        check(&record.replace("\"1\"", "null"), false);
        check(&record.replace("\"1\"", "\"\""), false);
        check(&record.replace("2026-11-22T05:39:00Z", "soon"), false);
        check(&record.replace("s3", "eventName\",\"x\":\"eventName"), false);
        check(&record.replace("\"recipientAccountId\":\"1\"", "\"x\":{\"recipientAccountId\":\"1\"}"), false);
        check(&record.replace("\"recipientAccountId\":\"1\"", "\"x\":1"), false);
        check("", false);
    }

    #[test]
    fn says_nothing_of_a_record_with_a_text() {
        let record = r#"{"eventTime":"2026-11-22T05:39:00Z","eventSource":"s3","eventName":"GetObject","recipientAccountId":"1","x":"X"}"#;
        let check = |texts: &[&str], value: &str, expected: bool| {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            let record = record.replace('X', value);
            assert_eq!(Peeker::new(&texts).peek(record.as_bytes()).is_some(), expected, "{texts:?} {record}");
        };
        check(&["BedrockAPIKey-"], "a", true);
        check(&["BedrockAPIKey-"], "bedrockapikey-", true);
        check(&["BedrockAPIKey-"], "my BedrockAPIKey-1", false);
        check(&["BedrockAPIKey-"], r"\u0042edrockAPIKey-1", false);
        check(&["Source"], "clientSource", false);
        check(&["tSource"], "clientSource", false);
        let many: Vec<String> = (0..200).map(|number| format!("Text{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, "Tex", true);
        check(&many, "Text99", false);
    }
}
