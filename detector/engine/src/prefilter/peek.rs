//! Reads four fields of a CloudTrail record off its text, without parsing it.

use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2, memmem};
use wide::{u8x16, u8x32};

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
/// occurring exactly once in the whole text, which cannot be written in another way once `\u` and `\/` are excluded.
/// Two things are taken on trust: that an envelope has its one `recipientAccountId` inside `detail`, and that events
/// which are no calls (a job's state, inventory) do not have all four keys.
#[must_use]
pub fn peek(bytes: &[u8]) -> Option<Peek<'_>> {
    let text = bytes.trim_ascii();
    if !(text.starts_with(b"{") && text.ends_with(b"}")) {
        return None;
    }
    let keys = Keys::find(text)?;
    let time = Second::parse_bytes(string_after(text, keys.time)?.0)?;
    let (source, _) = string_after(text, keys.source)?;
    let (name, _) = string_after(text, keys.name)?;
    let (account, account_end) = string_after(text, keys.account)?;
    let is_beside_name = match levels_closed(text.get(account_end..)?) {
        1 => !mentions_detail(text.get(..keys.name)?),
        2 => mentions_detail(text.get(..keys.name)?),
        _ => false,
    };
    let account = std::str::from_utf8(account).ok().filter(|account| !account.is_empty())?;
    is_beside_name.then_some(Peek { time, account, source, name })
}

/// Where the four keys end.
struct Keys {
    time: usize,
    source: usize,
    name: usize,
    account: usize,
}

impl Keys {
    /// Finds them; `None` unless each occurs exactly once and can be written in no other way.
    fn find(text: &[u8]) -> Option<Self> {
        let (mut time, mut source, mut name, mut account) = (None, None, None, None);
        // All four keys have `nt` before a capital letter, so one pass finds them all.
        let has_backslash = for_each_nt(text, |at| {
            let (slot, begins, ends): (_, &[u8], &[u8]) = match text.get(at.saturating_add(2)) {
                Some(b'T') => (&mut time, b"\"eve", b"ntTime\""),
                Some(b'S') => (&mut source, b"\"eve", b"ntSource\""),
                Some(b'N') => (&mut name, b"\"eve", b"ntName\""),
                Some(b'A') => (&mut account, b"\"recipie", b"ntAccountId\""),
                _ => return Some(()),
            };
            let (before, from) = text.split_at_checked(at)?;
            if before.ends_with(begins) && from.starts_with(ends) {
                let key_ends = at.saturating_add(ends.len());
                return slot.replace(key_ends).is_none().then_some(());
            }
            Some(())
        })?;
        if has_backslash && has_alternative_spelling(text) {
            return None;
        }
        Some(Self { time: time?, source: source?, name: name?, account: account? })
    }
}

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// Shows `found` each place where `nt` stands, until it answers `None`. Returns whether the text has a backslash.
fn for_each_nt(text: &[u8], mut found: impl FnMut(usize) -> Option<()>) -> Option<bool> {
    let shifted = text.get(1..)?;
    let mut show = |at: usize, mut bits: u64| {
        while bits != 0 {
            found(at.wrapping_add(usize::try_from(bits.trailing_zeros()).ok()?))?;
            bits &= bits.wrapping_sub(1);
        }
        Some(())
    };
    let mut backslashes = u8x16::splat(0);
    let mut at = 0_usize;
    for (block, next) in text.as_chunks::<BLOCK>().0.iter().zip(shifted.as_chunks::<BLOCK>().0) {
        show(at, nt_in(block, next, &mut backslashes))?;
        at = at.wrapping_add(BLOCK);
    }
    // At most a block is left.
    let mut last = [b' '; BLOCK + 1];
    for (to, from) in last.iter_mut().zip(text.get(at..)?) {
        *to = *from;
    }
    show(at, nt_in(last.first_chunk()?, last.last_chunk()?, &mut backslashes))?;
    Some(backslashes.to_bitmask() != 0)
}

/// A bit for each `n` of `block` with a `t` in the same place of `next`, the first byte's the lowest; backslashes of the
/// block are added to `backslashes`.
fn nt_in(block: &[u8; BLOCK], next: &[u8; BLOCK], backslashes: &mut u8x16) -> u64 {
    let ([b0, b1, b2, b3], [n0, n1, n2, n3]) = (block.as_chunks::<16>().0, next.as_chunks::<16>().0) else { return 0 };
    let mut in_part = |part: &[u8; 16], next: &[u8; 16]| {
        let (part, next) = (u8x16::new(*part), u8x16::new(*next));
        *backslashes |= part.simd_eq(u8x16::splat(b'\\'));
        part.simd_eq(u8x16::splat(b'n')) & next.simd_eq(u8x16::splat(b't'))
    };
    let (p0, p1, p2, p3) = (in_part(b0, n0), in_part(b1, n1), in_part(b2, n2), in_part(b3, n3));
    // One question for all: many blocks have none.
    if (p0 | p1 | p2 | p3).to_bitmask() == 0 {
        return 0;
    }
    let bits = |part: u8x16| u64::from(part.to_bitmask());
    bits(p0) | (bits(p1) << 16) | (bits(p2) << 32) | (bits(p3) << 48)
}

/// Whether the text has an escape with which a key or a value could be spelled in another way.
fn has_alternative_spelling(text: &[u8]) -> bool {
    memchr_iter(b'\\', text).any(|at| matches!(text.get(at.saturating_add(1)), Some(b'u' | b'/') | None))
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
    fn shows_every_place_once_and_in_order() {
        let check = |text: &str| {
            let by_hand: Vec<usize> = text.match_indices("nt").map(|(at, _)| at).collect();
            let mut shown = Vec::new();
            let has_backslash = for_each_nt(text.as_bytes(), |at| {
                shown.push(at);
                Some(())
            });
            assert_eq!(has_backslash, (!text.is_empty()).then(|| text.contains('\\')), "{text}");
            assert_eq!(shown, by_hand, "{text}");
        };
        for before in 0..140 {
            for after in 0..70 {
                check(&format!("{}nnt{}", "x".repeat(before), "x".repeat(after)));
            }
            check(&"nt".repeat(before));
            check(&format!("{}\\t", "n".repeat(before)));
        }
        assert_eq!(for_each_nt(b"ant and another ant", |at| (at < 4).then_some(())), None);
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
