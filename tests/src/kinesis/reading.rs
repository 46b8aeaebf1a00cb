//! A worker that reads a stream as the daemon does, into a list.

use std::{collections::BTreeMap, time::Duration};

use bedrock_watch_aws::Aws;
use bedrock_watch_service::{
    cloud::{Attached, Cloud as _},
    config::{
        SourceConfig,
        aws::{Carries, KinesisMode, KinesisSource, KinesisStart},
    },
    source::{Batch, Intake, Kept, Repeat},
    status::Status,
};
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Positions by shard, as tests write them.
pub type Positions<'a> = &'a [(&'a str, &'a str)];

/// A running worker and what it has handed over.
#[derive(Debug)]
pub struct Reading {
    batches: mpsc::Receiver<Batch>,
    /// Who judges what was noted, if anybody.
    judge: Option<mpsc::Sender<Batch>>,
    tracker: TaskTracker,
    /// Ends it.
    pub stop: CancellationToken,
    /// What does not work.
    pub status: Status,
    /// What came.
    pub read: Read,
}

/// What came of a stream.
#[derive(Debug, Default)]
pub struct Read {
    prefix: String,
    /// Shard, and the record's `eventID`, or its text where it has none.
    pub records: Vec<(String, String)>,
    /// What was no record.
    pub rejected: Vec<String>,
    /// Up to where each shard is read.
    pub positions: BTreeMap<String, String>,
    /// What each batch was: the shard, how many records, whether they are a repeat.
    pub batches: Vec<(String, usize, Repeat)>,
}

/// A stream as a test reads it: often, from its beginning.
#[must_use]
pub fn source(stream: &str) -> KinesisSource {
    KinesisSource {
        stream: stream.to_owned(),
        carries: Carries::Both,
        mode: KinesisMode::Polling,
        start: KinesisStart::TrimHorizon,
        poll_ms: 20,
        lag_max_s: 300,
    }
}

impl Reading {
    /// Begins to read; `ahead` is what was judged after the memory of `remembered` was kept.
    ///
    /// # Panics
    /// When the source cannot be attached.
    #[must_use]
    pub fn begin(aws: &Aws, source: &KinesisSource, remembered: Positions<'_>, ahead: Positions<'_>) -> Self {
        Self::with_queue(aws, source, (remembered, ahead), 100)
    }

    /// As [`Self::begin`], with a queue of so many batches.
    ///
    /// # Panics
    /// When the source cannot be attached.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its source must fail")]
    pub fn with_queue(
        aws: &Aws,
        source: &KinesisSource,
        (remembered, ahead): (Positions<'_>, Positions<'_>),
        batches_max: usize,
    ) -> Self {
        let prefix = format!("kinesis {}/", source.stream);
        let named = |positions: Positions<'_>| {
            let named = |(shard, position): &(&str, &str)| (format!("{prefix}{shard}"), (*position).to_owned());
            positions.iter().map(named).collect()
        };
        let (intake, batches) = Intake::queue("test", batches_max);
        let (stop, status, tracker) = (CancellationToken::new(), Status::default(), TaskTracker::new());
        let attached = Attached {
            intake,
            positions: named(remembered),
            ahead: named(ahead),
            status: status.clone(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        aws.attach(&SourceConfig::Kinesis(source.clone()), attached).expect("the source is attached");
        tracker.close();
        Self { batches, judge: None, tracker, stop, status, read: Read { prefix, ..Read::default() } }
    }

    /// Hands everything that comes on to this loop as well, in the order in which it comes.
    #[must_use]
    pub fn judged_by(mut self, judge: mpsc::Sender<Batch>) -> Self {
        self.judge = Some(judge);
        self
    }

    #[expect(clippy::expect_used, reason = "a loop that ends before its source is a failure")]
    async fn take(&mut self, batch: Batch) {
        self.read.note(&batch);
        if let Some(judge) = &self.judge {
            judge.send(batch).await.expect("the loop turns");
        }
    }

    /// Takes batches until this holds.
    ///
    /// # Panics
    /// When it does not for long, or the worker ends before.
    #[expect(clippy::panic, reason = "a test that waits in vain must fail")]
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Read) -> bool) {
        while !holds(&self.read) {
            let came = self.read.records.len();
            match timeout(PATIENCE, self.batches.recv()).await {
                Ok(Some(batch)) => self.take(batch).await,
                Ok(None) => panic!("the worker ended before {what}; {came} records came"),
                Err(_) => panic!("in vain for {what}; {came} records came; {:?}", self.status.reasons()),
            }
        }
    }

    /// Takes batches until so many records came.
    pub async fn until_records(&mut self, count: usize) {
        self.until(&format!("{count} records"), |read| read.records.len() >= count).await;
    }

    /// Takes batches until `/readyz` says this; where it is empty, until it says nothing.
    ///
    /// # Panics
    /// When it does not for long.
    pub async fn until_said(&mut self, what: &str) {
        let status = self.status.clone();
        self.until_true(what, || said(&status, what)).await;
    }

    /// Takes batches until this holds.
    ///
    /// # Panics
    /// When it does not for long.
    #[expect(clippy::panic, reason = "a test that waits in vain must fail")]
    pub async fn until_true(&mut self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            while !holds() {
                tokio::select! {
                    _ = look.tick() => {}
                    Some(batch) = self.batches.recv() => self.take(batch).await,
                }
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            panic!("in vain for {what:?}: {:?}", self.status.reasons());
        }
    }

    /// Stops it and takes what it had read; it must end.
    ///
    /// # Panics
    /// When it does not.
    #[expect(clippy::expect_used, reason = "a worker that does not end is a failure")]
    pub async fn end(mut self) -> Read {
        self.stop.cancel();
        let ending = async {
            while let Some(batch) = self.batches.recv().await {
                self.take(batch).await;
            }
            self.tracker.wait().await;
        };
        timeout(PATIENCE, ending).await.expect("the worker ends when it is told to");
        self.read
    }
}

impl Read {
    fn note(&mut self, batch: &Batch) {
        let shard = batch.source.strip_prefix(&self.prefix).unwrap_or(&batch.source).to_owned();
        let id = |record: &[u8]| {
            let value = serde_json::from_slice::<Value>(record).unwrap_or_default();
            let id = value.get("eventID").and_then(Value::as_str).map(ToOwned::to_owned);
            id.unwrap_or_else(|| String::from_utf8_lossy(record).into_owned())
        };
        self.records.extend(batch.records.iter().map(|record| (shard.clone(), id(record))));
        self.rejected.extend(batch.records.rejected.iter().cloned());
        if let Kept::At(position) = &batch.kept {
            self.positions.insert(shard.clone(), position.clone());
        }
        self.batches.push((shard, batch.records.len(), batch.repeat));
    }

    /// The records of a shard, in the order they came.
    #[must_use]
    pub fn of(&self, shard: &str) -> Vec<&str> {
        self.records.iter().filter(|(of, _)| of == shard).map(|(_, id)| id.as_str()).collect()
    }

    /// All records, in the order they came.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.records.iter().map(|(_, id)| id.as_str()).collect()
    }
}

fn said(status: &Status, what: &str) -> bool {
    let reasons = status.reasons();
    let says = |(name, reason): (&String, &String)| format!("{name}: {reason}").contains(what);
    if what.is_empty() { reasons.is_empty() } else { reasons.iter().any(says) }
}
