//! What a reader does after a failed call: how long it waits, and what it says and where.
//!
//! A series of failures is logged when it begins and when it is over, never once for each call.

use std::time::Duration;

use bedrock_watch_service::status::Status;
use tokio::time::Instant;

use super::{
    failure::{Failure, Meaning},
    lag::Lags,
};

/// The longest first pause.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause while it may pass by itself.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The pause while somebody has to change something.
const PAUSE_DENIED: Duration = Duration::from_secs(30);
/// What may pass by itself appears in `/readyz` after this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The failures of one reader since its last success.
#[derive(Debug)]
pub(super) struct Trouble {
    source: String,
    status: Status,
    lags: Lags,
    since: Option<Instant>,
    failures: u32,
    /// What was logged last; another meaning is logged again.
    said: Option<Meaning>,
}

impl Trouble {
    /// None yet, of the reader called `source`.
    pub(super) fn new(source: &str, status: &Status, lags: &Lags) -> Self {
        Self {
            source: source.to_owned(),
            status: status.clone(),
            lags: lags.clone(),
            since: None,
            failures: 0,
            said: None,
        }
    }

    /// A call failed. Returns how long to wait before the next.
    pub(super) fn note(&mut self, failure: &Failure) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.lags.failed(&self.source, failure.meaning);
        if failure.meaning == Meaning::Expired && self.failures == 1 {
            // What happens after every long pause needs no word and no wait.
            return Duration::ZERO;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.said != Some(failure.meaning) {
            self.said = Some(failure.meaning);
            tracing::warn!(source = self.source, "reading waits: {failure}");
        }
        let is_denied = matches!(failure.meaning, Meaning::Denied | Meaning::Missing);
        if is_denied || since.elapsed() >= PATIENCE {
            self.status.set(&self.source, &failure.to_string());
        }
        if is_denied { PAUSE_DENIED } else { backoff(self.failures) }
    }

    /// A call succeeded.
    pub(super) fn over(&mut self) {
        if let Some(since) = self.since.take() {
            let (seconds, failures) = (since.elapsed().as_secs(), self.failures);
            tracing::info!(source = self.source, seconds, failures, "reading goes on");
            self.status.clear(&self.source);
        }
        self.failures = 0;
        self.said = None;
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        if self.since.is_some() {
            self.status.clear(&self.source);
        }
    }
}

/// A random pause, of the upper half of a span that doubles with each failure, so that readers do not come back all at
/// once and none comes back at once.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let span = PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX);
    span.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(meaning: Meaning) -> Failure {
        Failure { call: "GetRecords", meaning, code: "Code".to_owned(), explanation: "what AWS said".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_and_says_what_lasts() {
        let (status, lags) = (Status::default(), Lags::default());
        lags.begin("kinesis s/1");
        let mut trouble = Trouble::new("kinesis s/1", &status, &lags);
        assert_eq!(trouble.note(&failure(Meaning::Expired)), Duration::ZERO);
        trouble.over();
        let mut longest = Duration::ZERO;
        for attempt in 0_u32..12 {
            let pause = trouble.note(&failure(Meaning::Throttled));
            let span = PAUSE_MIN.saturating_mul(1 << attempt).min(PAUSE_MAX);
            assert!(pause >= span / 2 && pause <= span, "attempt {attempt}: {pause:?}");
            longest = longest.max(pause);
            tokio::time::advance(pause).await;
        }
        assert!(longest > PAUSE_MAX / 2);
        assert_eq!(status.reasons()["kinesis s/1"], "GetRecords: what AWS said");
        trouble.over();
        assert!(status.reasons().is_empty());
        assert_eq!(trouble.note(&failure(Meaning::Denied)), PAUSE_DENIED);
        assert_eq!(status.reasons().len(), 1, "what somebody has to change is said at once");
        let counters = lags.read()["kinesis s/1"].counters;
        assert_eq!((counters.expired, counters.throttled, counters.failed), (1, 12, 1));
        drop(trouble);
        assert!(status.reasons().is_empty(), "nobody reads it any more");
    }
}
