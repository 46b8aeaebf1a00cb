//! The live source: messages that name log files of CloudTrail, whose records are handed over as they stream in.
//!
//! A message is done when everything in its files is stored. A record that is no event stops nothing: it is counted and
//! logged with its file and line.

use async_trait::async_trait;
use bedrock_watch_service::{
    input::{Item, Reader, Records as _},
    source::{Intake, Kept, Outcome, Records, Refused},
    status::Status,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    buckets::{Buckets, explained},
    key::may_hold_events,
    notification::{Named, named},
    object::{self, Parts},
};
use crate::{
    failure::Kind,
    sqs::{Judge, Verdict},
};

/// Objects that one message may name.
const OBJECTS_MAX: usize = 1_000;
/// Batches that were read and not handed over yet.
const BATCHES_MAX: usize = 2;
/// Batches of one object that were handed over and are not stored yet.
const UNSTORED_MAX: usize = 4;

/// Hands over the records of the files that messages name.
pub(crate) struct Files {
    pub(crate) intake: Intake,
    pub(crate) buckets: Buckets,
    /// What trouble with objects is called in `/readyz`.
    pub(crate) trouble: String,
    pub(crate) status: Status,
    pub(crate) stop: CancellationToken,
}

#[async_trait]
impl Judge for Files {
    async fn judge(&self, body: &str) -> Verdict {
        let objects = match named(body) {
            Ok(objects) if objects.len() > OBJECTS_MAX => {
                return Verdict::Unusable(format!("it names {} objects, more than {OBJECTS_MAX}", objects.len()));
            }
            Ok(objects) => objects,
            Err(reason) => return Verdict::Unusable(reason),
        };
        for object in objects.iter().filter(|object| may_hold_events(&object.key)) {
            // What was handed over of it already is judged again later, which changes nothing.
            let judged = Box::pin(self.stop.run_until_cancelled(self.judge_object(object))).await;
            match judged {
                Some(Verdict::Stored) => {}
                Some(other) => return other,
                None => return Verdict::Closing,
            }
        }
        Verdict::Stored
    }
}

impl Files {
    async fn judge_object(&self, object: &Named) -> Verdict {
        let Named { bucket, key, region } = object;
        let output = match object::get(&self.buckets, bucket, key, region.as_deref()).await {
            Ok(output) => output,
            Err(failure) => {
                let reason = explained(&failure, bucket, &format!("cannot read {key}"));
                // One that is gone never comes back; anything else a person or time may mend.
                if failure.kind == Kind::Missing && failure.code == "NoSuchKey" {
                    return Verdict::Unusable(reason);
                }
                self.status.set(&self.trouble, &reason);
                return Verdict::Later(reason);
            }
        };
        self.status.clear(&self.trouble);
        let (parts, fetch) = object::streamed(output);
        let (batches, received) = mpsc::channel(BATCHES_MAX);
        let name = format!("s3://{bucket}/{key}");
        let reading = tokio::task::spawn_blocking(move || read(&name, parts, &batches));
        let (broken, handed_over) = tokio::join!(fetch, self.hand_over(received));
        let damage = reading.await.unwrap_or_else(|error| Some(error.to_string()));
        match (handed_over, broken, damage) {
            (Err(_), _, _) => Verdict::Closing,
            (Ok(_), Some(reason), _) => Verdict::Later(format!("reading {key} in bucket {bucket} broke off: {reason}")),
            (Ok(_), None, Some(reason)) => Verdict::Unusable(format!("{key} in bucket {bucket}: {reason}")),
            (Ok(outcome), None, None) => {
                tracing::debug!(bucket, key, accepted = outcome.accepted, rejected = outcome.rejected, "file stored");
                Verdict::Stored
            }
        }
    }

    /// Hands over batches until there are no more and all are stored.
    async fn hand_over(&self, mut batches: mpsc::Receiver<Records>) -> Result<Outcome, Refused> {
        let mut waiting: std::collections::VecDeque<oneshot::Receiver<Outcome>> = std::collections::VecDeque::new();
        let mut total = Outcome::default();
        loop {
            let batch = batches.recv().await;
            let is_end = batch.is_none();
            if let Some(batch) = batch {
                waiting.push_back(self.intake.ask(batch, Kept::Journal).await?);
            }
            while (is_end || waiting.len() >= UNSTORED_MAX)
                && let Some(outcome) = waiting.pop_front()
            {
                let outcome = outcome.await.map_err(|_| Refused::Closed)?;
                total.accepted = total.accepted.saturating_add(outcome.accepted);
                total.rejected = total.rejected.saturating_add(outcome.rejected);
            }
            if is_end {
                return Ok(total);
            }
        }
    }
}

/// Reads the records of an object into batches; says what was wrong with the object as a whole.
fn read(name: &str, parts: Parts, batches: &mpsc::Sender<Records>) -> Option<String> {
    let mut reader = Reader::new(name, parts);
    let (mut batch, mut damage) = (Records::default(), None);
    while let Some(item) = reader.next() {
        match item {
            Item::Record(record) => batch.push(record.bytes),
            Item::Rejected(rejected) => batch.rejected.push(format!("{name}:{}: {}", rejected.line, rejected.reason)),
            Item::Note(note) if note.is_failure => damage = Some(note.text),
            Item::Note(_) => {}
        }
        // Whoever waits for batches may have gone away.
        if batch.is_full() && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return None;
        }
    }
    if !batch.is_empty() {
        drop(batches.blocking_send(batch));
    }
    damage
}
