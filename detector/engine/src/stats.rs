//! What the engine counted: the raw material of metrics and of `replay`'s summary.

use serde::{Deserialize, Serialize};

use crate::limit::LimitCounts;

/// Counters since the engine was made. They do not influence any answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Records given to the engine.
    pub records: u64,
    /// Records that the prefilter showed to interest nobody.
    pub prefiltered: u64,
    /// Records that were decoded and interest nobody.
    pub uninteresting: u64,
    /// Records that were judged.
    pub judged: u64,
    /// Records that are no valid event.
    pub rejected: u64,
    /// Copies of an event that was judged before.
    pub duplicates: u64,
    /// Copies that differ from the event judged before.
    pub copies_differ: u64,
    /// Records older than their account's watermark minus the allowed lateness.
    pub late: u64,
    /// Alerts that fired.
    pub alerts_fired: u64,
    /// What was forgotten or not kept because of limits.
    pub limits: LimitCounts,
}

impl Stats {
    /// Adds what another engine counted.
    pub fn add(&mut self, other: &Self) {
        let Self {
            records,
            prefiltered,
            uninteresting,
            judged,
            rejected,
            duplicates,
            copies_differ,
            late,
            alerts_fired,
            limits,
        } = self;
        limits.add(&other.limits);
        let pairs = [
            (records, other.records),
            (prefiltered, other.prefiltered),
            (uninteresting, other.uninteresting),
            (judged, other.judged),
            (rejected, other.rejected),
            (duplicates, other.duplicates),
            (copies_differ, other.copies_differ),
            (late, other.late),
            (alerts_fired, other.alerts_fired),
        ];
        for (sum, other) in pairs {
            *sum = sum.saturating_add(other);
        }
    }
}
