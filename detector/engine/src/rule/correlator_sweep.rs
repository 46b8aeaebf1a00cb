//! A window sliding over the events of a group: events enter in judging order and leave as they grow too old.
//!
//! Deliberately incremental, so that a late event among many costs one pass over the windows it lies in.

use std::collections::BTreeMap;

use super::{correlation::CorrelationRule, correlation_kind::CorrelationKind, correlator_group::Entry};
use crate::time::Second;

/// What is known of the events in the window.
pub(super) struct Sweep<'a> {
    rule: &'a CorrelationRule,
    /// How often each value is in the window.
    values: BTreeMap<&'a str, usize>,
    /// How many events each base rule matched.
    matches: Vec<usize>,
    /// For each base rule, where the latest sequence of matches up to and including it began.
    begun: Vec<Option<Second>>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(rule: &'a CorrelationRule) -> Self {
        let rules = rule.rules.len();
        Self { rule, values: BTreeMap::new(), matches: vec![0; rules], begun: vec![None; rules] }
    }

    pub(super) fn add(&mut self, entry: &'a Entry) {
        match self.rule.kind {
            CorrelationKind::Events(_) => {}
            CorrelationKind::Values(..) => {
                for value in &entry.values {
                    let count = self.values.entry(value).or_default();
                    *count = count.saturating_add(1);
                }
            }
            CorrelationKind::Rules(_) | CorrelationKind::Together(_) => {
                for (_, count) in self.matches.iter_mut().enumerate().filter(|(rule, _)| has(entry, *rule)) {
                    *count = count.saturating_add(1);
                }
            }
            CorrelationKind::InOrder => self.extend(entry),
        }
    }

    /// Continues sequences; from the last rule to the first, so that one event is one step of a sequence.
    fn extend(&mut self, entry: &Entry) {
        for rule in (0..self.begun.len()).rev().filter(|rule| has(entry, *rule)) {
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
        match self.rule.kind {
            CorrelationKind::Events(_) | CorrelationKind::InOrder => {}
            CorrelationKind::Values(..) => {
                for value in &entry.values {
                    let count = self.values.get(value.as_str()).copied().unwrap_or(0);
                    if count > 1 {
                        self.values.insert(value, count.saturating_sub(1));
                    } else {
                        self.values.remove(value.as_str());
                    }
                }
            }
            CorrelationKind::Rules(_) | CorrelationKind::Together(_) => {
                for (_, count) in self.matches.iter_mut().enumerate().filter(|(rule, _)| has(entry, *rule)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// Whether the window that ends at `at` and holds so many events satisfies the correlation.
    pub(super) fn satisfied(&self, at: Second, events: usize) -> bool {
        let matched = |rule: usize| self.matches.get(rule).is_some_and(|count| *count > 0);
        let (predicates, count) = match &self.rule.kind {
            CorrelationKind::Events(predicates) => (predicates, events),
            CorrelationKind::Values(predicates, _) => (predicates, self.values.len()),
            CorrelationKind::Rules(predicates) => {
                (predicates, (0..self.matches.len()).filter(|rule| matched(*rule)).count())
            }
            CorrelationKind::Together(expression) => return expression.holds(&matched),
            CorrelationKind::InOrder => {
                let begun = self.begun.last().copied().flatten();
                return begun.is_some_and(|begun| begun.plus(self.rule.span_s) > at);
            }
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        predicates.iter().all(|predicate| predicate.holds(count))
    }
}

/// Whether the event matched the base rule at this position.
fn has(entry: &Entry, rule: usize) -> bool {
    u32::try_from(rule).ok().and_then(|rule| entry.mask.checked_shr(rule)).is_some_and(|bits| bits & 1 == 1)
}
