//! What one rule found about one principal on one day, and what was told about it.
//!
//! A verdict holds while at least one of its seconds does. Seconds that can no longer change are folded together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    alert::{ChangeKind, Severity, Status},
    firsts::First,
    order::EventId,
    rule::{ITEMS_MAX, RuleIndex, RuleSet},
};

use super::{
    actor::StoredActor,
    calls::NO_MODEL,
    day::{Tally, insert_sorted},
};

/// One rule's findings about a principal on a UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The rule's id.
    pub(crate) rule: Box<str>,
    /// Its place in the present set of rules, once it was looked up.
    #[serde(skip)]
    index: Option<RuleIndex>,
    /// Counted from 1970-01-01.
    pub(crate) day: u32,
    /// The seconds at which the rule holds and that can still change, in order.
    held: Vec<(u32, Severity)>,
    /// How many of these reach each severity, so that a busy day need not be searched for its worst second.
    reached: [u32; Severity::ALL.len()],
    /// The seconds at which the rule held and that can no longer change.
    settled: Option<Settled>,
    /// These as stretches, in order.
    settled_stretches: Vec<Stretch>,
    /// What was known at the earliest second at which the rule holds.
    pub(crate) opening: Opening,
    /// The matching events, of a rule that judges single records.
    pub(crate) matches: Option<Tally>,
    /// `eventName`s of the matching events, or error codes of refused calls.
    pub(crate) names: Vec<Box<str>>,
    /// What the matching events said, of a rule that takes facts over: all different values, the first
    /// [`ITEMS_MAX`] in the order of their texts, so that the order of arrival does not matter.
    facts: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    told: Option<Told>,
}

/// Seconds that can no longer change, folded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Settled {
    first: u32,
    last: u32,
    severity: Severity,
}

/// Names and times at the earliest second at which a rule holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) second: u32,
    pub(crate) models: Vec<u16>,
    pub(crate) new_models: Vec<u16>,
    pub(crate) regions: Vec<u8>,
    pub(crate) new_regions: Vec<u8>,
    /// The enabling calls that the first use followed.
    pub(crate) enabled: Vec<(u32, EventId, u8, StoredActor)>,
}

/// What was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) status: Status,
    severity: Severity,
    count: u64,
    /// Whether what is known of jobs explained it.
    explained: bool,
}

impl Verdict {
    /// A verdict that holds at no second yet.
    pub(crate) fn new(rule: &str, day: u32) -> Self {
        Self {
            rule: rule.into(),
            index: None,
            day,
            held: Vec::new(),
            reached: [0; Severity::ALL.len()],
            settled: None,
            settled_stretches: Vec::new(),
            opening: Opening::default(),
            matches: None,
            names: Vec::new(),
            facts: BTreeMap::new(),
            told: None,
        }
    }

    /// The same, as if nothing had been told about it.
    pub(crate) fn untold(self) -> Self {
        Self { told: None, ..self }
    }

    /// The rule's place in `rules`, the set that the engine judges by; `None` if it is not there any more.
    pub(crate) fn index_in(&mut self, rules: &RuleSet) -> Option<RuleIndex> {
        if self.index.is_none() {
            self.index = rules.index_of(&self.rule);
        }
        self.index
    }

    /// Notes what a matching event said.
    pub(crate) fn note_fact(&mut self, name: &str, texts: Vec<String>) {
        if texts.is_empty() {
            return;
        }
        let known = self.facts.entry(name.into()).or_default();
        known.extend(texts.into_iter().map(String::into_boxed_str));
        while known.len() > ITEMS_MAX {
            known.pop_last();
        }
    }

    /// What the matching events said, in the order of the texts.
    pub(crate) fn fact(&self, name: &str) -> Vec<&str> {
        self.facts.get(name).into_iter().flatten().map(|text| &**text).collect()
    }

    /// The set of rules is another one now.
    pub(crate) const fn forget_index(&mut self) {
        self.index = None;
    }

