//! Correlations in event time: the same answers whatever order the events arrive in.
//!
//! Each group keeps its events in judging order as long as a record that is still allowed to arrive can share a window
//! with them. Deliberately no clock: the caller says before which second nothing counts any more.
//!
//! A correlation of correlations gets, as its events, those at which the inner correlation holds: the last event of each
//! satisfied window, with its time and its fields. Which these are depends on the events alone and not on their order,
//! so the outer correlation is as exact as the inner one. A late record can make the inner one hold at later events, or
//! no longer hold at them, whose records are gone by then; so every event remembers from the start what it would be to
//! the outer correlations ([`Feed`]), and whatever turns is told to them in one go, from the innermost outward. Only
//! events at or after the floor can turn, because windows that end before it can no longer change; an outer group still
//! has everything that shares a window with those.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    correlation::{CorrelationRule, Input},
    correlation_kind::CorrelationKind,
    correlation_number,
    correlator_entry::{Counted, Entry, Feed, bit},
    correlator_group::{Change, Group, Outcome, Summary},
    correlator_limit,
    matcher::with_text,
    set::{RuleIndex, RuleSet},
    value::{Field, Fields, Value},
};
use crate::time::Second;

/// An event that matched a rule.
#[derive(Debug, Clone, Copy)]
pub struct CorrelatedEvent<'a> {
    /// The account it belongs to; groups never span accounts.
    pub account: &'a str,
    /// When it happened.
    pub at: Second,
    /// Its eventID, which orders events of one second and tells copies.
    pub event_id: &'a str,
    /// Whatever the caller wants back with the earliest event of a hit; may be empty.
    pub context: &'a str,
}

/// How far back events count and how much is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Events before this second are dropped: the account's watermark minus the lateness.
    pub floor: Second,
    /// Groups of one correlation.
    pub groups_max: u32,
    /// Events of one group.
    pub events_max: u32,
}

/// What a correlation has found for one group and day, complete up to now: it replaces what was said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationHit {
    /// The correlation's index in [`RuleSet::correlations`].
    pub correlation: u32,
    /// The values of the group, in the order of [`CorrelationRule::group_names`].
    pub group: Vec<String>,
    /// The UTC day in which the windows end.
    pub day: u32,
    /// The 50 earliest events of all satisfied windows that end on this day, in judging order.
    pub event_ids: Vec<String>,
    /// How many events there are in these windows; 0 when a late record showed that none is satisfied.
    pub event_count: u64,
    /// Event time of the earliest.
    pub first: Second,
    /// Event time of the latest.
    pub last: Second,
    /// The context of the earliest.
    pub first_context: String,
}

/// The memory of all correlations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correlator {
    correlations: BTreeMap<String, State>,
    evicted_groups: u64,
    dropped_events: u64,
}

/// The memory of one correlation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    fingerprint: u64,
    groups: BTreeMap<GroupKey, Group>,
}

/// Whose events belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct GroupKey {
    pub(super) account: String,
    pub(super) values: Vec<String>,
}

