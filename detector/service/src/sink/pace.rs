//! How fast and how patiently: a token bucket for the rate, and jittered exponential backoff.
//!
//! Deliberately no clock here: both are asked with the time, so that tests need not wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::delivery::Pace;

/// The pause after the first failure, before jitter.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The bucket holds what the rate yields in this time, so that a few alerts at once are told at once.
const BURST: Duration = Duration::from_secs(10);
/// No pause is longer than this, whatever a sink asks for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A token bucket: one token a request.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: f64,
    capacity: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_minute: u32, now: Instant) -> Self {
        let per_second = f64::from(per_minute.max(1)) / 60.0;
        let capacity = (per_second * BURST.as_secs_f64()).max(1.0);
        Self { per_second, capacity, tokens: capacity, filled_at: now }
    }

    /// How many requests may be made now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the capacity")]
    pub(super) fn available(&mut self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = passed.mul_add(self.per_second, self.tokens).min(self.capacity);
        self.filled_at = now;
        // A whole token that is short by a rounding error is one.
        (self.tokens + 1e-6).max(0.0) as usize
    }

    /// Takes tokens for requests that are made; the bucket may owe some.
    pub(super) fn take(&mut self, requests: u32) {
        self.tokens -= f64::from(requests);
    }

    /// Gives tokens back for requests that were not made.
    pub(super) fn put_back(&mut self, requests: u32) {
        self.tokens = (self.tokens + f64::from(requests)).min(self.capacity);
    }

    /// When the next request may be made, counted from the last question.
    pub(super) fn next_at(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        let wait = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(RETRY_AFTER_MAX);
        self.filled_at.checked_add(wait).unwrap_or(self.filled_at)
    }
}

/// Pauses that double up to a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    max: Duration,
    give_up: Duration,
}

impl Backoff {
    /// The pauses of a sink.
    pub(super) fn new(pace: &Pace) -> Self {
        let max = Duration::from_secs(pace.backoff_max_s).max(BACKOFF_FIRST);
        Self { max, give_up: Duration::from_secs(pace.give_up_s) }
    }

    /// The pause after the failure of that number, counted from 1, before jitter.
    pub(super) fn nominal(&self, failure: u32) -> Duration {
        let doublings = failure.saturating_sub(1).min(31);
        BACKOFF_FIRST.saturating_mul(1_u32 << doublings).min(self.max)
    }

    /// The pause after the failure of that number: a quarter more or less, so that many workers do not come back at
    /// the same moment, and what the sink asked for at least.
    pub(super) fn pause(&self, failure: u32, retry_after: Option<Duration>) -> Duration {
        let jittered = self.nominal(failure).mul_f64(0.75 + 0.5 * fastrand::f64());
        jittered.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// Whether a delivery that has failed so often has failed for as long as it may.
    ///
    /// The time is taken from the number of attempts, because that is what the store remembers of it through a
    /// restart; jitter evens out.
    pub(super) fn is_exhausted(&self, failures: u32) -> bool {
        let mut spent = Duration::ZERO;
        for failure in 1..failures {
            let pause = self.nominal(failure);
            if pause == self.max {
                let left = failures.saturating_sub(failure);
                spent = spent.saturating_add(pause.saturating_mul(left));
                break;
            }
            spent = spent.saturating_add(pause);
        }
        spent >= self.give_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff(backoff_max_s: u64, give_up_s: u64) -> Backoff {
        Backoff::new(&Pace { per_minute: 60, timeout_ms: 1, backoff_max_s, give_up_s, repeat_s: None })
    }

    #[test]
    fn a_bucket_yields_its_rate_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(60, start);
        let mut made = 0_usize;
        for second in 0..600 {
            let now = start + SECOND * second;
            let now_possible = bucket.available(now);
            made += now_possible;
            bucket.take(u32::try_from(now_possible).unwrap());
        }
        assert_eq!(made, 10 + 599, "a burst of ten seconds, then one a second");
        bucket.take(5);
        assert_eq!(bucket.available(start + SECOND * 599), 0);
        assert_eq!(bucket.next_at(), start + SECOND * 605, "what was owed is waited for");
    }

    #[test]
    fn pauses_double_up_to_the_limit_with_jitter_and_heed_the_sink() {
        let backoff = backoff(60, 86_400);
        let check = |failure: u32, seconds: u64| {
            let nominal = Duration::from_secs(seconds);
            assert_eq!(backoff.nominal(failure), nominal, "{failure}");
            for _ in 0..100 {
                let pause = backoff.pause(failure, None);
                assert!(pause >= nominal.mul_f64(0.75) && pause <= nominal.mul_f64(1.25), "{failure}: {pause:?}");
            }
        };
        check(1, 1);
        check(2, 2);
        check(6, 32);
        check(7, 60);
        check(u32::MAX, 60);
        assert!(backoff.pause(1, Some(SECOND * 30)) >= SECOND * 30);
        assert_eq!(backoff.pause(1, Some(SECOND * 1_000_000)), RETRY_AFTER_MAX);
    }

    #[test]
    fn patience_is_counted_in_attempts() {
        // 1 + 2 + 4 + 8 = 15 s lie between the first and the fifth failure.
        let check = |give_up_s: u64, failures: u32, exhausted: bool| {
            assert_eq!(backoff(60, give_up_s).is_exhausted(failures), exhausted, "{give_up_s} {failures}");
        };
        check(15, 4, false);
        check(15, 5, true);
        check(0, 1, true);
        // 63 s up to the seventh, then a minute each.
        check(86_400, 1_440, false);
        check(86_400, 1_446, true);
        check(86_400, u32::MAX, true);
    }
}
