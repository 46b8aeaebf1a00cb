//! What became of the changes that were routed, in numbers.

use super::Routed;

/// Counts since the service started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoutingCounters {
    /// Changes that at least one sink should hear of.
    pub routed: u64,
    /// Changes under a silence.
    pub silenced: u64,
    /// Changes that the configuration suppresses.
    pub suppressed: u64,
    /// Changes that were kept from a pager because their facts are still learning.
    pub learning: u64,
    /// Changes that no route wanted.
    pub unrouted: u64,
}

impl RoutingCounters {
    /// Counts an answer.
    pub fn count(&mut self, routed: &Routed) {
        let add = |counter: &mut u64, holds: bool| *counter = counter.saturating_add(u64::from(holds));
        add(&mut self.routed, !routed.destinations.is_empty());
        add(&mut self.silenced, routed.silence.is_some());
        add(&mut self.suppressed, routed.suppressed.is_some());
        add(&mut self.learning, routed.learning);
        add(&mut self.unrouted, routed.unrouted);
    }

    /// Adds what another router counted.
    pub fn add(&mut self, other: &Self) {
        let Self { routed, silenced, suppressed, learning, unrouted } = self;
        let pairs = [
            (routed, other.routed),
            (silenced, other.silenced),
            (suppressed, other.suppressed),
            (learning, other.learning),
            (unrouted, other.unrouted),
        ];
        for (sum, other) in pairs {
            *sum = sum.saturating_add(other);
        }
    }
}
