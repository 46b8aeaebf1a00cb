//! Reads four fields of a CloudTrail record off its text, without parsing it.

use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2, memmem};
use wide::u8x32;

use crate::time::Second;

/// What is known of a record before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// `eventTime`, cut to the second.
    pub time: Second,
    /// `recipientAccountId`.
    pub account: &'a str,
    /// `eventSource`.
    pub source: &'a str,
    /// `eventName`.
    pub name: &'a str,
}

/// Reads the four fields of a CloudTrail record, bare or in an EventBridge envelope, if they can be read off.
///
/// `Some` promises: if decoding gives a call, it has the same time, account, source and name. It rests on each key
/// occurring exactly once in the whole text, which cannot be written in another way once `\u` and `\/` are excluded.
/// Two things are taken on trust: that an envelope has its one `recipientAccountId` inside `detail`, and that events
/// which are no calls (a job's state, inventory) do not have all four keys.
#[must_use]
pub fn peek(bytes: &[u8]) -> Option<Peek<'_>> {
    let text = bytes.trim_ascii();
    if !(text.starts_with(b"{") && text.ends_with(b"}")) || has_alternative_spelling(text) {
        return None;
    }
    let keys = Keys::find(text)?;
    let time = Second::parse(string_after(text, keys.time)?.0)?;
    let (source, _) = string_after(text, keys.source)?;
    let (name, _) = string_after(text, keys.name)?;
    let (account, account_end) = string_after(text, keys.account)?;
    let is_beside_name = match levels_closed(text.get(account_end..)?) {
        1 => !mentions_detail(text.get(..keys.name)?),
        2 => mentions_detail(text.get(..keys.name)?),
        _ => false,
    };
    (is_beside_name && !account.is_empty()).then_some(Peek { time, account, source, name })
}

/// Where the four keys end.
struct Keys {
    time: usize,
    source: usize,
    name: usize,
    account: usize,
}

impl Keys {
    /// Finds them; `None` unless each occurs exactly once.
    fn find(text: &[u8]) -> Option<Self> {
        static EVENT: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(r#""event"#));
        static ACCOUNT: LazyLock<memmem::Finder<'static>> =
            LazyLock::new(|| memmem::Finder::new(r#""recipientAccountId""#));
        let (mut time, mut source, mut name) = (None, None, None);
        // Three of the keys share their beginning, so one search finds them all.
        for at in EVENT.find_iter(text) {
            let after = at.saturating_add(EVENT.needle().len());
            let rest = text.get(after..)?;
            let (slot, length) = match rest {
                [b'T', b'i', b'm', b'e', b'"', ..] => (&mut time, 5),
                [b'N', b'a', b'm', b'e', b'"', ..] => (&mut name, 5),
                [b'S', b'o', b'u', b'r', b'c', b'e', b'"', ..] => (&mut source, 7),
                _ => continue,
            };
            if slot.replace(after.saturating_add(length)).is_some() {
                return None;
            }
        }
        let (time, source, name) = (time?, source?, name?);
        let account = ACCOUNT.find(text)?.saturating_add(ACCOUNT.needle().len());
        if ACCOUNT.find(text.get(account..)?).is_some() {
            return None;
        }
        Some(Self { time, source, name, account })
    }
}

/// Whether the text has an escape with which a key or a value could be spelled in another way.
fn has_alternative_spelling(text: &[u8]) -> bool {
    memchr_iter(b'\\', text).any(|at| matches!(text.get(at.saturating_add(1)), Some(b'u' | b'/') | None))
}

/// The string value that follows a key which ends at `at`, and where it ends.
fn string_after(text: &[u8], at: usize) -> Option<(&str, usize)> {
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
    Some((std::str::from_utf8(string).ok()?, text.len().saturating_sub(rest.len())))
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
        let found = |byte: u8| block.simd_eq(u8x32::splat(byte)).to_bitmask();
        if found(b'\\') | found(b'[') | found(b']') != 0 {
            return None;
        }
        let inside = prefix_parity(found(b'"')) ^ in_string;
        let (opening, closing) = (found(b'{') & !inside, found(b'}') & !inside);
        closed = closed.saturating_add(i64::from(closing.count_ones())).saturating_sub(i64::from(opening.count_ones()));
        in_string = if inside >> 31 == 1 { u32::MAX } else { 0 };
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
}
