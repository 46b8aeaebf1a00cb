//! The numbers that a rule compares with, by name, so that they can be shown and moved.
//!
//! A number's name is the last part of its field (`invocations_60s` of `watch.principal.invocations_60s`); where several
//! tests would have that name, the search's name stands before it (`selection.invocations_60s`).

use super::{
    definition::Rule,
    logic::{Check, Comparison, Item, Logic},
    tuning::unknown_threshold,
};

/// A number that a rule compares with.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// What it is called in the configuration.
    pub name: String,
    /// The key of the test, as written.
    pub key: String,
    /// The number.
    pub value: f64,
}

impl Rule {
    /// The numbers that it compares with.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Threshold> {
        let mut found: Vec<(String, Threshold)> = Vec::new();
        for search in &self.searches {
            search.logic.each_item(&mut |item| {
                if let Some(value) = compared(item) {
                    let name = short(&item.key).to_owned();
                    found.push((search.name.clone(), Threshold { name, key: item.key.clone(), value }));
                }
            });
        }
        let names: Vec<String> = found.iter().map(|(_, threshold)| threshold.name.clone()).collect();
        let is_shared = |name: &str| names.iter().filter(|other| *other == name).count() > 1;
        found
            .into_iter()
            .map(|(search, threshold)| {
                let name =
                    if is_shared(&threshold.name) { format!("{search}.{}", threshold.name) } else { threshold.name };
                Threshold { name, ..threshold }
            })
            .collect()
    }
}

/// Moves the number of this name.
pub(super) fn set(rule: &mut Rule, name: &str, value: f64) -> Result<(), String> {
    let known = rule.thresholds();
    let mut places = known.iter().enumerate().filter(|(_, threshold)| threshold.name == name);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        return Err(unknown_threshold(name, &known));
    };
    if !value.is_finite() {
        return Err(format!("`{name}` must be a number"));
    }
    let mut left = place;
    for search in &mut rule.searches {
        if change(&mut search.logic, &mut left, value) {
            break;
        }
    }
    Ok(())
}

/// Changes the comparison number `left` of `logic`. Returns whether it was here.
fn change(logic: &mut Logic, left: &mut usize, value: f64) -> bool {
    match logic {
        Logic::All(parts) | Logic::Any(parts) | Logic::AtLeast(_, parts) => {
            parts.iter_mut().any(|part| change(part, left, value))
        }
        Logic::Not(part) => change(part, left, value),
        Logic::Search(_) => false,
        Logic::Item(item) => {
            if compared(item).is_none() {
                return false;
            }
            if *left > 0 {
                *left = left.saturating_sub(1);
                return false;
            }
            for test in &mut item.tests {
                if let Check::Number(_, number) = &mut test.check {
                    *number = value;
                    test.written = value.to_string();
                }
            }
            true
        }
    }
}

/// The number of an item that compares with one, and asks for more or less than it.
fn compared(item: &Item) -> Option<f64> {
    match item.tests.as_slice() {
        [test] => match test.check {
            Check::Number(comparison, number) if comparison != Comparison::Equal => Some(number),
            _ => None,
        },
        _ => None,
    }
}

fn short(key: &str) -> &str {
    let field = key.split('|').next().unwrap_or(key);
    field.rsplit('.').next().unwrap_or(field)
}