    /// Notes whether the rule holds at `second`.
    pub(crate) fn set(&mut self, second: u32, severity: Option<Severity>) {
        let place = match self.held.last() {
            Some(&(last, _)) if last < second => Err(self.held.len()),
            _ => self.held.binary_search_by_key(&second, |&(held, _)| held),
        };
        match (place, severity) {
            (Ok(found), Some(severity)) => {
                if let Some((_, held)) = self.held.get_mut(found) {
                    let before = std::mem::replace(held, severity);
                    self.uncount(before);
                    self.count(severity);
                }
            }
            (Ok(found), None) => {
                let (_, before) = self.held.remove(found);
                self.uncount(before);
            }
            (Err(place), Some(severity)) => {
                self.held.insert(place, (second, severity));
                self.count(severity);
            }
            (Err(_), None) => {}
        }
    }

    fn count(&mut self, severity: Severity) {
        if let Some(count) = self.reached.get_mut(severity.rank()) {
            *count = count.saturating_add(1);
        }
    }

    fn uncount(&mut self, severity: Severity) {
        if let Some(count) = self.reached.get_mut(severity.rank()) {
            *count = count.saturating_sub(1);
        }
    }

    /// The seconds after `second` at which the rule holds and that can still change.
    pub(crate) fn held_after(&self, second: u32) -> Vec<u32> {
        self.held.iter().map(|&(held, _)| held).filter(|&held| held > second).collect()
    }

    /// The seconds at which the rule holds, as stretches in order. It does not matter which of them were folded already.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = self.settled_stretches.clone();
        for &(second, _) in &self.held {
            add_to(&mut stretches, second);
        }
        stretches
    }

    /// Whether the rule holds at any second of the day.
    pub(crate) fn holds(&self) -> bool {
        self.matches.is_some() || self.settled.is_some() || !self.held.is_empty()
    }

    /// The earliest second at which it holds.
    pub(crate) fn first(&self) -> Option<u32> {
        let own = self.matches.as_ref().and_then(|matches| matches.earliest.first().map(|(second, _)| *second));
        let settled = || self.settled.map(|settled| settled.first);
        own.or_else(settled).or_else(|| self.held.first().map(|&(second, _)| second))
    }

    /// The latest second at which it holds.
    pub(crate) fn last(&self) -> u32 {
        let own = self.matches.as_ref().map_or(0, |matches| matches.last);
        let settled = self.settled.map_or(0, |settled| settled.last);
        self.held.last().map_or(0, |&(second, _)| second).max(own).max(settled)
    }

    /// Whether the earliest second at which it holds can still change.
    pub(crate) fn is_opening_unsettled(&self) -> bool {
        self.settled.is_none() && !self.held.is_empty()
    }

    /// The highest severity reached.
    pub(crate) fn severity(&self) -> Option<Severity> {
        let settled = self.settled.map(|settled| settled.severity);
        let held = Severity::ALL.into_iter().rev().find(|severity| self.reached.get(severity.rank()) > Some(&0));
        held.max(settled)
    }

    /// Raises the severity of a verdict over single records.
    pub(crate) fn reach(&mut self, second: u32, severity: Severity) {
        let so_far = self.settled.get_or_insert(Settled { first: second, last: second, severity });
        so_far.first = so_far.first.min(second);
        so_far.last = so_far.last.max(second);
        so_far.severity = so_far.severity.max(severity);
    }

    /// Makes it rest on exactly these events, in judging order: of a rule over first times.
    pub(crate) fn rest_on(&mut self, found: &[(&First, Severity)]) {
        (self.matches, self.settled) = (None, None);
        self.names.clear();
        self.opening = Opening::default();
        for (first, severity) in found {
            let matches = self.matches.get_or_insert_with(Tally::default);
            matches.add(first.second, || first.id.clone(), first.region, || first.actor.clone());
            if let Err(place) = self.names.binary_search(&first.name) {
                self.names.insert(place, first.name.clone());
            }
            insert_sorted(&mut self.opening.new_regions, first.region);
            if first.model != NO_MODEL {
                insert_sorted(&mut self.opening.new_models, first.model);
            }
            self.reach(first.second, *severity);
        }
    }

    /// Folds the seconds before `horizon`, which can no longer change.
    pub(crate) fn settle(&mut self, horizon: u32) {
        const WORTH_FOLDING: usize = 64;
        // Only when half of them can be folded, so that a second is moved about once and not whenever one is added.
        let middle = self.held.get(self.held.len() / 2);
        if self.held.len() < WORTH_FOLDING || middle.is_none_or(|&(second, _)| second >= horizon) {
            return;
        }
        let end = self.held.partition_point(|&(second, _)| second < horizon);
        let folded: Vec<(u32, Severity)> = self.held.drain(..end).collect();
        for (second, severity) in folded {
            self.uncount(severity);
            self.reach(second, severity);
            add_to(&mut self.settled_stretches, second);
        }
    }

    /// What is to be told now, if anything: the change, given how many events the alert counts. What jobs of its own
    /// explain has a severity of its own; that an explanation came, or holds no longer, is told.
    pub(crate) fn news(&mut self, count: u64, quiet_since: bool, explained: Option<Severity>) -> Option<ChangeKind> {
        let holds = self.holds();
        let severity = self.severity().map(|reached| explained.unwrap_or(reached));
        let explained = explained.is_some();
        let (kind, status) = match (&self.told, holds, severity) {
            (None, true, Some(_)) => (ChangeKind::Fired, Status::Firing),
            (Some(told), true, Some(_)) if told.status == Status::Withdrawn => (ChangeKind::Fired, Status::Firing),
            (Some(told), true, Some(_)) if told.status == Status::Resolved && !quiet_since => {
                (ChangeKind::Fired, Status::Firing)
            }
            (Some(told), false, _) if told.status != Status::Withdrawn => (ChangeKind::Withdrawn, Status::Withdrawn),
            (Some(told), true, Some(reached))
                if reached > told.severity || told.explained != explained || grew(told.count, count) =>
            {
                (ChangeKind::Updated, told.status)
            }
            _ => return None,
        };
        let severity = severity.or_else(|| self.told.map(|told| told.severity))?;
        self.told = Some(Told { status, severity, count, explained });
        Some(kind)
    }

    /// Where the alert stands.
    pub(crate) fn status(&self) -> Option<Status> {
        self.told.map(|told| told.status)
    }

    /// Resolves it. Returns whether that is news.
    pub(crate) fn resolve(&mut self) -> bool {
        match &mut self.told {
            Some(told) if told.status == Status::Firing => {
                told.status = Status::Resolved;
                true
            }
            _ => false,
        }
    }
}

