//! A principal's use at one second, as rules see it.

use std::borrow::Cow;

use super::{
    ledger::{Amount, HOUR_S, Ledger},
    prices::{PICO, usd},
};
use crate::{
    rule::{Field, Fields, Metric, Value},
    settings::Settings,
    time::DAY_S,
};

/// What a rule can ask about a principal's use at a second.
#[derive(Debug)]
pub(crate) struct UsageMoment<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) ledger: &'a Ledger,
    pub(crate) settings: &'a Settings,
    pub(crate) second: u32,
}

/// What is usual for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsageBaseline {
    /// The nearest-rank 99th percentile of tokens in an hour.
    pub(crate) tokens: u64,
    /// The same of cost, in picodollars.
    pub(crate) cost: u64,
    /// The dearest UTC day before, in picodollars.
    pub(crate) cost_day: u64,
}

impl UsageMoment<'_> {
    /// What is usual, from the UTC hours with at least one record that lie wholly inside
    /// `[second - lateness - 7 days, second - lateness)`; `None` while fewer than 24 of them are known.
    pub(crate) fn baseline(&self) -> Option<UsageBaseline> {
        let end = self.second.saturating_sub(self.settings.lateness_s);
        let start = end.saturating_sub(self.settings.baseline_days.saturating_mul(DAY_S));
        let hours = self.ledger.hours_within(start, end);
        if u32::try_from(hours.len()).unwrap_or(u32::MAX) < self.settings.baseline_hours_min {
            return None;
        }
        let (day, settled) = (self.second / DAY_S, end / DAY_S);
        let days = self.ledger.days_within(day.saturating_sub(self.settings.baseline_days), day.min(settled));
        Some(UsageBaseline {
            tokens: nearest_rank_99(hours.iter().map(|(_, amount)| amount.tokens()).collect()),
            cost: nearest_rank_99(hours.iter().map(|(_, amount)| amount.cost).collect()),
            cost_day: days.map(|day| day.amount.cost).max().unwrap_or(0),
        })
    }

    fn window(&self, seconds: u32) -> Amount {
        self.ledger.between(self.second.saturating_sub(seconds.saturating_sub(1)), self.second)
    }

    /// How many times a baseline a number is; missing while nothing is known to compare with.
    fn ratio(&self, found: impl Fn() -> u64, usual: impl Fn(&UsageBaseline) -> u64) -> Value<'static> {
        match self.baseline().map(|baseline| usual(&baseline)) {
            Some(usual) if usual > 0 => Value::Float(usd(found()) / usd(usual)),
            _ => Value::Missing,
        }
    }
}

fn nearest_rank_99(mut values: Vec<u64>) -> u64 {
    let rank = values.len().saturating_mul(99).div_ceil(100);
    values.sort_unstable();
    rank.checked_sub(1).and_then(|place| values.get(place).copied()).unwrap_or(0)
}

fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Fields for UsageMoment<'_> {
    fn value(&self, field: &Field) -> Value<'_> {
        match field {
            Field::Window { metric: Metric::CostUsd, seconds } => Value::Float(usd(self.window(*seconds).cost)),
            Field::Window { metric, seconds } => Value::Int(int(self.window(*seconds).of(*metric))),
            Field::Watch("principal") => Value::Text(Cow::Borrowed(self.name)),
            Field::Watch("account") => Value::Text(Cow::Borrowed(self.account)),
            Field::Watch("principal.cost_usd_today") => Value::Float(usd(self.ledger.today(self.second).cost)),
            Field::Watch("principal.usage_baseline_known") => Value::Bool(self.baseline().is_some()),
            Field::Watch("principal.token_ratio") => {
                self.ratio(|| self.window(HOUR_S).tokens(), |baseline| baseline.tokens)
            }
            Field::Watch("principal.cost_ratio") => self.ratio(|| self.window(HOUR_S).cost, |baseline| baseline.cost),
            Field::Watch("principal.cost_today_ratio") => {
                self.ratio(|| self.ledger.today(self.second).cost, |baseline| baseline.cost_day)
            }
            _ => Value::Missing,
        }
    }

    fn upper_bound(&self, field: &Field) -> Option<i64> {
        match field {
            Field::Window { metric: Metric::CostUsd, .. } => {
                Some(int(self.ledger.bound(Metric::CostUsd).div_ceil(PICO)))
            }
            Field::Window { metric, .. } => Some(int(self.ledger.bound(*metric))),
            Field::Watch("principal.cost_usd_today") => {
                let day = self.ledger.day(self.second / DAY_S);
                Some(int(day.map_or(0, |day| day.amount.cost).div_ceil(PICO)))
            }
            _ => None,
        }
    }
}
