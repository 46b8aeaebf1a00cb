//! The calls of SQS that a source makes.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::Builder,
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
        QueueAttributeName,
    },
};
use aws_smithy_types::timeout::TimeoutConfig;

use crate::failure::Failure;

/// How long SQS waits for a message before it answers that there is none, in seconds; its maximum.
const WAIT_S: i32 = 20;
/// Messages of one call; SQS's maximum.
pub(super) const MESSAGES_MAX: i32 = 10;
/// What is added to the wait before a receive counts as unanswered.
const WAIT_MARGIN: Duration = Duration::from_secs(10);

/// A queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: Client,
    url: String,
    visibility_s: i32,
}

/// A message that was received.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// SQS's id, for logs.
    pub(super) id: String,
    /// What it is deleted by.
    pub(super) receipt: String,
    pub(super) body: String,
}

/// What a queue is called: the last part of its URL.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

impl Queue {
    /// The queue at `url`, whose received messages are hidden for `visibility_s` seconds at a time.
    pub(crate) fn new(sdk: &SdkConfig, url: &str, visibility_s: u32, timeout_ms: u64) -> Self {
        let wait = Duration::from_secs(WAIT_S.unsigned_abs().into()).saturating_add(WAIT_MARGIN);
        // A receive that waits must not be cut off by the limit of ordinary calls.
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(timeout_ms).max(wait));
        let mut builder = Builder::from(sdk);
        let timeouts = match sdk.timeout_config().and_then(TimeoutConfig::connect_timeout) {
            Some(connect) => timeouts.connect_timeout(connect),
            None => timeouts,
        };
        builder = builder.timeout_config(timeouts.build());
        let visibility_s = i32::try_from(visibility_s).unwrap_or(i32::MAX);
        Self { client: Client::from_conf(builder.build()), url: url.to_owned(), visibility_s }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        name_of(&self.url)
    }

    /// For how long a received message is hidden.
    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_s.unsigned_abs().into())
    }

    /// Waits for messages, for at most 20 s.
    pub(super) async fn receive(&self) -> Result<Vec<Message>, Failure> {
        let request = self.client.receive_message().queue_url(&self.url);
        let request = request.max_number_of_messages(MESSAGES_MAX).wait_time_seconds(WAIT_S);
        let received = request.visibility_timeout(self.visibility_s).send().await;
        let received = received.map_err(|error| Failure::of(&error))?;
        let message = |message: aws_sdk_sqs::types::Message| Message {
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        };
        Ok(received.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    /// Deletes messages of one receive; says how many could not be deleted.
    pub(super) async fn delete(&self, messages: &[&Message]) -> Result<usize, Failure> {
        if messages.is_empty() {
            return Ok(0);
        }
        let entries = messages.iter().enumerate().filter_map(|(number, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            entry.receipt_handle(&message.receipt).build().ok()
        });
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let deleted = request.send().await.map_err(|error| Failure::of(&error))?;
        Ok(self.failed("delete", deleted.failed()))
    }

    /// Hides messages of one receive for `seconds` from now; 0 gives them back.
    pub(super) async fn hide(&self, messages: &[&Message], seconds: Option<i32>) -> Result<usize, Failure> {
        if messages.is_empty() {
            return Ok(0);
        }
        let entries = messages.iter().enumerate().filter_map(|(number, message)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(number.to_string());
            let entry = entry.visibility_timeout(seconds.unwrap_or(self.visibility_s));
            entry.receipt_handle(&message.receipt).build().ok()
        });
        let request = self.client.change_message_visibility_batch().queue_url(&self.url);
        let changed = request.set_entries(Some(entries.collect())).send().await;
        let changed = changed.map_err(|error| Failure::of(&error))?;
        Ok(self.failed("hide", changed.failed()))
    }

    /// Whether the queue has a dead-letter queue.
    pub(super) async fn has_redrive(&self) -> Result<bool, Failure> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(QueueAttributeName::RedrivePolicy).send().await;
        let answer = answer.map_err(|error| Failure::of(&error))?;
        let policy = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::RedrivePolicy));
        Ok(policy.is_some_and(|policy| !policy.is_empty()))
    }

    fn failed(&self, what: &str, failed: &[BatchResultErrorEntry]) -> usize {
        if let Some(first) = failed.first() {
            // It comes again when it is no longer hidden, and is known then.
            let (code, messages) = (first.code(), failed.len());
            tracing::warn!(queue = self.name(), code, messages, "SQS did not {what} all messages; they may come again");
        }
        failed.len()
    }
}
