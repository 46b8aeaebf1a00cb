//! Whether a worker keeps up with its shards, judged from their lag every few seconds.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::lag::ShardLag;

/// Lags are compared by their least in spans of this length, so that single pauses do not count.
const SPAN: Duration = Duration::from_secs(60);
/// A lag that is larger in each of so many spans than in the one before grows for long ...
const SPANS: usize = 5;
/// ... if it has become so much larger over all of them.
const GROWTH_MIN: Duration = Duration::from_secs(30);

/// What is to be said of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is read in time.
    InTime,
    /// It is not, because of this.
    Behind(String),
}

/// Remembers how each shard's lag went.
#[derive(Debug)]
pub(super) struct Behind {
    lag_max: Duration,
    /// The least lag of each span, with the span's beginning; the last is not over yet.
    spans: BTreeMap<String, VecDeque<(Instant, Duration)>>,
}

impl Behind {
    /// A lag over `lag_max` is too much.
    pub(super) const fn new(lag_max: Duration) -> Self {
        Self { lag_max, spans: BTreeMap::new() }
    }

    /// Looks at a shard's lag.
    pub(super) fn look(&mut self, source: &str, lag: &ShardLag, now: Instant) -> Verdict {
        let behind = lag.at(now);
        let spans = self.spans.entry(source.to_owned()).or_default();
        match spans.back_mut() {
            Some((since, least)) if now.saturating_duration_since(*since) < SPAN => *least = behind.min(*least),
            _ => spans.push_back((now, behind)),
        }
        // Those that are over, and the one that is not.
        while spans.len() > SPANS.saturating_add(1) {
            spans.pop_front();
        }
        let seconds = behind.as_secs();
        if is_growing(spans) {
            return Verdict::Behind(format!(
                "cannot keep up: {seconds} s behind, and ever more for {SPANS} minutes; give the task more CPU, look at \
                 the store's latency, or share the shards between workers ([leases])"
            ));
        }
        if behind > self.lag_max {
            return Verdict::Behind(format!("{seconds} s behind, over the limit of {} s", self.lag_max.as_secs()));
        }
        Verdict::InTime
    }

    /// A shard is not read any more.
    pub(super) fn forget(&mut self, source: &str) {
        self.spans.remove(source);
    }
}

fn is_growing(spans: &VecDeque<(Instant, Duration)>) -> bool {
    let lags = || spans.iter().map(|(_, lag)| *lag);
    let (Some(first), Some(last)) = (lags().next(), lags().next_back()) else { return false };
    spans.len() > SPANS && lags().is_sorted_by(|one, next| one < next) && last >= first.saturating_add(GROWTH_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::lag::ReadCounters;

    #[test]
    fn tells_a_peak_from_never_catching_up() {
        let begin = Instant::now();
        // How far behind the reader was told to be in each minute, twice.
        let check = |minutes: &[u64], expected: &str| {
            let mut behind = Behind::new(Duration::from_secs(300));
            let mut last = Verdict::InTime;
            let looks = minutes.iter().flat_map(|seconds| [*seconds, *seconds]);
            for (half_minutes, seconds) in (0_u32..).zip(looks) {
                let now = begin + Duration::from_secs(30) * half_minutes;
                let (told, counters) = (Duration::from_secs(seconds), ReadCounters::default());
                let lag = ShardLag { behind: told, told: now, newest_arrival: None, counters };
                last = behind.look("s", &lag, now);
            }
            match last {
                Verdict::InTime => assert_eq!(expected, "", "{minutes:?}"),
                Verdict::Behind(said) => {
                    assert!(!expected.is_empty() && said.contains(expected), "{minutes:?}: {said}")
                }
            }
        };
        check(&[0, 20], "");
        check(&[0, 301], "301 s behind, over the limit");
        // After an outage: much, but less and less.
        check(&[4_000, 3_500, 3_000, 2_500, 2_000, 1_500], "1500 s behind, over the limit");
        check(&[0, 0, 10, 20, 30, 40, 50, 60], "cannot keep up: 60 s behind");
        // Not for long enough, not by enough, not all the time.
        check(&[10, 20, 30, 40, 50], "");
        check(&[10, 11, 12, 13, 14, 15, 16], "");
        check(&[10, 20, 30, 5, 20, 30, 40, 50], "");
        check(&[100, 100, 100, 100, 100, 100, 200], "");
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
