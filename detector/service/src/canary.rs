//! Canaries: events of the service's own that must come back through its sources.
//!
//! Whoever puts one on the bus says so here first; the loop recognises it among the records and tells whoever waits. A
//! canary is no CloudTrail record and never reaches the engine. Deliberately no sending here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use memchr::memmem;
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::Instant};

use crate::telemetry::Meters;

/// `source` of a canary.
pub const SOURCE: &str = "bedrock-watch.canary";
/// `detail-type` of a canary.
pub const DETAIL_TYPE: &str = "Bedrock Watch Canary";
/// Where a record's `source` stands at the latest: EventBridge writes version, id, detail-type and source first.
const HEAD_BYTES: usize = 512;
/// Canaries that are waited for at once; of more, the first is given up.
const AWAITED_MAX: usize = 64;

/// `detail` of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Names it.
    pub id: String,
    /// When it was sent, RFC 3339.
    pub sent_at: String,
    /// Who sent it.
    pub worker: String,
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    detail: Canary,
}

impl Canary {
    /// The canary that a record is, if it is one.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        static NEEDLE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(SOURCE));
        let head = record.get(..HEAD_BYTES).unwrap_or(record);
        NEEDLE.find(head)?;
        let envelope: Envelope = serde_json::from_slice(record).ok()?;
        (envelope.source == SOURCE).then_some(envelope.detail)
    }
}

/// The canaries that are waited for. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Canaries {
    awaited: Arc<Mutex<BTreeMap<String, Awaited>>>,
    sent: Arc<AtomicU64>,
    back: Arc<AtomicU64>,
    meters: Arc<Meters>,
}

#[derive(Debug)]
struct Awaited {
    back: oneshot::Sender<()>,
    since: Instant,
}

impl Canaries {
    /// None are waited for; how long they are under way is measured there.
    #[must_use]
    pub fn measured(meters: &Arc<Meters>) -> Self {
        Self { meters: Arc::clone(meters), ..Self::default() }
    }

    /// Waits for the canary of this id. What is waited for too long is given up with the receiver.
    #[must_use]
    pub fn expect(&self, id: &str) -> oneshot::Receiver<()> {
        let (back, waiting) = oneshot::channel();
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.retain(|_, awaited| !awaited.back.is_closed());
        if awaited.len() >= AWAITED_MAX {
            awaited.pop_first();
        }
        awaited.insert(id.to_owned(), Awaited { back, since: Instant::now() });
        waiting
    }

    /// One was put on the bus.
    pub fn note_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were sent, came back to whoever waited, and are still waited for.
    #[must_use]
    pub fn counted(&self) -> (u64, u64, u64) {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let open = awaited.values().filter(|awaited| !awaited.back.is_closed()).count();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.sent), read(&self.back), u64::try_from(open).unwrap_or(u64::MAX))
    }

    /// Whether a record is a canary. Whoever waits for it is told; canaries of other workers are nobody's.
    #[must_use]
    pub fn take(&self, record: &[u8]) -> bool {
        let Some(canary) = Canary::read(record) else { return false };
        let waiting = self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&canary.id);
        if let Some(Awaited { back, since }) = waiting {
            self.meters.canary.record(since.elapsed());
            // Whoever waited may have given up meanwhile.
            if back.send(()).is_ok() {
                self.back.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(source: &str, id: &str) -> Vec<u8> {
        json!({
            "version": "0", "id": "e", "detail-type": DETAIL_TYPE, "source": source, "account": "111122223333",
            "time": "2026-11-20T10:00:00Z", "region": "eu-central-1", "resources": [],
            "detail": {"id": id, "sentAt": "2026-11-20T10:00:00Z", "worker": "w"},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn only_canaries_are_canaries() {
        let check = |bytes: &[u8], expected: bool| assert_eq!(Canaries::default().take(bytes), expected);
        check(&record(SOURCE, "1"), true);
        check(&record("somebody.else", "1"), false);
        check(b"bedrock-watch.canary", false);
        let quoting = json!({"source": "aws.events", "detail": {"requestParameters": {"name": SOURCE}}}).to_string();
        check(quoting.as_bytes(), false);
    }

    #[test]
    fn whoever_waits_is_told_once() {
        let canaries = Canaries::default();
        let mut mine = canaries.expect("mine");
        assert!(canaries.take(&record(SOURCE, "other")));
        assert!(mine.try_recv().is_err());
        assert!(canaries.take(&record(SOURCE, "mine")));
        assert!(mine.try_recv().is_ok());
        assert!(canaries.take(&record(SOURCE, "mine")));
        for round in 0..1_000 {
            drop(canaries.expect(&round.to_string()));
        }
        assert!(canaries.awaited.lock().unwrap().len() <= AWAITED_MAX);
    }
}