/// First and last of seconds at which a rule holds, none of them further than [`STRETCH_GAP_S`] from the next.
pub(crate) type Stretch = (u32, u32);

/// Seconds that lie further apart than so many belong to two stretches: as long as it takes until an alert is resolved.
const STRETCH_GAP_S: u32 = 900;

/// Adds a second after all that were added.
fn add_to(stretches: &mut Vec<Stretch>, second: u32) {
    match stretches.last_mut() {
        Some((_, last)) if second <= last.saturating_add(STRETCH_GAP_S) => *last = second.max(*last),
        _ => stretches.push((second, second)),
    }
}

/// Whether a count passed a power of two.
pub(crate) fn grew(told: u64, count: u64) -> bool {
    count.checked_ilog2() > told.checked_ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_the_same_in_any_order() {
        let said = |numbers: &mut dyn Iterator<Item = usize>| {
            let mut verdict = Verdict::new("rule", 0);
            numbers
                .for_each(|number| verdict.note_fact("agents", vec![format!("agent-{number:03}"), "both".to_owned()]));
            verdict.fact("agents").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let forwards = said(&mut (0..100));
        assert_eq!(forwards, said(&mut (0..100).rev()));
        assert_eq!((forwards.len(), forwards[0].as_str()), (ITEMS_MAX, "agent-000"));
        assert_eq!(said(&mut (0..2)), ["agent-000", "agent-001", "both"]);
        assert_eq!(said(&mut (0..0)), Vec::<String>::new());
    }
}
