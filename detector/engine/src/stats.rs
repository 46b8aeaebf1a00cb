//! What the engine counted: the raw material of metrics and of `replay`'s summary.

use serde::{Deserialize, Serialize};

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
    /// Principals forgotten because of a limit.
    pub principals_evicted: u64,
    /// Jobs forgotten because of a limit.
    pub jobs_evicted: u64,
    /// Dependencies forgotten because of a limit.
    pub dependencies_evicted: u64,
    /// Alerts forgotten because of a limit.
    pub alerts_evicted: u64,
    /// Event ids forgotten because of a limit.
    pub event_ids_evicted: u64,
    /// Changes, models, distinct values or correlation state not kept because of a limit.
    pub other_limits_reached: u64,
    /// Alerts that fired.
    pub alerts_fired: u64,
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
            principals_evicted,
            jobs_evicted,
            dependencies_evicted,
            alerts_evicted,
            event_ids_evicted,
            other_limits_reached,
            alerts_fired,
        } = self;
        let pairs = [
            (records, other.records),
            (prefiltered, other.prefiltered),
            (uninteresting, other.uninteresting),
            (judged, other.judged),
            (rejected, other.rejected),
            (duplicates, other.duplicates),
            (copies_differ, other.copies_differ),
            (late, other.late),
            (principals_evicted, other.principals_evicted),
            (jobs_evicted, other.jobs_evicted),
            (dependencies_evicted, other.dependencies_evicted),
            (alerts_evicted, other.alerts_evicted),
            (event_ids_evicted, other.event_ids_evicted),
            (other_limits_reached, other.other_limits_reached),
            (alerts_fired, other.alerts_fired),
        ];
        for (sum, other) in pairs {
            *sum = sum.saturating_add(other);
        }
    }
}
