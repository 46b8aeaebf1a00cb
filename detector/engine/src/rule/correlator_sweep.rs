//! A window sliding over the events of a group: events enter in judging order and leave as they grow too old.
//!
//! Deliberately incremental, so that a late event among many costs one pass over the windows it lies in.

use std::collections::BTreeMap;

use super::{
    correlation::CorrelationRule,
    correlation_kind::{CorrelationKind, Predicate},
    correlation_number::Numbers,
    correlator_entry::{Counted, Entry},
};
use crate::time::Second;

/// What is known of the events in the window.
pub(super) struct Sweep<'a> {
    rule: &'a CorrelationRule,
    /// How often each value is in the window.
    values: BTreeMap<&'a str, usize>,
    numbers: Numbers,
    /// How many events belong to each input.
    matches: Vec<usize>,
    /// For each input, where the latest sequence of matches up to and including it began.
    begun: Vec<Option<Second>>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(rule: &'a CorrelationRule) -> Self {
        let inputs = rule.inputs.len();
        Self {
            rule,
            values: BTreeMap::new(),
            numbers: Numbers::default(),
            matches: vec![0; inputs],
            begun: vec![None; inputs],
        }
    }

    pub(super) fn add(&mut self, entry: &'a Entry) {
        match &self.rule.kind {
            CorrelationKind::Events(_) => {}
            CorrelationKind::Values(..) => {
                for value in texts(entry) {
                    let count = self.values.entry(value).or_default();
                    *count = count.saturating_add(1);
                }
            }
            CorrelationKind::Numbers(_, _, statistic) => {
                numbers(entry).iter().for_each(|number| self.numbers.add(*number, *statistic));
            }
            CorrelationKind::Rules(_) | CorrelationKind::Together(_) => {
                for (_, count) in self.matches.iter_mut().enumerate().filter(|(rule, _)| entry.has(*rule)) {
                    *count = count.saturating_add(1);
                }
            }
            CorrelationKind::InOrder => self.extend(entry),
        }
    }

    /// Continues sequences; from the last rule to the first, so that one event is one step of a sequence.
    fn extend(&mut self, entry: &Entry) {
        for rule in (0..self.begun.len()).rev().filter(|rule| entry.has(*rule)) {
            let begun = match rule.checked_sub(1) {
                None => Some(entry.at),
                Some(before) => self.begun.get(before).copied().flatten(),
            };
            if let Some(known) = self.begun.get_mut(rule) {
                *known = (*known).max(begun);
            }
        }
    }

    pub(super) fn remove(&mut self, entry: &'a Entry) {
        match &self.rule.kind {
            CorrelationKind::Events(_) | CorrelationKind::InOrder => {}
            CorrelationKind::Numbers(..) => numbers(entry).iter().for_each(|number| self.numbers.remove(*number)),
            CorrelationKind::Values(..) => {
                for value in texts(entry) {
                    let count = self.values.get(value.as_str()).copied().unwrap_or(0);
                    if count > 1 {
                        self.values.insert(value, count.saturating_sub(1));
                    } else {
                        self.values.remove(value.as_str());
                    }
                }
            }
            CorrelationKind::Rules(_) | CorrelationKind::Together(_) => {
                for (_, count) in self.matches.iter_mut().enumerate().filter(|(rule, _)| entry.has(*rule)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// Whether the window that ends at `at` and holds so many events satisfies the correlation.
    pub(super) fn satisfied(&mut self, at: Second, events: usize) -> bool {
        let rule = self.rule;
        let matched = |input: usize| self.matches.get(input).is_some_and(|count| *count > 0);
        let count_holds = |predicates: &[Predicate], count: usize| {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            predicates.iter().all(|predicate| predicate.holds(&count))
        };
        match &rule.kind {
            CorrelationKind::Events(predicates) => count_holds(predicates, events),
            CorrelationKind::Values(predicates, _) => count_holds(predicates, self.values.len()),
            CorrelationKind::Numbers(predicates, _, statistic) => {
                self.numbers.ratio(*statistic).is_some_and(|(numerator, denominator)| {
                    let multiplied = |&Predicate { operator, value }: &Predicate<i128>| Predicate {
                        operator,
                        value: value.saturating_mul(denominator),
                    };
                    predicates.iter().map(multiplied).all(|predicate| predicate.holds(&numerator))
                })
            }
            CorrelationKind::Rules(predicates) => {
                count_holds(predicates, (0..self.matches.len()).filter(|input| matched(*input)).count())
            }
            CorrelationKind::Together(expression) => expression.holds(&matched),
            CorrelationKind::InOrder => {
                let begun = self.begun.last().copied().flatten();
                begun.is_some_and(|begun| begun.plus(rule.span_s) > at)
            }
        }
    }
}

/// The texts that are counted of an event.
fn texts(entry: &Entry) -> &[String] {
    match &entry.counted {
        Counted::Texts(texts) => texts,
        Counted::Nothing | Counted::Numbers(_) => &[],
    }
}

/// The numbers that are summed up of an event.
fn numbers(entry: &Entry) -> &[i128] {
    match &entry.counted {
        Counted::Numbers(numbers) => numbers,
        Counted::Nothing | Counted::Texts(_) => &[],
    }
}
