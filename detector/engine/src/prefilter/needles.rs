//! Searches a text for several others at once.
//!
//! Deliberately exact about case and spelling; what follows from a find is for the caller to say.

use aho_corasick::{AhoCorasick, Input, MatchKind, packed};

/// Texts to be searched for. Of several that begin in the same place, the first of them is found.
#[derive(Debug)]
pub(super) enum Needles {
    /// A few: 32 bytes are looked at with one instruction.
    Few(packed::Searcher),
    /// Many, or on a machine that cannot do that.
    Many(AhoCorasick),
}

/// Where a needle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Its place in the list.
    pub(super) needle: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Needles {
    /// `None` when they are too many to be searched for.
    pub(super) fn new(needles: &[&[u8]]) -> Option<Self> {
        if let Some(few) = packed::Config::new().builder().extend(needles).build() {
            return Some(Self::Few(few));
        }
        AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles).ok().map(Self::Many)
    }

    /// The first needle in `text` that begins at `from` or later.
    #[inline]
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Found> {
        // A span outside the text would be a programming error, and is refused loudly.
        if from > text.len() {
            return None;
        }
        let found = match self {
            Self::Few(few) => few.find_in(text, (from..text.len()).into()),
            Self::Many(many) => many.find(Input::new(text).range(from..)),
        }?;
        Some(Found { needle: found.pattern().as_usize(), start: found.start(), end: found.end() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_place_few_or_many() {
        let text = "an aunt's ant, antAunt and aAun".repeat(9);
        let few: [&[u8]; 3] = [b"ant", b"aunt", b"Aun"];
        let absent: Vec<String> = (0..200).map(|number| format!("absent {number}")).collect();
        let many: Vec<&[u8]> = few.into_iter().chain(absent.iter().map(String::as_bytes)).collect();
        let mut expected: Vec<Found> = Vec::new();
        for (needle, word) in few.iter().enumerate() {
            let word = str::from_utf8(word).unwrap();
            expected.extend(text.match_indices(word).map(|(start, _)| Found {
                needle,
                start,
                end: start + word.len(),
            }));
        }
        expected.sort_by_key(|found| found.start);
        let check = |needles: &[&[u8]]| {
            let needles = Needles::new(needles).unwrap();
            let mut from = 0;
            let all = std::iter::from_fn(|| {
                let found = needles.find(text.as_bytes(), from)?;
                from = found.start + 1;
                Some(found)
            });
            assert_eq!(all.collect::<Vec<_>>(), expected);
            assert_eq!(needles.find(text.as_bytes(), text.len()), None);
            assert_eq!(needles.find(text.as_bytes(), text.len() + 1), None);
        };
        check(&few);
        check(&many);
    }
}
