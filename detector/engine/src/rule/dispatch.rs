//! Finds, among the bounds of many rules, those that admit a record's source and name.
//!
//! A term with an exact name is found by that name, one with only an exact source by that source, and only what names
//! neither is compared one by one. Deliberately answers from the two names alone: whoever has the record's text looks
//! for [`Term::Text`].

use std::borrow::Cow;

use hashbrown::HashMap;

use super::{
    bound::{Bound, Term},
    name_pattern::{NameKind, NamePattern},
};
use crate::hashing::FixedHasher;

/// Bounds, each with a number that stands for its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dispatch {
    /// By exact name; what is left to ask is the source.
    by_name: Table,
    /// By exact source; what is left to ask is the name.
    by_source: Table,
    others: Vec<(Term, u32)>,
    /// Those that admit every record.
    always: Vec<u32>,
}

/// Names in lower case, and under each what is left to ask and for whom.
type Table = HashMap<Box<str>, Vec<(Option<NamePattern>, u32)>, FixedHasher>;

/// Names up to this length are folded without asking for memory. The longest of AWS has 62 characters.
pub(crate) const NAME_BYTES_MAX: usize = 96;

impl Dispatch {
    /// Takes in a bound.
    pub(crate) fn insert(&mut self, bound: &Bound, owner: u32) {
        match bound {
            Bound::Everything => self.always.push(owner),
            Bound::Terms(terms) => terms.iter().for_each(|term| self.insert_term(term, owner)),
        }
    }

    fn insert_term(&mut self, term: &Term, owner: u32) {
        let exact = |pattern: &NamePattern| pattern.kind == NameKind::Equals;
        let (table, key, rest) = match term {
            Term::Named { source, name: Some(name) } if exact(name) => (&mut self.by_name, name, source),
            Term::Named { source: Some(source), name } if exact(source) => (&mut self.by_source, source, name),
            Term::Named { .. } => return self.others.push((term.clone(), owner)),
            Term::Text(_) => return self.always.push(owner),
        };
        table.entry(key.text.as_str().into()).or_default().push((rest.clone(), owner));
    }

    /// Whether nothing was taken in.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.by_source.is_empty() && self.others.is_empty() && self.always.is_empty()
    }

    /// The owners of the bounds that admit this source and name, an owner once for each of its terms that does.
    pub(crate) fn find<'a>(&'a self, source: &'a str, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        let by_name = lookup(&self.by_name, name).iter().filter(|(rest, _)| admits(rest.as_ref(), source));
        let by_source = lookup(&self.by_source, source).iter().filter(|(rest, _)| admits(rest.as_ref(), name));
        let others = self.others.iter().filter(|(term, _)| term.admits(source, name)).map(|(_, owner)| *owner);
        by_name.chain(by_source).map(|(_, owner)| *owner).chain(others).chain(self.always.iter().copied())
    }
}

fn admits(pattern: Option<&NamePattern>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.admits(text))
}

/// Finds a name whatever its case, without allocating for ASCII of an ordinary length.
fn lookup<'t>(table: &'t Table, name: &str) -> &'t [(Option<NamePattern>, u32)] {
    let mut room = [0_u8; NAME_BYTES_MAX];
    let folded = lower_case(name, &mut room).map_or_else(|| Cow::Owned(name.to_lowercase()), Cow::Borrowed);
    table.get(&*folded).map_or(&[], Vec::as_slice)
}

fn lower_case<'r>(name: &str, room: &'r mut [u8; NAME_BYTES_MAX]) -> Option<&'r str> {
    let room = room.get_mut(..name.len()).filter(|_| name.is_ascii())?;
    room.copy_from_slice(name.as_bytes());
    room.make_ascii_lowercase();
    std::str::from_utf8(room).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_walk_over_all_terms_finds() {
        let kinds = [NameKind::Equals, NameKind::Prefix, NameKind::Suffix, NameKind::Contains];
        let texts = ["", "a", "ab", "b", "ba"];
        let patterns: Vec<Option<NamePattern>> = kinds
            .iter()
            .flat_map(|kind| texts.iter().map(|text| Some(NamePattern::new(*kind, text))))
            .chain([None])
            .collect();
        let pairs = patterns.iter().flat_map(|source| patterns.iter().map(move |name| (source, name)));
        let mut terms: Vec<Term> =
            pairs.map(|(source, name)| Term::Named { source: source.clone(), name: name.clone() }).collect();
        terms.push(Term::Text("text".to_owned()));
        let mut dispatch = Dispatch::default();
        for (owner, term) in (0..).zip(&terms) {
            dispatch.insert(&Bound::Terms(vec![term.clone()]), owner);
        }
        dispatch.insert(&Bound::Everything, 1_000);
        let long = "A".repeat(NAME_BYTES_MAX + 1);
        let words = ["", "a", "A", "aB", "BA", "bab", "\u{212a}", &long];
        for (source, name) in words.iter().flat_map(|source| words.iter().map(move |name| (source, name))) {
            let mut found: Vec<u32> = dispatch.find(source, name).collect();
            found.sort_unstable();
            let admitting = (0..).zip(&terms).filter(|(_, term)| term.admits(source, name));
            let expected: Vec<u32> = admitting.map(|(owner, _)| owner).chain([1_000]).collect();
            assert_eq!(found, expected, "{source:?} {name:?}");
        }
    }
}
