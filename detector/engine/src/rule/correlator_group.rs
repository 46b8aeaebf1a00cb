//! The events of one group of a correlation, and which windows over them are satisfied.
//!
//! A window ends with an event and holds, in judging order, the events up to it whose time is less than the span before.
//! Deliberately evaluated only where a new event can change something.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    correlation::CorrelationRule,
    correlator::{Allowance, CorrelatedEvent},
    correlator_sweep::Sweep,
};
use crate::time::{DAY_S, Second};

/// How many event ids a hit names.
const IDS_MAX: usize = 50;

/// An event of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Second,
    id: String,
    /// The base rules it matched, as bits.
    pub(super) mask: u32,
    /// What `value_count` counts of it.
    pub(super) values: Vec<String>,
    context: String,
    /// Whether the window that ends with it is satisfied.
    fires: bool,
    /// Whether it lies in a satisfied window that ends on its own day, and on the next.
    counted: [bool; 2],
}

impl Entry {
    pub(super) fn new(event: CorrelatedEvent<'_>, mask: u32, values: Vec<String>) -> Self {
        Self {
            at: event.at,
            id: event.event_id.to_owned(),
            mask,
            values,
            context: event.context.to_owned(),
            fires: false,
            counted: [false; 2],
        }
    }
}

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
        let place = self.ids.partition_point(|(at, id)| (*at, id.as_str()) < (entry.at, entry.id.as_str()));
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

    /// Puts an event in its place; says which days changed, and how many events were dropped for the limit.
    pub(super) fn insert(&mut self, entry: Entry, rule: &CorrelationRule, allowance: Allowance) -> (Vec<u32>, u64) {
        self.expire(rule.span_s, allowance.floor);
        let order = |known: &Entry| (known.at, known.id.as_str()).cmp(&(entry.at, entry.id.as_str()));
        let position = match self.entries.binary_search_by(order) {
            Ok(position) => {
                let Some(known) = self.entries.get_mut(position).filter(|known| known.mask | entry.mask != known.mask)
                else {
                    return (Vec::new(), 0);
                };
                known.mask |= entry.mask;
                position
            }
            Err(position) => {
                self.entries.insert(position, entry);
                position
            }
        };
        let excess = self.entries.len().saturating_sub(allowance.events_max as usize);
        if excess == 0 {
            return (self.evaluate(position, rule), 0);
        }
        // More than one at a time, so that a group at its limit is not moved for every event.
        let dropped = excess.max(self.entries.len() / 16);
        self.settle(dropped);
        let days = position.checked_sub(dropped).map_or_else(Vec::new, |position| self.evaluate(position, rule));
        (days, u64::try_from(dropped).unwrap_or(u64::MAX))
    }

    /// Forgets events that can share no window with anything that may still arrive, and days that are over.
    pub(super) fn expire(&mut self, span_s: u32, floor: Second) {
        let keep_from = self.entries.partition_point(|entry| entry.at.plus(span_s) <= floor);
        self.settle(keep_from);
        self.days.retain(|day, _| Second(day.saturating_add(1).saturating_mul(DAY_S)).plus(span_s) > floor);
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.days.is_empty()
    }

    /// Removes the first events; what they add to days stays.
    fn settle(&mut self, first: usize) {
        for entry in self.entries.drain(..first.min(self.entries.len())) {
            for (counted, later) in entry.counted.into_iter().zip(0_u32..) {
                if counted {
                    self.days.entry(entry.at.day().saturating_add(later)).or_default().settled.add(&entry);
                }
            }
        }
    }

    /// Evaluates every window that the event at `position` lies in.
    fn evaluate(&mut self, position: usize, rule: &CorrelationRule) -> Vec<u32> {
        let mut changed = Vec::new();
        let mut shrunk = Vec::new();
        for Window { start, end, fires } in self.windows(position, rule) {
            let Some(entry) = self.entries.get_mut(end) else { break };
            let (fired, day) = (entry.fires, entry.at.day());
            entry.fires = fires;
            let grew = match (fired, fires) {
                (false, true) => self.count(start, end, day),
                (true, true) => self.count(position, position, day),
                (true, false) => {
                    shrunk.push(day);
                    false
                }
                (false, false) => false,
            };
            if grew {
                changed.push(day);
            }
        }
        shrunk.dedup();
        for day in shrunk {
            self.recount(day, rule.span_s);
            changed.push(day);
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn windows(&self, position: usize, rule: &CorrelationRule) -> Vec<Window> {
        let Some(new) = self.entries.get(position) else {
            return Vec::new();
        };
        let span_s = rule.span_s;
        let mut start = self.entries.partition_point(|entry| entry.at.plus(span_s) <= new.at);
        let mut sweep = Sweep::new(rule);
        for entry in self.entries.iter().take(position).skip(start) {
            sweep.add(entry);
        }
        let mut windows = Vec::new();
        let last =
            self.entries.iter().enumerate().skip(position).take_while(|(_, entry)| entry.at < new.at.plus(span_s));
        for (end, entry) in last {
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
            let later = day.saturating_sub(entry.at.day()) as usize;
            if let Some(counted) = entry.counted.get_mut(later).filter(|counted| !**counted) {
                *counted = true;
                grew = true;
                self.days.entry(day).or_default().now.add(entry);
            }
        }
        grew
    }

    /// Counts a day anew, after a window turned out not to be satisfied.
    fn recount(&mut self, day: u32, span_s: u32) {
        let known = self.days.entry(day).or_default();
        known.now = known.settled.clone();
        for entry in &mut self.entries {
            if let Some(counted) = entry.counted.get_mut(day.wrapping_sub(entry.at.day()) as usize) {
                *counted = false;
            }
        }
        let firing: Vec<(usize, Second)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.fires && entry.at.day() == day)
            .map(|(end, entry)| (end, entry.at))
            .collect();
        for (end, at) in firing {
            let start = self.entries.partition_point(|entry| entry.at.plus(span_s) <= at);
            self.count(start, end, day);
        }
    }
}

/// The window that ends with one event, by the positions of its first and last event.
struct Window {
    start: usize,
    end: usize,
    fires: bool,
}
