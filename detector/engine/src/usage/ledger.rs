//! What one principal used, by second, hour and day.
//!
//! Seconds are kept for the longest window and the allowed lateness; hours and days for as long as a baseline looks
//! back. Every entry is a sum, so the order of arrival cannot matter.

use serde::{Deserialize, Serialize};

use super::day::UsageDay;
use crate::{
    rule::Metric,
    settings::Settings,
    time::{DAY_S, MINUTE_S},
};

/// An hour, in seconds.
pub(crate) const HOUR_S: u32 = 60 * MINUTE_S;

/// For how many days an alert of a day may still be written.
const DETAILS_DAYS: u32 = 2;

/// What was used in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amount {
    /// In tokens; without those read from or written to the prompt cache.
    pub(crate) input_tokens: u64,
    /// In tokens.
    pub(crate) output_tokens: u64,
    /// In picodollars.
    pub(crate) cost: u64,
    /// Records of calls that were refused for what the caller did or is.
    pub(crate) errors: u32,
}

impl Amount {
    pub(crate) fn add(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost = self.cost.saturating_add(other.cost);
        self.errors = self.errors.saturating_add(other.errors);
    }

    /// Tokens read and written.
    pub(crate) fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// What a window of this metric counts; money in picodollars.
    pub(super) fn of(&self, metric: Metric) -> u64 {
        match metric {
            Metric::InputTokens => self.input_tokens,
            Metric::OutputTokens => self.output_tokens,
            Metric::CostUsd => self.cost,
            Metric::LogErrors => u64::from(self.errors),
            _ => 0,
        }
    }
}

/// The log records of one principal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The principal's name without a role's path.
    pub(super) name: Box<str>,
    /// The newest second with a record.
    pub(crate) newest: u32,
    /// Recent seconds, in order.
    seconds: Vec<(u32, Amount)>,
    /// Hours with a record, counted from 1970-01-01, in order.
    hours: Vec<(u32, Amount)>,
    /// Days with a record, in order.
    days: Vec<UsageDay>,
}

impl Ledger {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a record and lends its day.
    pub(crate) fn add(&mut self, second: u32, amount: &Amount) -> &mut UsageDay {
        self.newest = self.newest.max(second);
        add_to(&mut self.seconds, second, amount);
        add_to(&mut self.hours, second / HOUR_S, amount);
        let number = second / DAY_S;
        let place = match self.days.binary_search_by_key(&number, |day| day.day) {
            Ok(found) => found,
            Err(place) => {
                self.days.insert(place, UsageDay::new(number));
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just above")]
        let day = &mut self.days[place];
        day.amount.add(amount);
        day
    }

    /// A day, if anything was used on it.
    pub(crate) fn day(&self, number: u32) -> Option<&UsageDay> {
        self.days.iter().find(|day| day.day == number)
    }

    /// What was used from `first` to `last`, both included; both lie among the recent seconds.
    pub(crate) fn between(&self, first: u32, last: u32) -> Amount {
        let from = self.seconds.partition_point(|(second, _)| *second < first);
        let recent = self.seconds.get(from..).unwrap_or_default().iter().take_while(|(second, _)| *second <= last);
        recent.fold(Amount::default(), |mut sum, (_, amount)| {
            sum.add(amount);
            sum
        })
    }

    /// What was used on the day of `second`, up to and with it.
    pub(super) fn today(&self, second: u32) -> Amount {
        let (hour, day) = (second / HOUR_S, second / DAY_S);
        let first_hour = day.saturating_mul(DAY_S / HOUR_S);
        let from = self.hours.partition_point(|(number, _)| *number < first_hour);
        let mut sum = self.between(hour.saturating_mul(HOUR_S), second);
        let before = self.hours.get(from..).unwrap_or_default().iter().take_while(|(number, _)| *number < hour);
        before.for_each(|(_, amount)| sum.add(amount));
        sum
    }

    /// The recent seconds with a record from `first` to `last`, both included.
    pub(super) fn seconds_between(&self, first: u32, last: u32) -> Vec<u32> {
        let from = self.seconds.partition_point(|(second, _)| *second < first);
        let recent = self.seconds.get(from..).unwrap_or_default().iter().map(|(second, _)| *second);
        recent.take_while(|second| *second <= last).collect()
    }

    /// The hours that lie wholly in `[from, to)` and have a record.
    pub(super) fn hours_within(&self, from: u32, to: u32) -> &[(u32, Amount)] {
        let (first, end) = (from.div_ceil(HOUR_S), to / HOUR_S);
        let place = |hour: u32| self.hours.partition_point(|(number, _)| *number < hour);
        self.hours.get(place(first)..place(end)).unwrap_or_default()
    }

    /// The days from number `first` up to but not with `end`.
    pub(super) fn days_within(&self, first: u32, end: u32) -> impl Iterator<Item = &UsageDay> {
        self.days.iter().filter(move |day| (first..end).contains(&day.day))
    }

    /// The hour of a day in which most was spent, as a second and the amount.
    pub(crate) fn busiest_hour(&self, day: u32) -> Option<(u32, Amount)> {
        let of_day = self.hours.iter().filter(|(hour, _)| hour.saturating_mul(HOUR_S) / DAY_S == day);
        let busiest = of_day
            .min_by_key(|(hour, amount)| (std::cmp::Reverse(amount.cost), std::cmp::Reverse(amount.tokens()), *hour));
        busiest.map(|(hour, amount)| (hour.saturating_mul(HOUR_S), *amount))
    }

    /// No window that a rule can ask about now counts more than this.
    pub(super) fn bound(&self, metric: Metric) -> u64 {
        // Recent seconds lie in at most two hours and a half.
        let hours = self.hours.iter().rev().take(4);
        hours.fold(0, |sum, (_, amount)| sum.saturating_add(amount.of(metric)))
    }

    /// Forgets what nothing can ask for any more. `watermark` is that of the account's logs.
    pub(super) fn forget(&mut self, watermark: u32, settings: &Settings) {
        let longest_s = crate::rule::vocabulary::WINDOW_MAX_S.max(HOUR_S);
        let recent_s = settings.lateness_s.saturating_add(longest_s).saturating_add(HOUR_S);
        let horizon = watermark.saturating_sub(recent_s);
        // Only when much can go, so that what remains is not moved about for every second.
        if self.seconds.first().is_some_and(|(first, _)| first.saturating_add(HOUR_S / 4) < horizon) {
            self.seconds.retain(|(second, _)| *second >= horizon);
        }
        let days = settings.baseline_days.saturating_add(DETAILS_DAYS);
        let oldest = watermark.saturating_sub(days.saturating_mul(DAY_S));
        self.hours.retain(|(hour, _)| *hour >= oldest / HOUR_S);
        self.days.retain(|day| day.day >= oldest / DAY_S);
        let detailed = watermark.saturating_sub(DETAILS_DAYS.saturating_mul(DAY_S)) / DAY_S;
        self.days.iter_mut().filter(|day| day.day < detailed).for_each(|day| day.details = None);
    }

    /// Whether nothing of it is left.
    pub(super) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
}

fn add_to(list: &mut Vec<(u32, Amount)>, key: u32, amount: &Amount) {
    let place = match list.last() {
        Some((last, _)) if *last < key => Err(list.len()),
        _ => list.binary_search_by_key(&key, |(known, _)| *known),
    };
    match place {
        Ok(found) => {
            if let Some((_, known)) = list.get_mut(found) {
                known.add(amount);
            }
        }
        Err(place) => list.insert(place, (key, *amount)),
    }
}