impl Correlator {
    /// Takes in an event that matched `matched`, and says which findings changed.
    pub fn observe(
        &mut self,
        rules: &RuleSet,
        matched: &[RuleIndex],
        fields: &(impl Fields + ?Sized),
        event: CorrelatedEvent<'_>,
        allowance: Allowance,
    ) -> Vec<CorrelationHit> {
        let mut hits = Vec::new();
        if event.at < allowance.floor || matched.is_empty() {
            return hits;
        }
        // By depth, so that every group is changed once, after all that can change it.
        let mut pending: BTreeMap<(usize, u32, GroupKey), Vec<Change>> = BTreeMap::new();
        for (index, correlation) in (0..).zip(rules.correlations()) {
            for (key, mask) in groups_of(correlation, matched, fields, event.account) {
                let Some(counted) = counted_of(&correlation.kind, fields) else { continue };
                let entry = Entry::new(event, mask, counted, feeds_of(rules, correlation, fields));
                pending.insert((correlation.depth, index, key), vec![Change::Enter(entry)]);
            }
        }
        while let Some(((_, index, key), changes)) = pending.pop_first() {
            let Some(correlation) = rules.correlation(index) else { continue };
            let (outcome, found) = self.apply((index, correlation), &key, changes, allowance);
            hits.extend(found);
            for mut turn in outcome.turns {
                for feed in std::mem::take(&mut turn.feeds) {
                    let outer = (0..).zip(rules.correlations()).find(|(_, outer)| outer.fingerprint == feed.to);
                    let Some((index, outer)) = outer else { continue };
                    let key = GroupKey { account: key.account.clone(), values: feed.group.clone() };
                    let change = if turn.holds {
                        Change::Enter(Entry::fed(&turn, feed))
                    } else {
                        Change::Part { at: turn.at, id: turn.id.clone(), input: feed.input }
                    };
                    pending.entry((outer.depth, index, key)).or_default().push(change);
                }
            }
        }
        hits
    }

    /// Changes a group; says what followed, and what is now found of the days that changed.
    fn apply(
        &mut self,
        (index, correlation): (u32, &CorrelationRule),
        key: &GroupKey,
        changes: Vec<Change>,
        allowance: Allowance,
    ) -> (Outcome, Vec<CorrelationHit>) {
        let state = self.correlations.entry(correlation.about.id.clone()).or_default();
        if state.fingerprint != correlation.fingerprint {
            *state = State { fingerprint: correlation.fingerprint, groups: BTreeMap::new() };
        }
        let group = state.groups.entry(key.clone()).or_default();
        let outcome = group.apply(changes, correlation, allowance);
        self.dropped_events = self.dropped_events.saturating_add(outcome.dropped);
        let told = outcome.days.iter().filter(|_| correlation.alerts);
        let hits = told.map(|day| hit(index, key, *day, group.summary(*day))).collect();
        if state.groups.len() > allowance.groups_max as usize {
            let span = correlation.span_s;
            let evicted = correlator_limit::evict(&mut state.groups, &key.account, allowance, span);
            self.evicted_groups = self.evicted_groups.saturating_add(evicted);
        }
        (outcome, hits)
    }

    /// Forgets correlations that `rules` no longer has, or has with another meaning.
    pub fn retain(&mut self, rules: &RuleSet) {
        self.correlations.retain(|id, state| {
            rules.correlations().iter().any(|c| c.about.id == *id && c.fingerprint == state.fingerprint)
        });
    }

    /// Takes over the groups that another remembers of some accounts.
    pub fn absorb(&mut self, other: Self, of: impl Fn(&str) -> bool) {
        for (id, state) in other.correlations {
            let known = self.correlations.entry(id).or_default();
            if known.groups.is_empty() {
                known.fingerprint = state.fingerprint;
            }
            if known.fingerprint == state.fingerprint {
                known.groups.retain(|key, _| !of(&key.account));
                known.groups.extend(state.groups.into_iter().filter(|(key, _)| of(&key.account)));
            }
        }
        self.evicted_groups = self.evicted_groups.saturating_add(other.evicted_groups);
        self.dropped_events = self.dropped_events.saturating_add(other.dropped_events);
    }

    /// How many groups were forgotten because of the limit.
    #[must_use]
    pub const fn evicted_groups(&self) -> u64 {
        self.evicted_groups
    }

    /// How many events were forgotten because of the limit.
    #[must_use]
    pub const fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    /// How many groups are remembered.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.correlations.values().map(|state| state.groups.len()).fold(0, usize::saturating_add)
    }
}

