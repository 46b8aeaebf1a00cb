//! An event as a group of a correlation remembers it, and what it would be to correlations built on this one.
//!
//! Deliberately not the record: only what windows need, and the caller's context for the alert.

use serde::{Deserialize, Serialize};

use super::{correlation::SPAN_MAX_S, correlator::CorrelatedEvent};
use crate::time::{DAY_S, Second};

/// What a correlation looks at in an event, besides that it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Counted {
    Nothing,
    /// What `value_count` counts.
    Texts(Vec<String>),
    /// What is summed up, in billionths.
    Numbers(Vec<i128>),
}

/// What an event is to a correlation that has this one as an input, should this one hold at the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Feed {
    /// That correlation's fingerprint.
    pub(super) to: u64,
    /// As which of its inputs.
    pub(super) input: u32,
    /// The values of the group that the event belongs to there.
    pub(super) group: Vec<String>,
    pub(super) counted: Counted,
    /// What it is, in turn, to correlations that have that one as an input.
    pub(super) feeds: Vec<Self>,
}

/// An event of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Second,
    pub(super) id: String,
    /// The inputs it belongs to, as bits: rules that it matched, correlations that hold at it.
    pub(super) mask: u32,
    /// The inputs that are correlations, once for each of their groups that holds at it.
    fed: Vec<u32>,
    pub(super) counted: Counted,
    pub(super) context: String,
    pub(super) feeds: Vec<Feed>,
    /// Whether the window that ends with it is satisfied.
    pub(super) fires: bool,
    /// Whether it lies in a satisfied window that ends on its own day, on the next and so on, as bits.
    days: u32,
}

// The days on which windows over one event can end have a bit each.
const _: () = assert!(SPAN_MAX_S.div_ceil(DAY_S) < u32::BITS);

impl Entry {
    /// An event that matched the rules in `mask`.
    pub(super) fn new(event: CorrelatedEvent<'_>, mask: u32, counted: Counted, feeds: Vec<Feed>) -> Self {
        Self {
            at: event.at,
            id: event.event_id.to_owned(),
            mask,
            fed: Vec::new(),
            counted,
            context: event.context.to_owned(),
            feeds,
            fires: false,
            days: 0,
        }
    }

    /// An event at which a correlation holds, as `feed` says that another takes it.
    pub(super) fn fed(turn: &Turn, feed: Feed) -> Self {
        Self {
            at: turn.at,
            id: turn.id.clone(),
            mask: bit(feed.input),
            fed: vec![feed.input],
            counted: feed.counted,
            context: turn.context.clone(),
            feeds: feed.feeds,
            fires: false,
            days: 0,
        }
    }

    /// Takes over what a copy of the same event belongs to; says whether that is more.
    pub(super) fn join(&mut self, copy: Self) -> bool {
        let before = self.mask;
        self.mask |= copy.mask;
        self.fed.extend(copy.fed);
        self.mask != before
    }

    /// No longer belongs to an input by one of its groups; says whether it no longer does by any.
    pub(super) fn part(&mut self, input: u32) -> bool {
        if let Some(place) = self.fed.iter().position(|fed| *fed == input) {
            self.fed.swap_remove(place);
        }
        let parts = self.mask & bit(input) != 0 && !self.fed.contains(&input);
        if parts {
            self.mask &= !bit(input);
        }
        parts
    }

    /// Whether the event belongs to the input at this position.
    pub(super) fn has(&self, input: usize) -> bool {
        u32::try_from(input).is_ok_and(|input| self.mask & bit(input) != 0)
    }

    /// Its place in judging order.
    pub(super) fn order(&self) -> (Second, &str) {
        (self.at, &self.id)
    }

    /// That the window which ends with it began or ceased to be satisfied, if that matters to anybody.
    pub(super) fn turn(&self) -> Option<Turn> {
        (!self.feeds.is_empty()).then(|| Turn {
            holds: self.fires,
            at: self.at,
            id: self.id.clone(),
            context: self.context.clone(),
            feeds: self.feeds.clone(),
        })
    }

    /// Notes that it lies in a satisfied window that ends on `day`; says whether that is news.
    pub(super) fn count_for(&mut self, day: u32) -> bool {
        let bit = self.day_bit(day);
        let is_news = self.days & bit != bit;
        self.days |= bit;
        is_news
    }

    /// Takes that back.
    pub(super) fn discount_for(&mut self, day: u32) {
        self.days &= !self.day_bit(day);
    }

    /// The days on which satisfied windows end that it lies in.
    pub(super) fn days(&self) -> impl Iterator<Item = u32> + use<> {
        let (first, days) = (self.at.day(), self.days);
        (0..u32::BITS).filter(move |later| days & bit(*later) != 0).map(move |later| first.saturating_add(later))
    }

    /// None for days on which no window over it can end.
    fn day_bit(&self, day: u32) -> u32 {
        day.checked_sub(self.at.day()).map_or(0, bit)
    }
}

/// An event at which a correlation began to hold, or no longer holds.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) holds: bool,
    pub(super) at: Second,
    pub(super) id: String,
    pub(super) context: String,
    pub(super) feeds: Vec<Feed>,
}

/// The bit of a number; none for numbers that have none.
pub(super) fn bit(number: u32) -> u32 {
    1_u32.checked_shl(number).unwrap_or(0)
}
