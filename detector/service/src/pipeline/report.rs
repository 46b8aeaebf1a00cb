//! What the loop tells about itself after each batch.

use std::collections::BTreeMap;

use bedrock_watch_engine::{Second, Stats};

use super::timings::{ByRule, Timings};
use crate::routing::RoutingCounters;

/// Counters and the loop's time.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What the engine counted.
    pub stats: Stats,
    /// What the loop counted.
    pub service: ServiceCounters,
    /// What time it was for the loop.
    pub now: Second,
    /// Whether it still judges again what was judged before.
    pub catching_up: bool,
}

impl Report {
    /// What remains of it when its loop is no longer there: everything that only grows.
    #[must_use]
    pub fn counters_alone(&self) -> Self {
        let mut counters = self.clone();
        counters.service.journal_bytes = 0;
        counters.catching_up = false;
        counters
    }

    /// Adds what another loop of the same service counted.
    pub fn add(&mut self, other: &Self) {
        self.stats.add(&other.stats);
        self.service.add(&other.service);
        self.now = self.now.max(other.now);
        self.catching_up |= other.catching_up;
    }
}

/// What the loop counted since the service started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceCounters {
    /// Batches judged.
    pub batches: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// Pieces of input in which no record could be found.
    pub unreadable: u64,
    /// Records put aside because they lie in the future.
    pub future: u64,
    /// Canaries that came back, own ones and those of other workers.
    pub canaries: u64,
    /// Changes of alerts.
    pub changes: u64,
    /// Bytes in the journal that no snapshot contains yet.
    pub journal_bytes: u64,
    /// Changes of alerts that are left to the worker that answers for their account.
    pub of_others: u64,
    /// Those of them that are about principals, whose activity should not have come here at all.
    pub misplaced: u64,
    /// What became of the changes.
    pub routing: RoutingCounters,
    /// Alerts that rules in shadow mode would have raised, by rule.
    pub shadow: BTreeMap<String, u64>,
    /// How long things took.
    pub timings: Timings,
    /// What rules did.
    pub by_rule: ByRule,
}

impl ServiceCounters {
    fn add(&mut self, other: &Self) {
        let Self {
            batches,
            bytes,
            unreadable,
            future,
            changes,
            journal_bytes,
            of_others,
            misplaced,
            canaries,
            routing,
            shadow,
            timings,
            by_rule,
        } = self;
        timings.add(&other.timings);
        by_rule.add(&other.by_rule);
        let pairs = [
            (batches, other.batches),
            (bytes, other.bytes),
            (unreadable, other.unreadable),
            (future, other.future),
            (changes, other.changes),
            (journal_bytes, other.journal_bytes),
            (of_others, other.of_others),
            (misplaced, other.misplaced),
            (canaries, other.canaries),
        ];
        for (sum, other) in pairs {
            *sum = sum.saturating_add(other);
        }
        routing.add(&other.routing);
        for (rule, alerts) in &other.shadow {
            let sum = shadow.entry(rule.clone()).or_default();
            *sum = sum.saturating_add(*alerts);
        }
    }
}
