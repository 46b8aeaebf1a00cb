//! Reads four fields of a CloudTrail record off its text, without parsing it.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem};

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
    let length = memchr(b'"', text.get(start..)?)?;
    let end = start.saturating_add(length);
    let value = text.get(start..end)?;
    // Control characters are no valid JSON, and a backslash means that the quote may not be the end.
    if value.iter().any(|byte| *byte == b'\\' || *byte < 0x20) {
        return None;
    }
    Some((std::str::from_utf8(value).ok()?, end.saturating_add(1)))
}

/// How many levels more are closed than opened in `rest`, which begins outside a string.
fn levels_closed(rest: &[u8]) -> i64 {
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
