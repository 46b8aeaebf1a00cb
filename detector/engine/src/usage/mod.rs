//! What model invocation logs say: tokens and estimated cost of each principal, second by second, and what is normal.
//!
//! Kept apart from `principals/`, which counts CloudTrail's records: a call that both report is counted once in each
//! and never twice in either, and a principal without log records costs nothing here. The logs have a time of their
//! own, because they arrive at another pace than CloudTrail's records do.

mod court;
mod day;
mod ledger;
mod moment;
mod names;
mod prices;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use court::{UsageCourt, judge_usage};
pub(crate) use day::UsageDay;
pub(crate) use ledger::{Amount, HOUR_S, Ledger};
pub(crate) use moment::UsageMoment;
pub(crate) use prices::usd;
pub use prices::{ModelPrice, Prices, PricesError};
pub(crate) use table::UsageTable;
