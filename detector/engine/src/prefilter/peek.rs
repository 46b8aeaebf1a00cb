//! Reads four fields of a CloudTrail record off its text, without parsing it.

use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2, memchr2_iter, memchr3, memmem};

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
    let mut at = at;
    let mut next = || {
        while let Some(byte) = text.get(at) {
            at = at.saturating_add(1);
            if !byte.is_ascii_whitespace() {
                return Some((*byte, at));
            }
        }
        None
    };
    let ((b':', _), (b'"', start)) = (next()?, next()?) else { return None };
    // An escape would have to be resolved.
    let end = start.saturating_add(memchr2(b'"', b'\\', text.get(start..)?)?);
    if text.get(end) != Some(&b'"') {
        return None;
    }
    Some((std::str::from_utf8(text.get(start..end)?).ok()?, end.saturating_add(1)))
}

/// How many levels more are closed than opened in `rest`, which begins outside a string.
fn levels_closed(rest: &[u8]) -> i64 {
    if memchr3(b'[', b']', b'\\', rest).is_some() {
        return levels_closed_slowly(rest);
    }
    // What follows in real records is flat and has no escapes: a brace counts if an even number of quotes is before it.
    let (mut closed, mut quotes, mut counted) = (0_i64, 0_usize, 0_usize);
    for at in memchr2_iter(b'{', b'}', rest) {
        let between = rest.get(counted..at).unwrap_or_default();
        quotes = quotes.saturating_add(memchr_iter(b'"', between).count());
        counted = at;
        if quotes.is_multiple_of(2) {
            closed = closed.saturating_add(if rest.get(at) == Some(&b'}') { 1 } else { -1 });
        }
    }
    closed
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
