//! The names of the principals of one account, without the beginning that many of them share.
//!
//! Nearly all are `arn:aws:iam::111122223333:role/...` or `.../user/...`: what stands before the first slash is kept
//! once. Nothing depends on what the beginnings are; further ones are simply not shared.

use serde::{Deserialize, Serialize};

/// How many beginnings an account shares; callers make them up, at worst.
const SHARED_MAX: usize = 32;

/// The beginnings of names, by number.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Beginnings {
    shared: Vec<Box<str>>,
}

/// A name, apart from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShortName<'a> {
    /// 0 for none, else the number of the beginning plus one.
    pub(super) beginning: u8,
    /// The rest of the name, UTF-8.
    pub(super) rest: &'a [u8],
}

impl Beginnings {
    /// The short form of a name.
    pub(super) fn shorten<'a>(&self, name: &'a str) -> ShortName<'a> {
        let whole = ShortName { beginning: 0, rest: name.as_bytes() };
        let Some((beginning, rest)) = split(name) else { return whole };
        let place = self.shared.iter().position(|known| **known == *beginning);
        let number = place.and_then(|place| u8::try_from(place.saturating_add(1)).ok());
        number.map_or(whole, |beginning| ShortName { beginning, rest: rest.as_bytes() })
    }

    /// Notes the beginning of a name that is about to be kept.
    pub(super) fn note(&mut self, name: &str) {
        if let Some((beginning, _)) = split(name)
            && self.shared.len() < SHARED_MAX
            && self.shared.iter().all(|known| **known != *beginning)
        {
            self.shared.push(beginning.into());
        }
    }

    /// The name in full.
    pub(super) fn lengthen(&self, name: ShortName<'_>) -> String {
        let place = usize::from(name.beginning).checked_sub(1);
        let beginning = place.and_then(|place| self.shared.get(place)).map_or("", |beginning| &**beginning);
        let rest = str::from_utf8(name.rest).unwrap_or_default();
        let mut full = String::with_capacity(beginning.len().saturating_add(rest.len()));
        full.push_str(beginning);
        full.push_str(rest);
        full
    }
}

fn split(name: &str) -> Option<(&str, &str)> {
    let place = memchr::memchr(b'/', name.as_bytes()).filter(|_| name.starts_with("arn:"))?;
    name.split_at_checked(place.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        let mut beginnings = Beginnings::default();
        let check = |beginnings: &mut Beginnings, name: &str, kept: usize| {
            beginnings.note(name);
            let short = beginnings.shorten(name);
            assert_eq!(short.rest.len(), kept, "{name}");
            assert_eq!(beginnings.lengthen(short), name);
        };
        check(&mut beginnings, "arn:aws:iam::111122223333:role/path/a", 6);
        check(&mut beginnings, "arn:aws:iam::111122223333:user/b", 1);
        check(&mut beginnings, "arn:aws:iam::111122223333:root", 30);
        check(&mut beginnings, "service/one", 11);
        check(&mut beginnings, "", 0);
        for number in 0..SHARED_MAX {
            beginnings.note(&format!("arn:{number}/x"));
        }
        check(&mut beginnings, "arn:one too many/x", 18);
        check(&mut beginnings, "arn:aws:iam::111122223333:user/c", 1);
    }
}