fn hit(correlation: u32, key: &GroupKey, day: u32, summary: Option<&Summary>) -> CorrelationHit {
    let empty = Summary::default();
    let summary = summary.unwrap_or(&empty);
    CorrelationHit {
        correlation,
        group: key.values.clone(),
        day,
        event_ids: summary.ids.iter().map(|(_, id)| id.clone()).collect(),
        event_count: summary.count,
        first: summary.ids.first().map_or(Second::MIN, |(at, _)| *at),
        last: summary.last,
        first_context: summary.context.clone(),
    }
}

/// The groups an event belongs to, each with the rules (as bits) by which it does.
fn groups_of(
    correlation: &CorrelationRule,
    matched: &[RuleIndex],
    fields: &(impl Fields + ?Sized),
    account: &str,
) -> Vec<(GroupKey, u32)> {
    let mut found: Vec<(GroupKey, u32)> = Vec::new();
    for (input, named) in (0..).zip(&correlation.inputs) {
        if !matches!(named, Input::Rule(rule) if matched.contains(rule)) {
            continue;
        }
        let Some(values) = group_of(correlation, input, fields) else { continue };
        match found.iter_mut().find(|(key, _)| key.values == values) {
            Some((_, mask)) => *mask |= bit(input),
            None => found.push((GroupKey { account: account.to_owned(), values }, bit(input))),
        }
    }
    found
}

/// The values of the group that an event belongs to as this input, if it has them all.
fn group_of(correlation: &CorrelationRule, input: u32, fields: &(impl Fields + ?Sized)) -> Option<Vec<String>> {
    let input = usize::try_from(input).ok()?;
    correlation.group_by.iter().map(|field| scalar(fields, field.by_rule.get(input)?)).collect()
}

/// What an event would be to the correlations that have this one as an input.
fn feeds_of(rules: &RuleSet, correlation: &CorrelationRule, fields: &(impl Fields + ?Sized)) -> Vec<Feed> {
    let feed = |(index, input): &(u32, u32)| {
        let outer = rules.correlation(*index)?;
        Some(Feed {
            to: outer.fingerprint,
            input: *input,
            group: group_of(outer, *input, fields)?,
            counted: counted_of(&outer.kind, fields)?,
            feeds: feeds_of(rules, outer, fields),
        })
    };
    correlation.named_by.iter().filter_map(feed).collect()
}

/// The text of a field that has one value.
fn scalar(fields: &(impl Fields + ?Sized), field: &Field) -> Option<String> {
    let value = fields.value(field);
    let value = match &value {
        Value::List(elements) => match elements.as_slice() {
            [only] => only,
            _ => return None,
        },
        other => other,
    };
    let mut text = None;
    with_text(value, |found| {
        text = Some(found.to_owned());
        true
    });
    text
}

/// What a correlation looks at in an event; `None` when the event has no such value and does not take part.
fn counted_of(kind: &CorrelationKind, fields: &(impl Fields + ?Sized)) -> Option<Counted> {
    match kind {
        CorrelationKind::Values(_, counted) => texts_of(counted, fields).map(Counted::Texts),
        CorrelationKind::Numbers(_, field, _) => {
            let numbers = correlation_number::of_value(&fields.value(field));
            (!numbers.is_empty()).then_some(Counted::Numbers(numbers))
        }
        CorrelationKind::Events(_)
        | CorrelationKind::Rules(_)
        | CorrelationKind::Together(_)
        | CorrelationKind::InOrder => Some(Counted::Nothing),
    }
}

fn texts_of(counted: &[Field], fields: &(impl Fields + ?Sized)) -> Option<Vec<String>> {
    if let [only] = counted
        && let Value::List(elements) = fields.value(only)
    {
        let mut values = Vec::new();
        for element in &elements {
            with_text(element, |text| {
                values.push(text.to_owned());
                true
            });
        }
        return (!values.is_empty()).then_some(values);
    }
    let values: Option<Vec<String>> = counted.iter().map(|field| scalar(fields, field)).collect();
    values.map(|values| vec![values.join("\u{1f}")])
}
