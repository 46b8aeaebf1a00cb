//! The counts without which a rule about principals certainly does not match.
//!
//! They are asked first, because nearly every second fails them and a comparison of numbers costs little. Where a rule
//! consists of nothing else, they are the whole answer. Deliberately only what the condition says in so many words:
//! window counts joined by "and".

use super::{
    definition::Rule,
    logic::{Check, Comparison, Item, Logic, Search},
    value::{Field, Metric},
};
use crate::alert::Severity;

/// A count over a window that has to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) metric: Metric,
    /// The window's length.
    pub(crate) seconds: u32,
    /// The least count with which the rule can match.
    pub(crate) least: u32,
}

/// What a rule needs at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Floors {
    floors: Vec<Floor>,
    /// Whether the rule matches wherever all are reached.
    suffice: bool,
}

impl Floors {
    /// What follows from a condition.
    pub(super) fn of(condition: &Logic, searches: &[Search]) -> Self {
        let mut floors = Vec::new();
        let suffice = gather(condition, searches, &mut floors);
        Self { floors, suffice }
    }
}

impl Rule {
    /// The counts without which it certainly does not match.
    pub(crate) fn floors(&self) -> &[Floor] {
        &self.floors.floors
    }

    /// The level with which it matches wherever its floors are reached, if they are all it asks for.
    pub(crate) fn level_on_floors(&self) -> Option<Severity> {
        (self.floors.suffice && self.levels.is_empty()).then_some(self.about.severity)
    }
}

/// Adds what `logic` needs. Returns whether nothing else can keep it from holding.
fn gather(logic: &Logic, searches: &[Search], floors: &mut Vec<Floor>) -> bool {
    match logic {
        Logic::All(parts) => {
            // Every part is asked, because each may add floors.
            let others = parts.iter().filter(|part| !gather(part, searches, floors)).count();
            others == 0
        }
        Logic::Search(index) => searches.get(*index).is_some_and(|search| gather(&search.logic, searches, floors)),
        Logic::Item(item) => gather_item(item, floors),
        Logic::Any(parts) | Logic::AtLeast(1, parts) => match parts.as_slice() {
            [only] => gather(only, searches, floors),
            _ => false,
        },
        Logic::AtLeast(..) | Logic::Not(_) => false,
    }
}

fn gather_item(item: &Item, floors: &mut Vec<Floor>) -> bool {
    let Some(Field::Window { metric, seconds }) = item.field else { return false };
    if item.negated || !(item.every || item.tests.len() == 1) {
        return false;
    }
    let mut suffice = true;
    for test in &item.tests {
        let (least, is_all) = match test.check {
            Check::Number(Comparison::GreaterOrEqual, wanted) => (whole(wanted.ceil()), true),
            Check::Number(Comparison::Greater, wanted) => (whole(wanted.floor() + 1.0), true),
            Check::Number(Comparison::Equal, wanted) => (whole(wanted.floor()), false),
            _ => (None, false),
        };
        floors.extend(least.map(|least| Floor { metric, seconds, least }));
        suffice &= is_all && least.is_some();
    }
    suffice
}

/// A number of calls, which no window exceeds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the bounds of u32")]
fn whole(number: f64) -> Option<u32> {
    (number >= 0.0 && number <= f64::from(u32::MAX)).then_some(number as u32)
}
