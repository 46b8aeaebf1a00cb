//! The events of one group of a correlation, and which windows over them are satisfied.
//!
//! A window ends with an event and holds, in judging order, the events up to it whose time is less than the span before.
//! Deliberately evaluated only where a change of the events can change something, many changes at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    correlation::CorrelationRule,
    correlator::Allowance,
    correlator_entry::{Entry, Turn},
    correlator_sweep::Sweep,
};
use crate::time::{DAY_S, Second};

/// How many event ids a hit names.
const IDS_MAX: usize = 50;

/// The events of all satisfied windows that end on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) count: u64,
    /// The earliest, in judging order.
    pub(super) ids: Vec<(Second, String)>,
    pub(super) last: Second,
    /// The context of the earliest.
    pub(super) context: String,
}

impl Summary {
    fn add(&mut self, entry: &Entry) {
        self.count = self.count.saturating_add(1);
        self.last = self.last.max(entry.at);
        let place = self.ids.partition_point(|(at, id)| (*at, id.as_str()) < entry.order());
        if place == 0 {
            self.context.clone_from(&entry.context);
        }
        if place < IDS_MAX {
            self.ids.insert(place, (entry.at, entry.id.clone()));
            self.ids.truncate(IDS_MAX);
        }
    }
}

/// What is known of one day: for good, and for now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    /// Of events no longer kept, which nothing can change any more.
    settled: Summary,
    /// Of all events.
    now: Summary,
}

/// A change of a group's events.
#[derive(Debug)]
pub(super) enum Change {
    /// An event belongs to inputs, perhaps besides others.
    Enter(Entry),
    /// A correlation no longer holds at an event, which no longer belongs to this input.
    Part { at: Second, id: String, input: u32 },
}

/// What followed from changes.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The days whose summary changed.
    pub(super) days: BTreeSet<u32>,
    /// The events at which the correlation began to hold or no longer holds, where that matters to another.
    pub(super) turns: Vec<Turn>,
    /// How many events were dropped for the limit.
    pub(super) dropped: u64,
}

/// The times between which changes lie, and what evaluating them takes.
struct Touched {
    first: Second,
    last: Second,
    /// The place in judging order of an event that entered and is the only change.
    only: Option<(Second, String)>,
    /// The days to count anew whatever the windows say.
    recount: BTreeSet<u32>,
}

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    entries: Vec<Entry>,
    days: BTreeMap<u32, Day>,
}

impl Group {
    /// What the day's satisfied windows hold.
    pub(super) fn summary(&self, day: u32) -> Option<&Summary> {
        self.days.get(&day).map(|day| &day.now)
    }

    /// How many events are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The time of the latest event kept.
    pub(super) fn latest(&self) -> Second {
        self.entries.last().map_or(Second::MIN, |entry| entry.at)
    }

    /// Changes its events.
    pub(super) fn apply(&mut self, changes: Vec<Change>, rule: &CorrelationRule, allowance: Allowance) -> Outcome {
        self.expire(rule.span_s, allowance.floor);
        let mut outcome = Outcome::default();
        let mut touched: Option<Touched> = None;
        for change in changes {
            let (at, only, recount) = match change {
                Change::Enter(entry) => match self.enter(entry) {
                    Some(place) => (place.0, Some(place), None),
                    None => continue,
                },
                Change::Part { at, id, input } => match self.part((at, &id), input, &mut outcome) {
                    Some(recount) => (at, None, recount),
                    None => continue,
                },
            };
            match &mut touched {
                None => {
                    let recount = recount.into_iter().collect();
                    touched = Some(Touched { first: at, last: at, only, recount });
                }
                Some(touched) => {
                    touched.first = touched.first.min(at);
                    touched.last = touched.last.max(at);
                    touched.only = None;
                    touched.recount.extend(recount);
                }
            }
        }
        let excess = self.entries.len().saturating_sub(allowance.events_max as usize);
        if excess > 0 {
            // More than one at a time, so that a group at its limit is not moved for every event.
            let dropped = excess.max(self.entries.len() / 16);
            self.settle(dropped, allowance.floor);
            outcome.dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
        }
        if let Some(touched) = touched {
            self.evaluate(&touched, rule, &mut outcome);
        }
        outcome
    }

    /// Puts an event in its place, which it returns if that changes anything.
    fn enter(&mut self, entry: Entry) -> Option<(Second, String)> {
        let place = (entry.at, entry.id.clone());
        match self.position(entry.order()) {
            Ok(position) => self.entries.get_mut(position).is_some_and(|known| known.join(entry)).then_some(place),
            Err(position) => {
                self.entries.insert(position, entry);
                Some(place)
            }
        }
    }

    /// Takes an event out of an input, and away if it has no other. `None` if that changes nothing; else the day to
    /// count anew, if the window ended on it that the event took with it.
    fn part(&mut self, place: (Second, &str), input: u32, outcome: &mut Outcome) -> Option<Option<u32>> {
        let position = self.position(place).ok()?;
        let entry = self.entries.get_mut(position)?;
        if !entry.part(input) {
            return None;
        }
        if entry.mask != 0 {
            return Some(None);
        }
        let mut entry = self.entries.remove(position);
        if !std::mem::take(&mut entry.fires) {
            return Some(None);
        }
        outcome.turns.extend(entry.turn());
        Some(Some(entry.at.day()))
    }

