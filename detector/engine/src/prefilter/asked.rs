//! Remembers what was answered lately about sources and names: an account's records have few different ones.
//!
//! Names are chosen by whoever calls, so there are only so many places, and a long name is never remembered. What is
//! forgotten is worked out again: memory changes what an answer costs, never the answer.

use crate::{hashing::short_hash_of, rule::NAME_BYTES_MAX};

/// Answers, each in the place of its source and name.
#[derive(Debug)]
pub(super) struct Asked<A> {
    places: Vec<Option<Place<A>>>,
}

#[derive(Debug)]
struct Place<A> {
    source: String,
    name: String,
    answer: A,
}

/// How many answers are remembered, each with at most twice [`NAME_BYTES_MAX`].
const PLACES: usize = 256;

impl<A> Asked<A> {
    pub(super) fn new() -> Self {
        Self { places: std::iter::repeat_with(|| None).take(PLACES).collect() }
    }

    /// What was answered.
    pub(super) fn get(&self, source: &[u8], name: &[u8]) -> Option<&A> {
        let place = self.places.get(place_of(source, name))?.as_ref()?;
        (place.name.as_bytes() == name && place.source.as_bytes() == source).then_some(&place.answer)
    }

    /// Remembers an answer in the place of another.
    pub(super) fn put(&mut self, source: &str, name: &str, answer: A) {
        if name.len().max(source.len()) > NAME_BYTES_MAX {
            return;
        }
        let Some(slot) = self.places.get_mut(place_of(source.as_bytes(), name.as_bytes())) else { return };
        match slot {
            Some(place) => place.answer = answer,
            None => {
                // With room for any other, which then takes its place without asking for memory.
                let room = || String::with_capacity(NAME_BYTES_MAX);
                *slot = Some(Place { source: room(), name: room(), answer });
            }
        }
        if let Some(place) = slot {
            place.source.clear();
            place.source.push_str(source);
            place.name.clear();
            place.name.push_str(name);
        }
    }
}

/// Many services have names in common, such as `TagResource`; the sources differ in length, mostly.
fn place_of(source: &[u8], name: &[u8]) -> usize {
    let hash = usize::try_from(short_hash_of(name)).unwrap_or(0);
    hash.wrapping_add(source.len()) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_answer_of_each_place() {
        let mut asked = Asked::new();
        let names: Vec<String> = (0..PLACES * 2).map(|number| format!("Name{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            assert_eq!(asked.get(b"s", name.as_bytes()), None);
            asked.put("s", name, number);
            assert_eq!(asked.get(b"s", name.as_bytes()), Some(&number));
            assert_eq!(asked.get(b"t", name.as_bytes()), None);
        }
        let kept = (0..).zip(&names).filter(|(number, name)| asked.get(b"s", name.as_bytes()) == Some(number)).count();
        assert!(kept > PLACES / 2 && kept <= PLACES, "{kept}");
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        asked.put("s", &long, 1);
        asked.put(&long, "n", 1);
        assert_eq!((asked.get(b"s", long.as_bytes()), asked.get(long.as_bytes(), b"n")), (None, None));
    }
}
