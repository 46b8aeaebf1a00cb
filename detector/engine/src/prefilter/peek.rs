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
        let (mut time, mut source, mut name, mut account) = (None, None, None, None);
        // All four keys have `ent` before a capital letter, so one pass finds them all.
        for_each_e_with_t(text, |e| {
            let after = e.saturating_add(3);
            let (slot, begins, ends): (_, &[u8], &[u8]) = match text.get(after) {
                Some(b'T') => (&mut time, b"\"ev", b"entTime\""),
                Some(b'S') => (&mut source, b"\"ev", b"entSource\""),
                Some(b'N') => (&mut name, b"\"ev", b"entName\""),
                Some(b'A') => (&mut account, b"\"recipi", b"entAccountId\""),
                _ => return Some(()),
            };
            let (before, from) = text.split_at_checked(e)?;
            if before.ends_with(begins) && from.starts_with(ends) {
                let key_ends = e.saturating_add(ends.len());
                return slot.replace(key_ends).is_none().then_some(());
            }
            Some(())
        })?;
        Some(Self { time: time?, source: source?, name: name?, account: account? })
    }
}

/// Shows `found` the place of each `e` that has a `t` two bytes after it, until it answers `None`.
fn for_each_e_with_t(text: &[u8], mut found: impl FnMut(usize) -> Option<()>) -> Option<()> {
    const BLOCK: usize = 32;
    let shifted = text.get(2..)?;
    let mut at = 0_usize;
    let mut show = |at: usize, mut bits: u32| {
        while bits != 0 {
            found(at.wrapping_add(usize::try_from(bits.trailing_zeros()).ok()?))?;
            bits &= bits.wrapping_sub(1);
        }
        Some(())
    };
    for (block, two_after) in text.as_chunks::<BLOCK>().0.iter().zip(shifted.as_chunks::<BLOCK>().0) {
        show(at, e_with_t(block, two_after))?;
        at = at.wrapping_add(BLOCK);
    }
    // The last block overlaps the one before it, unless the text is shorter than a block.
    let (Some(block), Some(two_after)) = (last_but(text, 2), shifted.last_chunk::<BLOCK>()) else {
        return (0..shifted.len()).try_for_each(|at| show(at, u32::from(text.get(at) == Some(&b'e'))));
    };
    let begins = shifted.len().saturating_sub(BLOCK);
    let seen = u32::try_from(at.saturating_sub(begins)).ok()?;
    show(begins, e_with_t(block, two_after) & u32::MAX.checked_shl(seen).unwrap_or(0))
}

/// The last block of the text without its last `left_out` bytes.
fn last_but(text: &[u8], left_out: usize) -> Option<&[u8; 32]> {
    text.get(..text.len().checked_sub(left_out)?)?.last_chunk()
}

/// A bit for each `e` of `block` with a `t` in the same place of `two_after`, the first byte's the lowest.
fn e_with_t(block: &[u8; 32], two_after: &[u8; 32]) -> u32 {
    let (block, two_after) = (u8x32::new(*block), u8x32::new(*two_after));
    (block.simd_eq(u8x32::splat(b'e')) & two_after.simd_eq(u8x32::splat(b't'))).to_bitmask()
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
    fn shows_every_e_with_t_once_and_in_order() {
        let check = |text: &str| {
            let by_hand =
                (0..text.len()).filter(|at| text.as_bytes()[*at] == b'e' && text.as_bytes().get(at + 2) == Some(&b't'));
            let mut shown = Vec::new();
            let all = for_each_e_with_t(text.as_bytes(), |at| {
                shown.push(at);
                Some(())
            });
            assert_eq!(all.is_some(), text.len() >= 2);
            // A text shorter than a block is not searched for the `t`.
            shown.retain(|at| text.as_bytes().get(at + 2) == Some(&b't'));
            assert_eq!(shown, by_hand.collect::<Vec<_>>(), "{text}");
        };
        for before in 0..70 {
            for after in 0..70 {
                check(&format!("{}eet{}", "x".repeat(before), "x".repeat(after)));
            }
            check(&"ent".repeat(before));
            check(&"eett".repeat(before));
        }
        assert_eq!(for_each_e_with_t(b"the ent and another ent", |at| (at < 4).then_some(())), None);
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
