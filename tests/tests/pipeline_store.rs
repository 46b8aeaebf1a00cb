//! The loop with a store that fails for a while: meanwhile nothing is answered and the status says why; afterwards
//! everything is stored once and in order. Time is tokio's, so the test waits for nothing.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bedrock_watch_engine::{
    Second, Settings,
    alert::{ChangeKind, Status as AlertStatus},
};
use bedrock_watch_service::{
    canary::Canaries,
    config::RoutingConfig,
    pipeline::{self, Clock, Ended, Ownership, Parts, Pipeline, PipelineError, Question, Report, Told},
    routing::{ActiveSilences, Router},
    source::{Batch, Kept, Outcome, Records, Repeat},
    status::Status,
    store::Store,
};
use bedrock_watch_tests::{
    receivers::memory_store::MemoryStore,
    repository::{compiled, rule_pack},
};
use serde_json::Value;
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

const SAMPLE: &str = include_str!("../../rules/events/bedrock/DeleteModelInvocationLoggingConfiguration.json");
/// More than the writer's queue holds, so that the loop itself is held back.
const BATCHES: usize = 300;
/// Batches that may wait before the loop.
const WAITING: usize = 8;
/// For how long the store fails: longer than the longest pause between two attempts.
const OUTAGE: Duration = Duration::from_secs(60);
/// Longer than anything takes once the store works.
const PATIENCE: Duration = Duration::from_secs(60);

/// A loop that runs.
struct Running {
    store: Arc<MemoryStore>,
    status: Status,
    told: broadcast::Receiver<Arc<Told>>,
    batches: mpsc::Sender<Batch>,
    reports: watch::Receiver<Report>,
    stop: CancellationToken,
    ended: JoinHandle<Result<Ended, PipelineError>>,
    _questions: mpsc::Sender<Question>,
}

#[cfg(test)]
impl Running {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::default());
        let (status, stop) = (Status::default(), CancellationToken::new());
        let rules = compiled(&rule_pack().unwrap()).unwrap();
        let (batches, intake) = mpsc::channel(WAITING);
        let (questions_in, questions) = mpsc::channel(1);
        let (reports_in, reports) = watch::channel(Report::default());
        let told = broadcast::Sender::new(BATCHES);
        let heard = told.subscribe();
        let pipeline = Pipeline::new(Parts {
            restored: pipeline::restore(&*store, Arc::clone(&rules), Settings::standard()).await.unwrap(),
            rules: rules.into(),
            clock: Clock::event(),
            future_s: 300,
            intake,
            repeating: BTreeSet::new(),
            questions,
            store: Arc::clone(&store) as Arc<dyn Store>,
            owns: Ownership::All,
            holds: Arc::new(|| true),
            committed: watch::Sender::new(BTreeMap::new()),
            canaries: Canaries::default(),
            router: Router::new(&RoutingConfig::default(), &[]),
            silences: ActiveSilences::default(),
            nudge: Box::new(|| {}),
            told,
            reports: reports_in,
            snapshot_every: Duration::from_secs(3_600),
            status: status.clone(),
            stop: stop.clone(),
        });
        let ended = tokio::spawn(pipeline.run());
        Self { store, status, told: heard, batches, reports, stop, ended, _questions: questions_in }
    }

    /// Hands over batches one after the other, as there is room; returns where each is answered. Every third is of a
    /// source that can be read again.
    fn feed(&self, numbers: std::ops::Range<usize>) -> Vec<oneshot::Receiver<Outcome>> {
        let (batches, replies): (Vec<_>, Vec<_>) = numbers.map(batch).unzip();
        let queue = self.batches.clone();
        tokio::spawn(async move {
            for batch in batches {
                if queue.send(batch).await.is_err() {
                    return;
                }
            }
        });
        replies
    }
}

/// Logging is switched off in the account with this number.
fn record(number: usize) -> String {
    let mut event: Value = serde_json::from_str(&SAMPLE.replace("111122223333", &account(number))).unwrap();
    let time = Second(1_795_000_000 + u32::try_from(number).unwrap());
    event["eventTime"] = time.to_rfc3339().into();
    event["eventID"] = format!("00000000-0000-4000-8000-{number:012}").into();
    event.to_string()
}

fn account(number: usize) -> String {
    format!("{:012}", 200_000_000_000 + number)
}

fn batch(number: usize) -> (Batch, oneshot::Receiver<Outcome>) {
    let mut records = Records::default();
    records.push(record(number).as_bytes());
    let is_file = number.is_multiple_of(3);
    let (reply, outcome) = oneshot::channel();
    let (source, kept) = if is_file { ("file", Kept::At(number.to_string())) } else { ("http", Kept::Journal) };
    (
        Batch {
            source: source.into(),
            records,
            kept,
            repeat: Repeat::New,
            reply: Some(reply),
            received: jiff::Timestamp::now(),
        },
        outcome,
    )
}

async fn answered(replies: Vec<oneshot::Receiver<Outcome>>) {
    for reply in replies {
        let outcome = tokio::time::timeout(PATIENCE, reply).await.expect("an answer").expect("the loop runs");
        assert_eq!(outcome, Outcome { accepted: 1, rejected: 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_holds_everything_back_and_loses_nothing() {
    let mut running = Running::start().await;
    answered(running.feed(0..3)).await;
    assert!(running.status.reasons().is_empty(), "{:?}", running.status.reasons());

    running.store.set_failing(true);
    let mut replies = running.feed(3..BATCHES);
    tokio::time::sleep(OUTAGE).await;
    for (place, reply) in replies.iter_mut().enumerate() {
        assert!(reply.try_recv().is_err(), "batch {place} was answered and is not stored");
    }
    let reasons = running.status.reasons();
    assert!(reasons.get("store").is_some_and(|reason| reason.contains("the test says so")), "{reasons:?}");
    let judged = running.reports.borrow_and_update().service.batches;
    assert!(judged < 3 + 100, "the loop goes on taking batches: {judged}");
    assert!(running.batches.capacity() == 0, "sources are not held back");

    running.store.set_failing(false);
    answered(replies).await;
    assert!(running.status.reasons().is_empty(), "{:?}", running.status.reasons());
    // The first snapshot, taken at the start, may contain the first entries; those are forgotten then.
    let contained = running.store.load_snapshot().await.unwrap().map_or(0, |snapshot| snapshot.journal);
    let journal = running.store.journal(0, usize::MAX).await.unwrap();
    let journal: Vec<String> =
        journal.into_iter().map(|(_, entry)| String::from_utf8(entry.records).unwrap()).collect();
    let expected = (0..BATCHES).filter(|number| !number.is_multiple_of(3)).map(record);
    let expected: Vec<String> = expected.skip(usize::try_from(contained).unwrap()).collect();
    assert!(journal == expected, "{} records in the journal, {} expected", journal.len(), expected.len());
    let position = running.store.positions().await.unwrap().remove("file");
    assert_eq!(position, Some((BATCHES - 3).to_string()), "the last one of the file");

    // The alerts were stored in the order of their records, each once.
    for number in 0..BATCHES {
        let told = tokio::time::timeout(PATIENCE, running.told.recv()).await.expect("it is told").unwrap();
        let alert = &told.alert.alert;
        assert_eq!((alert.account.clone(), told.kind), (account(number), ChangeKind::Fired));
        assert_eq!((told.alert.revision, alert.status), (1, AlertStatus::Firing), "{number}");
    }
    assert!(running.told.try_recv().is_err(), "nothing else was stored");
    running.stop.cancel();
    tokio::time::timeout(PATIENCE, running.ended).await.expect("it ends").unwrap().unwrap();
}
