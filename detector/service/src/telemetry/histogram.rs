//! Histograms of durations: fixed bounds, whole microseconds, no allocation.
//!
//! Bounds are the same on every worker and for ever, so that histograms can be added up. Deliberately no quantiles here:
//! whoever reads them computes those.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Upper bounds of buckets, in microseconds, ascending; a last bucket without a bound follows.
#[derive(Debug, PartialEq, Eq)]
pub struct Scale(pub [u64; BOUNDS]);

/// Bounds of every scale.
pub const BOUNDS: usize = 14;

/// For what the service itself does: half a millisecond to half a minute.
pub const WORK: Scale = Scale([
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
]);

/// For how long events are under way: CloudTrail takes seconds to a quarter of an hour.
pub const LAG: Scale = Scale([
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    180_000_000,
    300_000_000,
    450_000_000,
    600_000_000,
    900_000_000,
    1_800_000_000,
    3_600_000_000,
    86_400_000_000,
]);

/// How often durations fell between which bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    scale: &'static Scale,
    /// One for each bound, and those beyond the last.
    counts: [u64; BOUNDS],
    beyond: u64,
    sum_us: u64,
}

impl Histogram {
    /// Nothing measured yet.
    #[must_use]
    pub const fn new(scale: &'static Scale) -> Self {
        Self { scale, counts: [0; BOUNDS], beyond: 0, sum_us: 0 }
    }

    /// Counts one duration; it belongs to the first bucket whose bound is not below it.
    pub fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_us = self.sum_us.saturating_add(us);
        let bucket = self.scale.0.iter().zip(&mut self.counts).find(|(bound, _)| us <= **bound);
        let count = bucket.map_or(&mut self.beyond, |(_, count)| count);
        *count = count.saturating_add(1);
    }

    /// Adds what was measured elsewhere, on the same scale.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.saturating_add(*count);
        }
        self.beyond = self.beyond.saturating_add(other.beyond);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// How many durations were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(self.beyond, |sum, count| sum.saturating_add(*count))
    }

    /// All of them together, in seconds.
    #[must_use]
    pub const fn sum_s(&self) -> f64 {
        seconds(self.sum_us)
    }

    /// The bounds, in seconds.
    pub fn bounds_s(&self) -> impl Iterator<Item = f64> {
        Self::bounds_of(self.scale)
    }

    /// The bounds of a scale, in seconds.
    pub(super) fn bounds_of(scale: &'static Scale) -> impl Iterator<Item = f64> {
        scale.0.iter().map(|bound| seconds(*bound))
    }

    /// How many durations each bucket has, the one without a bound last.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().copied().chain([self.beyond])
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sum of durations is not needed to the microsecond")]
const fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A histogram that several tasks write.
#[derive(Debug)]
pub struct Shared(Mutex<Histogram>);

impl Shared {
    /// Nothing measured yet.
    #[must_use]
    pub const fn new(scale: &'static Scale) -> Self {
        Self(Mutex::new(Histogram::new(scale)))
    }

    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).record(duration);
    }

    /// What was measured.
    #[must_use]
    pub fn read(&self) -> Histogram {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        for scale in [&WORK, &LAG] {
            assert!(scale.0.is_sorted_by(|one, next| one < next), "{scale:?}");
        }
        let check = |us: u64, bucket: usize| {
            let mut histogram = Histogram::new(&WORK);
            histogram.record(Duration::from_micros(us));
            assert_eq!(histogram.buckets().position(|count| count == 1), Some(bucket), "{us}");
            assert_eq!(histogram.count(), 1);
        };
        check(0, 0);
        check(100, 0);
        check(101, 1);
        check(30_000_000, BOUNDS - 1);
        check(30_000_001, BOUNDS);
        check(u64::MAX, BOUNDS);
    }

    #[test]
    fn sums_are_of_everything() {
        let (mut one, mut other) = (Histogram::new(&LAG), Histogram::new(&LAG));
        one.record(Duration::from_secs(2));
        other.record(Duration::from_secs(200_000));
        one.add(&other);
        assert_eq!((one.count(), one.sum_s()), (2, 200_002.0));
    }
}
