//! How often one client may ask: a token bucket for each.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Clients with a bucket of their own; beyond it, further ones share one.
const CLIENTS_MAX: usize = 4_096;
/// The name of the shared bucket; no client is called so.
const SHARED: &str = "";

/// Lets each client ask so many times a second, and as many at once.
#[derive(Debug)]
pub(super) struct Limiter {
    per_s: f64,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Limiter {
    pub(super) fn new(per_s: u32) -> Self {
        Self { per_s: f64::from(per_s.max(1)), buckets: Mutex::default() }
    }

    /// Takes a token of the client, or says after how long there is one.
    pub(super) fn take(&self, client: &str, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(client) {
            // A full bucket is as good as none.
            let is_used = |bucket: &Bucket| bucket.refilled(self.per_s, now) < self.per_s;
            buckets.retain(|_, bucket| is_used(bucket));
        }
        let client = if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(client) { SHARED } else { client };
        let full = || Bucket { tokens: self.per_s, filled_at: now };
        let bucket = buckets.entry(client.to_owned()).or_insert_with(full);
        bucket.tokens = bucket.refilled(self.per_s, now);
        bucket.filled_at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_s));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn refilled(&self, per_s: f64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        since.mul_add(per_s, self.tokens).min(per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_rate() {
        let limiter = Limiter::new(2);
        let start = Instant::now();
        let check = |client: &str, at_ms: u64, expected: Result<(), u64>| {
            let taken = limiter.take(client, start + Duration::from_millis(at_ms));
            assert_eq!(
                taken.map_err(|wait| wait.as_secs_f64().mul_add(1_000.0, 0.5) as u64),
                expected,
                "{client} {at_ms}"
            );
        };
        check("a", 0, Ok(()));
        check("a", 0, Ok(()));
        check("a", 0, Err(500));
        check("b", 0, Ok(()));
        check("a", 250, Err(250));
        check("a", 500, Ok(()));
        check("a", 500, Err(500));
        // Not more than a second's worth is saved up.
        check("a", 60_000, Ok(()));
        check("a", 60_000, Ok(()));
        check("a", 60_000, Err(500));
    }

    #[test]
    fn there_is_a_limit_to_clients_and_idle_ones_make_room() {
        let limiter = Limiter::new(1);
        let start = Instant::now();
        for client in 0..CLIENTS_MAX {
            assert!(limiter.take(&client.to_string(), start).is_ok());
        }
        assert!(limiter.take("one more", start).is_ok());
        assert!(limiter.take("another", start).is_err(), "those beyond the limit share a bucket");
        assert!(limiter.take("another", start + Duration::from_secs(1)).is_ok());
        assert!(limiter.buckets.lock().unwrap().len() < 10);
    }
}
