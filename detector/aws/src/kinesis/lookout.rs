//! Looks every few seconds how far behind the shards of a stream are read, and says so: in `/readyz`, in the log and as
//! a metric.
//!
//! What is late is for `behind` to judge. Deliberately no reading and no memory beyond what was said.

use std::{collections::BTreeSet, time::Duration};

use bedrock_watch_service::status::Status;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{
    behind::{Behind, Verdict},
    lag::Lags,
};

/// How often lag is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Watches the shards of one stream; what it said is taken back with it.
#[derive(Debug)]
pub(crate) struct Lookout {
    /// What the names of the stream's shards begin with.
    prefix: String,
    lags: Lags,
    status: Status,
    behind: Behind,
    /// Shards whose lag was told.
    seen: BTreeSet<String>,
    /// Of these, those that `/readyz` names. Remembered here, because the status calls them by names of its own where
    /// there are several units.
    late: BTreeSet<String>,
}

impl Lookout {
    /// Watches the shards in `lags` whose names begin with `prefix`; a lag over `lag_max` is too much.
    pub(crate) fn new(prefix: String, lag_max: Duration, lags: &Lags, status: &Status) -> Self {
        let behind = Behind::new(lag_max);
        let (seen, late) = (BTreeSet::new(), BTreeSet::new());
        Self { prefix, lags: lags.clone(), status: status.clone(), behind, seen, late }
    }

    /// When to look.
    pub(super) fn times() -> Interval {
        let mut times = tokio::time::interval(LOOK_EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        times
    }

    /// Looks again and again while something is done.
    pub(crate) async fn during<T>(mut self, done: impl Future<Output = T>) -> T {
        let (mut times, mut done) = (Self::times(), std::pin::pin!(done));
        loop {
            tokio::select! {
                biased;
                done = &mut done => return done,
                _ = times.tick() => self.look(),
            }
        }
    }

    /// Looks how far behind each shard is.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        for (source, lag) in self.lags.read().iter().filter(|(source, _)| source.starts_with(&self.prefix)) {
            self.seen.insert(source.clone());
            self.status.set_lag(source, lag.at(now));
            match self.behind.look(source, lag, now) {
                Verdict::Behind(said) => {
                    if self.late.insert(source.clone()) {
                        tracing::warn!(source, "{said}");
                    }
                    self.status.set(&lag_of(source), &said);
                }
                Verdict::InTime => {
                    if self.late.remove(source) {
                        tracing::info!(source, "in time again");
                        self.status.clear(&lag_of(source));
                    }
                }
            }
        }
    }

    /// A shard is not read any more.
    pub(super) fn forget(&mut self, source: &str) {
        self.behind.forget(source);
        if self.late.remove(source) {
            self.status.clear(&lag_of(source));
        }
        if self.seen.remove(source) {
            self.status.clear_lag(source);
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.seen.clone().iter().for_each(|source| self.forget(source));
    }
}

/// What a shard's lag is called in `/readyz`.
fn lag_of(source: &str) -> String {
    format!("{source}: lag")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: &str = "kinesis s/1";

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_said_until_it_is_not() {
        // The status of a whole worker, and that of one of its units.
        for (place, expected) in [(None, "kinesis s/1: lag"), (Some("shard-3"), "kinesis s/1: lag (shard-3)")] {
            let status = Status::default();
            let own = place.map_or_else(|| status.clone(), |place| status.within(place));
            let lags = Lags::default();
            let mut lookout = Lookout::new("kinesis s/".to_owned(), Duration::from_secs(300), &lags, &own);
            lags.begin(SHARD);
            lags.begin("kinesis other/1");
            let mut check = |behind_s: i64, late: &[&str]| {
                lags.told(SHARD, Some(behind_s * 1_000));
                lookout.look();
                let said = status.reasons();
                assert_eq!(said.keys().map(String::as_str).collect::<Vec<_>>(), late, "{behind_s} s, {place:?}");
                let seconds: Vec<u64> = status.lags().values().map(Duration::as_secs).collect();
                assert_eq!(seconds, [behind_s.unsigned_abs()], "of its own stream alone");
            };
            check(10, &[]);
            check(301, &[expected]);
            check(400, &[expected]);
            check(20, &[]);
            check(301, &[expected]);
            lookout.forget(SHARD);
            assert!(status.reasons().is_empty() && status.lags().is_empty());
            lags.told(SHARD, Some(301_000));
            lookout.look();
            drop(lookout);
            assert!(status.reasons().is_empty() && status.lags().is_empty(), "nobody looks any more");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn looks_while_something_is_done() {
        let (status, lags) = (Status::default(), Lags::default());
        let lookout = Lookout::new("kinesis s/".to_owned(), Duration::from_secs(300), &lags, &status);
        lags.begin(SHARD);
        let heard = lookout.during(async {
            tokio::time::advance(Duration::from_secs(301)).await;
            tokio::time::sleep(LOOK_EVERY).await;
            status.reasons()
        });
        assert_eq!(heard.await.len(), 1, "silence is lag");
        assert!(status.reasons().is_empty());
    }
}
