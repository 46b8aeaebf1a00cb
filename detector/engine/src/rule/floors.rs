//! The counts without which a rule about principals certainly does not match.
//!
//! They are asked first, because a comparison of numbers costs little; only the rest of the condition is left to the
//! matcher, and often nothing is. Deliberately only what the condition says in so many words: window counts joined by
//! "and".

use super::{
    definition::Rule,
    logic::{Check, Comparison, Item, Logic, Search},
    matcher,
    plan::plan,
    value::{Field, Fields, Metric},
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
#[derive(Debug, Clone)]
pub(super) struct Floors {
    floors: Vec<Floor>,
    /// What else has to hold, in the order of asking.
    rest: Logic,
}

impl Default for Floors {
    fn default() -> Self {
        Self { floors: Vec::new(), rest: Logic::All(Vec::new()) }
    }
}

impl Floors {
    /// What follows from a condition.
    pub(super) fn of(condition: &Logic, searches: &[Search]) -> Self {
        let mut floors = Vec::new();
        let parts = if let Logic::All(parts) = condition { parts.as_slice() } else { std::slice::from_ref(condition) };
        let rest = parts.iter().filter(|part| !gather(part, searches, &mut floors)).cloned().collect();
        Self { floors, rest: plan(&Logic::All(rest), searches) }
    }
}

impl Rule {
    /// The counts without which it certainly does not match.
    pub(crate) fn floors(&self) -> &[Floor] {
        &self.floors.floors
    }

    /// [`Rule::matches`], of an event that reaches all floors.
    pub(crate) fn matches_on_floors(&self, event: &impl Fields) -> Option<Severity> {
        if matcher::holds(&self.floors.rest, &[], event) { self.level(event) } else { None }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{RuleFile, RuleSet};

    fn check(detection: &str, expected: &[(Metric, u32, u32)], suffice: bool) {
        let text = format!(
            "title: t\nlogsource:\n  product: bedrock-watch\n  service: principal\ndetection:\n{detection}\nlevel: high\n"
        );
        let rules = RuleSet::compile(&[RuleFile { path: "r".to_owned(), id: "r".to_owned(), text }]);
        let rules = rules.unwrap_or_else(|problems| panic!("{detection}: {problems:?}"));
        let rule = &rules.rules()[0];
        let floors: Vec<_> = rule.floors().iter().map(|floor| (floor.metric, floor.seconds, floor.least)).collect();
        assert_eq!(floors, expected, "{detection}");
        assert_eq!(matches!(&rule.floors.rest, Logic::All(parts) if parts.is_empty()), suffice, "{detection}");
    }

    #[test]
    fn gathers_what_is_needed() {
        const CALLS: &str = "watch.principal.invocations_60s";
        let item = |modifier: &str| format!("  a:\n    {CALLS}{modifier}\n  condition: a");
        let calls = |least| [(Metric::Invocations, 60, least)];
        check(&item("|gte: 100"), &calls(100), true);
        check(&item("|gt: 100"), &calls(101), true);
        check(&item("|gte: 2.5"), &calls(3), true);
        check(&item("|lt: 100"), &[], false);
        check(&item(": 7"), &calls(7), false);
        check(&item("|gte: [3, 4]"), &[], false);
        let two = "  a:\n    watch.principal.models_10m|gte: 5\n    watch.principal.new_models_10m|gte: 2";
        let both = [(Metric::Models, 600, 5), (Metric::NewModels, 600, 2)];
        check(&format!("{two}\n  condition: a"), &both, true);
        check(&format!("{two}\n  condition: 1 of a*"), &both, true);
        check(&format!("{two}\n  condition: not a"), &[], false);
        let third = "  b:\n    - watch.principal.burst_ratio|gte: 5\n    - watch.principal.baseline_known: false";
        check(&format!("{two}\n{third}\n  condition: a and b"), &both, false);
        check(&format!("{two}\n{third}\n  condition: a or b"), &[], false);
    }
}
