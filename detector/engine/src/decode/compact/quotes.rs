//! Where strings begin and end: the quotes of a text that no backslash escapes, one after the other; and whether there
//! are control characters.
//!
//! A text is looked at 64 bytes at a time, however its strings lie in it: a search from string to string would look at
//! most bytes twice and be mispredicted wherever a string ends. Deliberately nothing about what stands between quotes.

use wide::u8x32;

/// The quotes from the beginning of a text on.
#[derive(Debug)]
pub(super) struct Quotes<'a> {
    /// What was not looked at yet.
    rest: &'a [u8],
    /// Where the block begins that was looked at last.
    block_at: usize,
    /// Its quotes that were not given out yet, the first byte's bit the lowest.
    found: u64,
    /// Where the first backslash stands that was not passed, of the blocks so far; the greatest number for none.
    backslash: usize,
    /// Whether the first byte of `rest` is escaped: 1 or 0.
    first_is_escaped: u64,
    /// The least byte in each place of the blocks so far.
    least: u8x32,
}

const BLOCK: usize = 64;

impl<'a> Quotes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // The first block ends where the text begins.
        let block_at = 0_usize.wrapping_sub(BLOCK);
        Self {
            rest: bytes,
            block_at,
            found: 0,
            backslash: usize::MAX,
            first_is_escaped: 0,
            least: u8x32::splat(u8::MAX),
        }
    }

    /// Whether there was a control character up to the last quote that was given out, or shortly after it.
    pub(super) fn passed_control_character(&self) -> bool {
        self.least.as_array().iter().any(|byte| *byte < b' ')
    }

    /// The place of the next quote.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.look_further()?;
        }
        let place = usize::try_from(self.found.trailing_zeros()).ok()?;
        self.found &= self.found.wrapping_sub(1);
        Some(self.block_at.wrapping_add(place))
    }

    /// The places of the next two quotes, which nearly always stand in the same block.
    #[inline]
    pub(super) fn next_two(&mut self) -> Option<(usize, usize)> {
        let second = self.found & self.found.wrapping_sub(1);
        if second == 0 {
            return Some((self.next()?, self.next()?));
        }
        let place = |found: u64| Some(self.block_at.wrapping_add(usize::try_from(found.trailing_zeros()).ok()?));
        let places = (place(self.found)?, place(second)?);
        self.found = second & second.wrapping_sub(1);
        Some(places)
    }

    /// Where the first backslash stands that was not passed; the greatest number if there is none up to the last quote
    /// that was given out. One further on may be told too.
    #[inline]
    pub(super) const fn backslash(&self) -> usize {
        self.backslash
    }

    /// Passes the backslashes of `bytes`, which is the whole text, before `place`.
    pub(super) fn pass_backslashes(&mut self, bytes: &[u8], place: usize) {
        let looked_at = self.block_at.wrapping_add(BLOCK).min(bytes.len());
        let next = bytes.get(place..looked_at).and_then(|rest| memchr::memchr(b'\\', rest));
        self.backslash = next.map_or(usize::MAX, |next| place.wrapping_add(next));
    }

    fn look_further(&mut self) -> Option<()> {
        self.block_at = self.block_at.wrapping_add(BLOCK);
        if let Some((block, rest)) = self.rest.split_first_chunk::<BLOCK>() {
            self.rest = rest;
            self.look_at(block);
            return Some(());
        }
        if self.rest.is_empty() {
            return None;
        }
        let mut last = [b' '; BLOCK];
        for (to, from) in last.iter_mut().zip(std::mem::take(&mut self.rest)) {
            *to = *from;
        }
        self.look_at(&last);
        Some(())
    }

    fn look_at(&mut self, block: &[u8; BLOCK]) {
        let (halves, _) = block.as_chunks::<32>();
        let [low, high] = halves else { return };
        let (low, high) = (u8x32::new(*low), u8x32::new(*high));
        let of = |byte: u8| {
            let byte = u8x32::splat(byte);
            u64::from(low.simd_eq(byte).to_bitmask()) | (u64::from(high.simd_eq(byte).to_bitmask()) << 32)
        };
        self.found = of(b'"');
        self.least = self.least.min(low).min(high);
        let backslash = u8x32::splat(b'\\');
        let has_backslash = (low.simd_eq(backslash) | high.simd_eq(backslash)).to_bitmask() != 0;
        if has_backslash || self.first_is_escaped != 0 {
            let backslashes = of(b'\\');
            if let Ok(place) = usize::try_from(backslashes.trailing_zeros())
                && backslashes != 0
            {
                self.backslash = self.backslash.min(self.block_at.wrapping_add(place));
            }
            self.found &= !self.escaped(backslashes);
        }
    }

    /// The bytes that a backslash before them escapes, and whether the next block's first is one.
    ///
    /// A backslash escapes what follows it unless it is escaped itself, so of a row of backslashes every other counts;
    /// adding carries each row's beginning to its end ("Parsing Gigabytes of JSON per Second", Langdale and Lemire).
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.first_is_escaped;
        let follows = (backslashes << 1) | self.first_is_escaped;
        let odd_beginnings = backslashes & !EVEN & !follows;
        let (ends, goes_on) = odd_beginnings.overflowing_add(backslashes);
        self.first_is_escaped = u64::from(goes_on);
        (EVEN ^ (ends << 1)) & follows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let mut expected = Vec::new();
        let mut escaped = false;
        for (place, byte) in text.bytes().enumerate() {
            if byte == b'"' && !escaped {
                expected.push(place);
            }
            escaped = byte == b'\\' && !escaped;
        }
        let mut quotes = Quotes::new(text.as_bytes());
        let found: Vec<usize> = std::iter::from_fn(|| quotes.next()).collect();
        assert_eq!(found, expected, "{text}");
        let mut quotes = Quotes::new(text.as_bytes());
        let pairs: Vec<(usize, usize)> = std::iter::from_fn(|| quotes.next_two()).collect();
        assert!(expected.chunks_exact(2).map(|two| (two[0], two[1])).eq(pairs), "{text}");
    }

    #[test]
    fn finds_quotes_that_are_not_escaped() {
        for length in 0..140 {
            check(&"x".repeat(length));
            check(&format!("{}\"{}\"", "é".repeat(length), "x".repeat(70)));
            for backslashes in 1..8 {
                check(&format!("{}{}\"\"", "x".repeat(length), "\\".repeat(backslashes)));
            }
            check(&"\\\"".repeat(length));
            check(&"\\".repeat(length));
        }
        bolero::check!().with_type::<Vec<u8>>().for_each(|choices| {
            let text: String = choices.iter().map(|choice| ['\\', '"', 'x', '\\'][usize::from(choice % 4)]).collect();
            check(&text);
        });
    }
}
