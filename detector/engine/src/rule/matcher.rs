//! Judges events by compiled logic, in the order of its parts and no further than needed.
//!
//! What a missing field means follows rsigma: every test of it fails, a negated one (`|neq`) too, except `null` and
//! `exists: false`. Deliberately no cache between rules: the dispatch leaves few of them for any one event.

use super::{
    logic::{Check, Comparison, Item, Logic, Relation, Search},
    pattern::{fold, relates, relates_folded},
    value::{Fields, Value},
};

/// Whether the event satisfies `logic`.
pub(super) fn holds(logic: &Logic, searches: &[Search], event: &(impl Fields + ?Sized)) -> bool {
    match logic {
        Logic::All(parts) => parts.iter().all(|part| holds(part, searches, event)),
        Logic::Any(parts) => parts.iter().any(|part| holds(part, searches, event)),
        Logic::Not(part) => !holds(part, searches, event),
        Logic::AtLeast(wanted, parts) => {
            parts.iter().filter(|part| holds(part, searches, event)).take(*wanted).count() >= *wanted
        }
        Logic::Search(index) => searches.get(*index).is_some_and(|search| holds(&search.logic, searches, event)),
        Logic::Item(item) => item_holds(item, event),
    }
}

fn item_holds(item: &Item, event: &(impl Fields + ?Sized)) -> bool {
    let Some(field) = &item.field else {
        let found = |check: &Check| event.any_text(&mut |text| text_satisfies(check, text));
        return quantified(item, found);
    };
    let value = event.value(field);
    if matches!(value, Value::Missing) {
        return !item.negated && quantified(item, |check| matches!(check, Check::Null | Check::Exists(false)));
    }
    item.negated != quantified(item, |check| satisfies(check, &value, event))
}

fn quantified(item: &Item, mut holds: impl FnMut(&Check) -> bool) -> bool {
    if item.every {
        item.tests.iter().all(|test| holds(&test.check))
    } else {
        item.tests.iter().any(|test| holds(&test.check))
    }
}

/// Whether a value that is there satisfies `check`; of an array, whether some element does.
fn satisfies(check: &Check, value: &Value<'_>, event: &(impl Fields + ?Sized)) -> bool {
    match (check, value) {
        // Nearly every test.
        (Check::Text(pattern), Value::Text(text)) => pattern.matches(text),
        (Check::Null, _) => matches!(value, Value::Null),
        (Check::Exists(wanted), _) => *wanted != matches!(value, Value::Null),
        (Check::Reference { field, relation, cased }, _) => refers(value, &event.value(field), *relation, *cased),
        _ => scalar_satisfies(check, value),
    }
}

fn scalar_satisfies(check: &Check, value: &Value<'_>) -> bool {
    if let Value::List(elements) = value {
        return elements.iter().any(|element| scalar_satisfies(check, element));
    }
    match check {
        Check::Number(comparison, wanted) => number_of(value).is_some_and(|found| comparison.holds(found, *wanted)),
        Check::Part(part, comparison, wanted) => match value {
            Value::Text(text) => part.of(text).is_some_and(|found| comparison.holds(found, *wanted)),
            _ => false,
        },
        Check::Bool(wanted) => bool_of(value) == Some(*wanted),
        _ => with_text(value, |text| text_satisfies(check, text)),
    }
}

fn text_satisfies(check: &Check, text: &str) -> bool {
    match check {
        Check::Text(pattern) => pattern.matches(text),
        Check::AnyText(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
        Check::Network(network) => text.parse::<std::net::IpAddr>().is_ok_and(|address| network.contains(&address)),
        _ => false,
    }
}

/// Compares two fields; of arrays, whether some pair of elements relates so.
fn refers(value: &Value<'_>, other: &Value<'_>, relation: Relation, cased: bool) -> bool {
    match (value, other) {
        (Value::List(elements), _) => elements.iter().any(|element| refers(element, other, relation, cased)),
        (_, Value::List(elements)) => elements.iter().any(|element| refers(value, element, relation, cased)),
        (Value::Null, Value::Null) => relation == Relation::Equals,
        _ => with_text(value, |text| {
            with_text(other, |other| {
                if cased { relates(text, other, relation) } else { relates_folded(text, &fold(other, false), relation) }
            })
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Sigma compares numbers as floating point")]
fn number_of(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn bool_of(value: &Value<'_>) -> Option<bool> {
    const MEANINGS: [(&str, bool); 6] =
        [("true", true), ("false", false), ("1", true), ("0", false), ("yes", true), ("no", false)];
    match value {
        Value::Bool(found) => Some(*found),
        Value::Text(text) => {
            MEANINGS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
        }
        _ => None,
    }
}

/// Calls `test` with the value written out, if it is a scalar.
pub(super) fn with_text(value: &Value<'_>, test: impl FnOnce(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => test(text),
        Value::Int(number) => test(&number.to_string()),
        Value::Float(number) => test(&number.to_string()),
        Value::Bool(true) => test("true"),
        Value::Bool(false) => test("false"),
        Value::Missing | Value::Null | Value::List(_) | Value::Object => false,
    }
}

/// What is certain about `logic` from upper bounds alone: that it holds, that it does not, or nothing.
pub(super) fn outlook(logic: &Logic, searches: &[Search], event: &(impl Fields + ?Sized)) -> Option<bool> {
    match logic {
        Logic::All(parts) => all_of(parts.iter().map(|part| outlook(part, searches, event))),
        Logic::Any(parts) => any_of(parts.iter().map(|part| outlook(part, searches, event))),
        Logic::Not(part) => outlook(part, searches, event).map(|certain| !certain),
        Logic::AtLeast(wanted, parts) => {
            let answers = parts.iter().map(|part| outlook(part, searches, event));
            let (mut sure, mut open) = (0_usize, 0_usize);
            for answer in answers {
                match answer {
                    Some(true) => sure = sure.saturating_add(1),
                    None => open = open.saturating_add(1),
                    Some(false) => {}
                }
            }
            if sure >= *wanted {
                Some(true)
            } else if sure.saturating_add(open) < *wanted {
                Some(false)
            } else {
                None
            }
        }
        Logic::Search(index) => match searches.get(*index) {
            Some(search) => outlook(&search.logic, searches, event),
            None => Some(false),
        },
        Logic::Item(item) => item_outlook(item, event),
    }
}

/// A field may also be missing, which fails a negated item too: so only a plain "no" is ever certain.
#[expect(clippy::cast_precision_loss, reason = "Sigma compares numbers as floating point")]
fn item_outlook(item: &Item, event: &(impl Fields + ?Sized)) -> Option<bool> {
    let field = item.field.as_ref()?;
    if item.negated || !item.tests.iter().any(|test| matches!(test.check, Check::Number(..))) {
        return None;
    }
    let bound = event.upper_bound(field)? as f64;
    let answers = item.tests.iter().map(|test| match test.check {
        Check::Number(Comparison::GreaterOrEqual | Comparison::Equal, wanted) if bound < wanted => Some(false),
        Check::Number(Comparison::Greater, wanted) if bound <= wanted => Some(false),
        _ => None,
    });
    if item.every { all_of(answers) } else { any_of(answers) }
}

fn all_of(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn any_of(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all_of(answers.map(|answer| answer.map(|certain| !certain))).map(|certain| !certain)
}
