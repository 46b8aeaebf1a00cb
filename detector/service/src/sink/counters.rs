//! What each sink has done since the start, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one sink, which only grow, and gauges.
#[derive(Debug, Default)]
pub(super) struct Counters {
    told: AtomicU64,
    requests: AtomicU64,
    failed: AtomicU64,
    throttled: AtomicU64,
    dead: AtomicU64,
    fenced: AtomicU64,
    in_flight: AtomicU64,
    failing: AtomicU64,
}

/// What the counters said at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Deliveries that reached the sink.
    pub told: u64,
    /// Requests (lines, for files) that these took.
    pub requests: u64,
    /// Attempts in vain.
    pub failed: u64,
    /// Of these, those to which the sink answered that it wants to be left alone for a time.
    pub throttled: u64,
    /// Deliveries that became dead letters.
    pub dead: u64,
    /// Deliveries that another worker had taken over before they were settled.
    pub fenced: u64,
    /// Deliveries being made now.
    pub in_flight: u64,
    /// Failures of the whole sink in a row; 0 when it works.
    pub failing: u64,
}

impl Counters {
    /// Reads them.
    pub(super) fn read(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            told: read(&self.told),
            requests: read(&self.requests),
            failed: read(&self.failed),
            throttled: read(&self.throttled),
            dead: read(&self.dead),
            fenced: read(&self.fenced),
            in_flight: read(&self.in_flight),
            failing: read(&self.failing),
        }
    }

    pub(super) fn told(&self, deliveries: usize, requests: u32) {
        self.told.fetch_add(deliveries as u64, Ordering::Relaxed);
        self.requests.fetch_add(u64::from(requests), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, throttled: bool) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.throttled.fetch_add(u64::from(throttled), Ordering::Relaxed);
    }

    pub(super) fn dead(&self) {
        self.dead.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_in_flight(&self, deliveries: usize) {
        self.in_flight.store(deliveries as u64, Ordering::Relaxed);
    }

    pub(super) fn set_failing(&self, failures: u32) {
        self.failing.store(u64::from(failures), Ordering::Relaxed);
    }
}
