//! Receives messages, keeps them hidden while they are judged, and does with each what became of it.
//!
//! Several pollers of one queue work beside each other, each with the messages of one receive in hand; that is the
//! limit of what is in flight.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_service::status::Status;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::queue::{Message, Queue};
use crate::failure::{Failure, Kind, Pauses};

/// Receives beside each other, of at most 10 messages each.
const POLLERS: usize = 4;
/// What is logged one by one; beyond that, only each time the number doubles.
const LOGGED_MAX: u32 = 5;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What it holds is stored: it is deleted.
    Stored,
    /// It will never be of use: it is left for the queue's dead-letter queue, or deleted where there is none.
    Unusable(String),
    /// It may be of use later: it is left, and comes again.
    Later(String),
    /// The service is ending: it is given back at once.
    Closing,
}

/// Judges a message.
#[async_trait]
pub(crate) trait Judge: Send + Sync + 'static {
    /// Judges a message's body. It must return soon after the service begins to end.
    async fn judge(&self, body: &str) -> Verdict;
}

/// What polling a queue needs.
pub(crate) struct Polling<J> {
    pub(crate) queue: Queue,
    pub(crate) judge: J,
    /// What the source is called in `/readyz`.
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) stop: CancellationToken,
}

struct Poller<J> {
    polling: Polling<J>,
    /// Whether the queue has a dead-letter queue, once it could be asked.
    redrive: OnceCell<bool>,
}

impl<J: Judge> Polling<J> {
    /// Polls on the tracker, until the stop.
    pub(crate) fn start(self, tracker: &TaskTracker) {
        self.status.set(&self.name, "the queue has not answered yet");
        let poller = Arc::new(Poller { polling: self, redrive: OnceCell::new() });
        for number in 0..POLLERS {
            let poller = Arc::clone(&poller);
            tracker.spawn(async move {
                if number == 0 {
                    poller.greet().await;
                }
                poller.run().await;
            });
        }
    }
}

impl<J: Judge> Poller<J> {
    /// Asks the queue what kind it is, so that it is known at once whether it is there.
    async fn greet(&self) {
        match self.has_redrive().await {
            // Whoever may receive need not be allowed to ask.
            Ok(_) | Err(Failure { kind: Kind::Denied, .. }) => self.polling.status.clear(&self.polling.name),
            Err(failure) => self.polling.status.set(&self.polling.name, &self.explained(&failure)),
        }
    }

    async fn run(&self) {
        let Polling { queue, name, status, stop, .. } = &self.polling;
        let mut pauses = Pauses::default();
        loop {
            let Some(received) = stop.run_until_cancelled(queue.receive()).await else { return };
            match received {
                Ok(messages) => {
                    if pauses.failures() > 0 {
                        tracing::info!(source = name, "the queue answers again");
                    }
                    pauses.reset();
                    status.clear(name);
                    self.work(&messages).await;
                }
                Err(failure) => {
                    let reason = self.explained(&failure);
                    status.set(name, &reason);
                    let failures = pauses.failures().saturating_add(1);
                    if failures <= LOGGED_MAX || failures.is_power_of_two() {
                        tracing::warn!(source = name, failures, "{reason}");
                    }
                    if stop.run_until_cancelled(tokio::time::sleep(pauses.next())).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    fn explained(&self, failure: &Failure) -> String {
        let queue = self.polling.queue.name();
        let hint = match failure.kind {
            Kind::Missing => "; is queue_url right, and the region that of the queue?",
            Kind::Denied => {
                "; the task's role needs sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and \
                 sqs:GetQueueAttributes on the queue, and kms:Decrypt where it is encrypted with a key of yours"
            }
            _ => "",
        };
        format!("queue {queue} cannot be received from: {failure}{hint}")
    }

    /// Judges the messages of one receive, beside each other. Messages that were judged do not wait longer than half
    /// the time for which they are hidden for those that were not.
    async fn work(&self, messages: &[Message]) {
        let mut open: Vec<bool> = vec![true; messages.len()];
        let judged = messages
            .iter()
            .enumerate()
            .map(|(number, message)| async move { (number, self.polling.judge.judge(&message.body).await) });
        let mut judged: FuturesUnordered<_> = judged.collect();
        let (mut stored, mut given_back) = (Vec::new(), Vec::new());
        let half = (self.polling.queue.visibility() / 2).max(Duration::from_secs(1));
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + half, half);
        loop {
            tokio::select! {
                next = judged.next() => {
                    let Some((number, verdict)) = next else { break };
                    let Some(message) = messages.get(number) else { continue };
                    if let Some(open) = open.get_mut(number) {
                        *open = false;
                    }
                    match self.sort(message, verdict).await {
                        Then::Delete => stored.push(message),
                        Then::GiveBack => given_back.push(message),
                        Then::Leave => {}
                    }
                }
                _ = tick.tick() => {
                    self.delete(std::mem::take(&mut stored)).await;
                    let open = messages.iter().zip(&open).filter_map(|(message, open)| open.then_some(message));
                    self.hide(open.collect(), None).await;
                }
            }
        }
        self.delete(stored).await;
        self.hide(given_back, Some(0)).await;
    }

    async fn sort(&self, message: &Message, verdict: Verdict) -> Then {
        let source = self.polling.name.as_str();
        let message = message.id.as_str();
        match verdict {
            Verdict::Stored => Then::Delete,
            Verdict::Closing => Then::GiveBack,
            Verdict::Later(reason) => {
                tracing::warn!(source, message, "a message is left in the queue and tried again: {reason}");
                Then::Leave
            }
            Verdict::Unusable(reason) => match self.has_redrive().await {
                Ok(false) => {
                    tracing::error!(
                        source,
                        message,
                        "a message cannot be used and is deleted, because the queue has no \
                        dead-letter queue: {reason}"
                    );
                    Then::Delete
                }
                Ok(true) => {
                    tracing::warn!(
                        source,
                        message,
                        "a message cannot be used and is left for the dead-letter queue: \
                        {reason}"
                    );
                    Then::Leave
                }
                Err(failure) => {
                    tracing::warn!(
                        source,
                        message,
                        "a message cannot be used and is left, because it is not known \
                        whether the queue has a dead-letter queue ({failure}): {reason}"
                    );
                    Then::Leave
                }
            },
        }
    }

    async fn has_redrive(&self) -> Result<bool, Failure> {
        self.redrive.get_or_try_init(|| self.polling.queue.has_redrive()).await.copied()
    }

    async fn delete(&self, messages: Vec<&Message>) {
        if let Err(failure) = self.polling.queue.delete(&messages).await {
            let (source, messages) = (self.polling.name.as_str(), messages.len());
            tracing::warn!(source, messages, "messages were not deleted and come again: {failure}");
        }
    }

    async fn hide(&self, messages: Vec<&Message>, seconds: Option<i32>) {
        if let Err(failure) = self.polling.queue.hide(&messages, seconds).await {
            let (source, messages) = (self.polling.name.as_str(), messages.len());
            tracing::warn!(source, messages, "for how long messages are hidden was not changed: {failure}");
        }
    }
}

/// What happens to a message.
enum Then {
    Delete,
    Leave,
    GiveBack,
}
