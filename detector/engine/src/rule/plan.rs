//! The order in which the parts of a condition are quickest asked.
//!
//! Of parts that all must hold, the cheap ones come first, and those that nearly always hold come late; searches stand
//! where they are named. Only the order changes: nothing here has a side effect, so the answer is that of the condition
//! as it was written, which stays beside it for everything that people read.

use super::{
    logic::{Check, Item, Logic, Search, Test},
    pattern::Pattern,
    value::{Field, RecordField},
};

/// `logic` in the order of asking, with its searches in place: it is asked without them.
pub(super) fn plan(logic: &Logic, searches: &[Search]) -> Logic {
    match logic {
        Logic::All(parts) => all(parts, searches),
        Logic::Any(parts) => any(parts, searches),
        Logic::AtLeast(1, parts) => any(parts, searches),
        Logic::AtLeast(wanted, parts) if *wanted == parts.len() => all(parts, searches),
        Logic::AtLeast(wanted, parts) => Logic::AtLeast(*wanted, sorted(planned(parts, searches))),
        Logic::Not(part) => Logic::Not(Box::new(plan(part, searches))),
        // As the matcher has it: a search that is not there does not hold.
        Logic::Search(index) => {
            searches.get(*index).map_or(Logic::Any(Vec::new()), |found| plan(&found.logic, searches))
        }
        Logic::Item(item) => Logic::Item(Box::new(bare(item))),
    }
}

fn planned(parts: &[Logic], searches: &[Search]) -> Vec<Logic> {
    parts.iter().map(|part| plan(part, searches)).collect()
}

/// What all of these are, without conjunctions among them.
fn all(parts: &[Logic], searches: &[Search]) -> Logic {
    let inner = |part| if let Logic::All(inner) = part { inner } else { vec![part] };
    only_or(planned(parts, searches).into_iter().flat_map(inner).collect(), Logic::All)
}

/// What any of these is, without alternatives among them.
fn any(parts: &[Logic], searches: &[Search]) -> Logic {
    let inner = |part| if let Logic::Any(inner) = part { inner } else { vec![part] };
    only_or(planned(parts, searches).into_iter().flat_map(inner).collect(), Logic::Any)
}

/// The only part by itself; else all of them, sorted.
fn only_or(mut parts: Vec<Logic>, join: impl FnOnce(Vec<Logic>) -> Logic) -> Logic {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(sorted(parts))
        }
    }
}

fn sorted(mut parts: Vec<Logic>) -> Vec<Logic> {
    parts.sort_by_key(cost);
    parts
}

/// The test without what is written about it for people.
fn bare(item: &Item) -> Item {
    let tests = item.tests.iter().map(|test| Test { written: String::new(), check: test.check.clone() });
    Item { key: String::new(), tests: tests.collect(), ..item.clone() }
}

/// What it costs, in instructions, to learn that `logic` does not hold; a guess that only has to put parts in order.
fn cost(logic: &Logic) -> u32 {
    match logic {
        Logic::All(parts) | Logic::Any(parts) | Logic::AtLeast(_, parts) => {
            parts.iter().map(cost).fold(0, u32::saturating_add)
        }
        // What a rule excludes is the exception, so this mostly holds and tells nothing.
        Logic::Not(part) => cost(part).saturating_mul(2),
        Logic::Search(_) => 0,
        Logic::Item(item) => {
            let tests = item.tests.iter().map(|test| check_cost(&test.check)).fold(0, u32::saturating_add);
            item.field.as_ref().map_or(ANY_TEXT, field_cost).saturating_add(tests)
        }
    }
}

/// Every text of a record, after it was parsed.
const ANY_TEXT: u32 = 20_000;

fn field_cost(field: &Field) -> u32 {
    match field {
        // The dispatch has asked these, mostly in full.
        Field::Record(RecordField::EventName | RecordField::EventSource) => 100,
        Field::Record(_) => 20,
        Field::Watch("account" | "region" | "principal" | "credential" | "outcome") => 20,
        Field::Watch("inference") => 50,
        Field::Window { .. } => 100,
        Field::Watch(_) => 500,
        // A section is parsed when it is first asked for, and for everything else the whole record.
        Field::Path(path) => match path.first().map(String::as_str) {
            Some("requestParameters" | "responseElements" | "additionalEventData" | "resources") => 2_000,
            _ => 10_000,
        },
    }
}

fn check_cost(check: &Check) -> u32 {
    match check {
        Check::Null | Check::Exists(_) | Check::Number(..) | Check::Bool(_) => 5,
        Check::Text(pattern) => pattern_cost(pattern),
        Check::AnyText(patterns) => patterns.iter().map(pattern_cost).fold(0, u32::saturating_add),
        Check::Network(_) => 100,
        Check::Part(..) => 500,
        Check::Reference { field, .. } => field_cost(field),
    }
}

const fn pattern_cost(pattern: &Pattern) -> u32 {
    match pattern {
        Pattern::Equals(_) | Pattern::StartsWith(_) | Pattern::EndsWith(_) => 20,
        Pattern::Contains(_) => 50,
        Pattern::Glob { .. } => 100,
        Pattern::Regex(_) => 200,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{RuleFile, RuleSet};

    /// The fields of a plan in the order of asking, and how they are joined.
    fn shown(logic: &Logic) -> String {
        let all = |parts: &[Logic], word: &str| format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(word));
        match logic {
            Logic::All(parts) => all(parts, " and "),
            Logic::Any(parts) => all(parts, " or "),
            Logic::AtLeast(wanted, parts) => format!("{wanted} of {}", all(parts, ", ")),
            Logic::Not(part) => format!("not {}", shown(part)),
            Logic::Search(index) => format!("search {index}"),
            Logic::Item(item) => match &item.field {
                Some(Field::Record(field)) => field.name().to_owned(),
                Some(Field::Watch(name)) => format!("watch.{name}"),
                Some(Field::Path(path)) => path.join("."),
                Some(Field::Window { .. }) => "window".to_owned(),
                None => "any".to_owned(),
            },
        }
    }

    #[test]
    fn cheap_and_telling_parts_come_first() {
        let check = |detection: &str, expected: &str| {
            let text = format!(
                "title: t\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n"
            );
            let rules = RuleSet::compile(&[RuleFile { path: "r".to_owned(), id: "r".to_owned(), text }]).unwrap();
            assert_eq!(shown(&rules.rules()[0].plan), expected, "{detection}");
        };
        let dear = "  a:\n    requestParameters.x: y\n    eventName: A\n    errorCode: null\n";
        check(&format!("{dear}  condition: a"), "(errorCode and eventName and requestParameters.x)");
        check(
            &format!("{dear}  b:\n    userAgent: x\n  condition: a and not b"),
            "(errorCode and not userAgent and eventName and requestParameters.x)",
        );
        check(
            &format!("{dear}  b:\n    - keyword\n  condition: b or 1 of a*"),
            "((errorCode and eventName and requestParameters.x) or any)",
        );
        let three = "  a:\n    readOnly: true\n  b:\n    watch.workload: x\n  c:\n    watch.credential: x\n";
        check(&format!("{three}  condition: 2 of them"), "2 of (watch.credential, watch.workload, readOnly)");
        check(&format!("{three}  condition: all of them"), "(watch.credential and watch.workload and readOnly)");
        check(&format!("{three}  condition: 1 of them"), "(watch.credential or watch.workload or readOnly)");
    }
}
