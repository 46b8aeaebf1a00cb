//! When canaries that stay away mean blindness. Pure: told what became of each, it says what to conclude.

/// Canaries in a row that must stay away: one may be delayed.
const MISSED_MAX: u32 = 2;

/// What became of the canaries so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    missed: u32,
    said: Option<Sight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Blind,
    Seeing,
}

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noticed {
    /// So many canaries in a row did not come back.
    Blind {
        /// How many.
        missed: u32,
    },
    /// One came back; said once after each start too, because what was said before it is not remembered here.
    Seeing,
}

impl Watch {
    /// Takes in what became of a canary.
    pub(super) fn note(&mut self, is_back: bool) -> Option<Noticed> {
        let (sight, noticed) = if is_back {
            self.missed = 0;
            (Sight::Seeing, Noticed::Seeing)
        } else {
            self.missed = self.missed.saturating_add(1);
            if self.missed < MISSED_MAX {
                return None;
            }
            (Sight::Blind, Noticed::Blind { missed: self.missed })
        };
        (self.said.replace(sight) != Some(sight)).then_some(noticed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_a_row_are_blindness_and_one_that_is_back_ends_it() {
        let check = |history: &[bool], expected: &[Option<Noticed>]| {
            let mut watch = Watch::default();
            let said: Vec<Option<Noticed>> = history.iter().map(|back| watch.note(*back)).collect();
            assert_eq!(said, expected, "{history:?}");
        };
        let blind = Some(Noticed::Blind { missed: 2 });
        let seeing = Some(Noticed::Seeing);
        check(&[true, true], &[seeing, None]);
        check(&[false, true, false, true], &[None, seeing, None, None]);
        check(&[false, false, false], &[None, blind, None]);
        check(&[true, false, false, true, false, false], &[seeing, None, blind, seeing, None, blind]);
    }
}
