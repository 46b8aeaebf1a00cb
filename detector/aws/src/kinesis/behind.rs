//! Whether a worker keeps up with its shards, judged from their lag now and then.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::lag::ShardLag;

/// A lag below this is none to speak of.
const NOTABLE: Duration = Duration::from_secs(30);
/// A lag that has grown over this time, never having been smaller, is said to grow for long.
const GROWING_FOR: Duration = Duration::from_secs(300);

/// What is to be said of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is read in time.
    InTime,
    /// It is not, because of this.
    Behind(String),
}

/// Remembers since when each shard's lag has grown.
#[derive(Debug)]
pub(super) struct Behind {
    lag_max: Duration,
    grown_since: BTreeMap<String, (Instant, Duration)>,
}

impl Behind {
    /// A lag over `lag_max` is too much.
    pub(super) const fn new(lag_max: Duration) -> Self {
        Self { lag_max, grown_since: BTreeMap::new() }
    }

    /// Looks at a shard's lag.
    pub(super) fn look(&mut self, source: &str, lag: &ShardLag, now: Instant) -> Verdict {
        let behind = lag.at(now);
        let since = self.grown_since.get(source).copied().filter(|(_, least)| *least <= behind);
        let (since, least) = since.unwrap_or((now, behind));
        self.grown_since.insert(source.to_owned(), (since, least));
        let growing = now.saturating_duration_since(since) >= GROWING_FOR && behind >= least.saturating_add(NOTABLE);
        let seconds = behind.as_secs();
        if growing {
            let minutes = now.saturating_duration_since(since).as_secs() / 60;
            return Verdict::Behind(format!(
                "cannot keep up: {seconds} s behind, and ever more for {minutes} minutes; give the task more CPU, look \
                 at the store's latency, or share the shards between workers ([leases])"
            ));
        }
        if behind > self.lag_max {
            return Verdict::Behind(format!("{seconds} s behind, over the limit of {} s", self.lag_max.as_secs()));
        }
        Verdict::InTime
    }

    /// A shard is not read any more.
    pub(super) fn forget(&mut self, source: &str) {
        self.grown_since.remove(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::lag::ReadCounters;

    #[test]
    fn tells_a_peak_from_never_catching_up() {
        let begin = Instant::now();
        // Seconds since the beginning, and how far behind the reader was told to be then.
        let check = |lags: &[(u64, u64)], expected: &str| {
            let mut behind = Behind::new(Duration::from_secs(300));
            let mut last = Verdict::InTime;
            for (at, seconds) in lags {
                let now = begin + Duration::from_secs(*at);
                let counters = ReadCounters::default();
                let told = Duration::from_secs(*seconds);
                let lag = ShardLag { behind: told, told: now, newest_arrival: None, counters };
                last = behind.look("s", &lag, now);
            }
            match last {
                Verdict::InTime => assert_eq!(expected, ""),
                Verdict::Behind(said) => assert!(!expected.is_empty() && said.contains(expected), "{said}"),
            }
        };
        check(&[(0, 0), (10, 20)], "");
        check(&[(0, 0), (60, 301)], "301 s behind, over the limit");
        // After an outage: much, but less and less.
        check(&[(0, 4_000), (200, 3_000), (400, 2_000)], "2000 s behind, over the limit");
        check(&[(0, 10), (150, 60), (301, 120)], "cannot keep up: 120 s behind, and ever more for 5 minutes");
        check(&[(0, 100), (400, 101)], "");
        check(&[(0, 10), (150, 60), (200, 0), (301, 120)], "");
    }

    #[test]
    fn silence_is_lag() {
        let begin = Instant::now();
        let counters = ReadCounters::default();
        let lag = ShardLag { behind: Duration::ZERO, told: begin, newest_arrival: None, counters };
        let mut behind = Behind::new(Duration::from_secs(20));
        assert_eq!(behind.look("s", &lag, begin + Duration::from_secs(5)), Verdict::InTime);
        assert_ne!(behind.look("s", &lag, begin + Duration::from_secs(21)), Verdict::InTime);
    }
}