    fn position(&self, place: (Second, &str)) -> Result<usize, usize> {
        self.entries.binary_search_by(|known| known.order().cmp(&place))
    }

    /// Forgets events that can share no window with anything that may still arrive, and days that are over.
    pub(super) fn expire(&mut self, span_s: u32, floor: Second) {
        self.days.retain(|day, _| is_open(*day, floor));
        let keep_from = self.entries.partition_point(|entry| entry.at.plus(span_s) <= floor);
        self.settle(keep_from, floor);
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.days.is_empty()
    }

    /// Removes the first events; what they add to days that are not over stays.
    fn settle(&mut self, first: usize, floor: Second) {
        for entry in self.entries.drain(..first.min(self.entries.len())) {
            for day in entry.days().filter(|day| is_open(*day, floor)) {
                self.days.entry(day).or_default().settled.add(&entry);
            }
        }
    }

    /// Evaluates every window that a changed event lies in.
    fn evaluate(&mut self, touched: &Touched, rule: &CorrelationRule, outcome: &mut Outcome) {
        let mut recount = touched.recount.clone();
        let only = match touched.only.as_ref().map(|(at, id)| self.position((*at, id))) {
            None => None,
            Some(Ok(position)) => Some(position),
            // It was dropped for the limit.
            Some(Err(_)) => return,
        };
        let first = only.unwrap_or_else(|| self.entries.partition_point(|entry| entry.at < touched.first));
        for Window { start, end, fires } in self.windows(touched, first, rule) {
            let Some(entry) = self.entries.get_mut(end) else { break };
            let (fired, day) = (std::mem::replace(&mut entry.fires, fires), entry.at.day());
            if fired != fires {
                outcome.turns.extend(entry.turn());
            }
            // One event that entered only ever adds to days whose windows stay satisfied.
            let grew = match (fired, fires, only) {
                (false, false, _) => false,
                (false, true, Some(_)) => self.count(start, end, day),
                (true, true, Some(position)) => self.count(position, position, day),
                (_, _, None) | (true, false, Some(_)) => {
                    recount.insert(day);
                    false
                }
            };
            if grew {
                outcome.days.insert(day);
            }
        }
        for day in recount {
            if self.recount(day, rule.span_s) {
                outcome.days.insert(day);
            }
        }
    }

    /// The windows that changes lie in, which end with the event at `first` or later.
    fn windows(&self, touched: &Touched, first: usize, rule: &CorrelationRule) -> Vec<Window> {
        let span_s = rule.span_s;
        let mut start = self.entries.partition_point(|entry| entry.at.plus(span_s) <= touched.first);
        let mut sweep = Sweep::new(rule);
        for entry in self.entries.iter().take(first).skip(start) {
            sweep.add(entry);
        }
        let mut windows = Vec::new();
        let until = touched.last.plus(span_s);
        for (end, entry) in self.entries.iter().enumerate().skip(first).take_while(|(_, entry)| entry.at < until) {
            sweep.add(entry);
            while let Some(old) = self.entries.get(start).filter(|old| old.at.plus(span_s) <= entry.at) {
                sweep.remove(old);
                start = start.saturating_add(1);
            }
            let events = end.saturating_sub(start).saturating_add(1);
            windows.push(Window { start, end, fires: sweep.satisfied(entry.at, events) });
        }
        windows
    }

    /// Counts the events from `start` to `end` for `day`; says whether any of them was not counted yet.
    fn count(&mut self, start: usize, end: usize, day: u32) -> bool {
        let mut grew = false;
        for entry in self.entries.iter_mut().take(end.saturating_add(1)).skip(start) {
            if entry.count_for(day) {
                grew = true;
                self.days.entry(day).or_default().now.add(entry);
            }
        }
        grew
    }

    /// Counts a day anew; says whether that changed anything.
    fn recount(&mut self, day: u32, span_s: u32) -> bool {
        let known = self.days.entry(day).or_default();
        let before = std::mem::replace(&mut known.now, known.settled.clone());
        for entry in &mut self.entries {
            entry.discount_for(day);
        }
        let is_of_day = |entry: &Entry| entry.fires && entry.at.day() == day;
        let firing: Vec<(usize, Second)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| is_of_day(entry))
            .map(|(end, entry)| (end, entry.at))
            .collect();
        let mut counted = 0;
        for (end, at) in firing {
            let start = self.entries.partition_point(|entry| entry.at.plus(span_s) <= at);
            self.count(start.max(counted), end, day);
            counted = end.saturating_add(1);
        }
        self.days.get(&day).is_some_and(|known| known.now != before)
    }
}

/// Whether windows that end on the day can still change.
fn is_open(day: u32, floor: Second) -> bool {
    Second(day.saturating_add(1).saturating_mul(DAY_S)) > floor
}

/// The window that ends with one event, by the positions of its first and last event.
struct Window {
    start: usize,
    end: usize,
    fires: bool,
}
