//! Where records come from: the seam every source plugs into.
//!
//! A source hands over batches of records, each with the position up to which the source has been read, through a
//! queue with a limit. It learns from the reply, where it wants one, what became of them. Sources without a position
//! (HTTP, standard input) cannot be read again; what they handed over is journaled in the store before they are told that
//! it was accepted.

mod batch;
mod follow;
mod reader;
mod stdin;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

pub use batch::{Batch, Kept, Outcome, Records, Repeat, TooLarge};
pub use follow::{Follow, Resume};
pub use stdin::Stdin;

/// The end of the queue that sources hold.
#[derive(Debug, Clone)]
pub struct Intake {
    source: Arc<str>,
    queue: mpsc::Sender<Batch>,
}

/// Why a batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full; trying again later helps.
    #[error("the queue to the engine is full")]
    Full,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Closed,
}

impl Intake {
    /// A queue for at most `batches_max` waiting batches: the end for a source called `source`, and the loop's.
    #[must_use]
    pub fn queue(source: &str, batches_max: usize) -> (Self, mpsc::Receiver<Batch>) {
        let (queue, receiver) = mpsc::channel(batches_max);
        (Self { source: Arc::from(source), queue }, receiver)
    }

    /// The same queue for another source.
    #[must_use]
    pub fn named(&self, source: &str) -> Self {
        Self { source: Arc::from(source), queue: self.queue.clone() }
    }

    /// Hands over a batch if there is room now, and returns where the outcome will arrive.
    ///
    /// # Errors
    /// When there is no room, or the service is shutting down.
    pub fn offer(&self, records: Records) -> Result<oneshot::Receiver<Outcome>, Refused> {
        let (reply, outcome) = oneshot::channel();
        let batch = self.batch(records, Kept::Journal, Repeat::New);
        match self.queue.try_send(Batch { reply: Some(reply), ..batch }) {
            Ok(()) => Ok(outcome),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refused::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refused::Closed),
        }
    }

    /// Hands over a batch from a thread, waiting for room.
    ///
    /// # Errors
    /// When the service is shutting down.
    pub fn send_blocking(&self, records: Records, kept: Kept, repeat: Repeat) -> Result<(), Refused> {
        self.queue.blocking_send(self.batch(records, kept, repeat)).map_err(|_| Refused::Closed)
    }

    /// Hands over a batch, waiting for room.
    ///
    /// # Errors
    /// When the service is shutting down.
    pub async fn send(&self, records: Records, kept: Kept, repeat: Repeat) -> Result<(), Refused> {
        self.queue.send(self.batch(records, kept, repeat)).await.map_err(|_| Refused::Closed)
    }

    /// Hands over a batch, waiting for room, and returns where the outcome will arrive once it is stored.
    ///
    /// # Errors
    /// When the service is shutting down.
    pub async fn ask(&self, records: Records, kept: Kept) -> Result<oneshot::Receiver<Outcome>, Refused> {
        let (reply, outcome) = oneshot::channel();
        let batch = self.batch(records, kept, Repeat::New);
        self.queue.send(Batch { reply: Some(reply), ..batch }).await.map_err(|_| Refused::Closed)?;
        Ok(outcome)
    }

    /// The name under which batches are handed over.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    fn batch(&self, records: Records, kept: Kept, repeat: Repeat) -> Batch {
        Batch { source: Arc::clone(&self.source), records, kept, repeat, reply: None, received: Timestamp::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_closed_one_too() {
        let (intake, mut batches) = Intake::queue("http", 1);
        let first = intake.offer(Records::default()).unwrap();
        assert_eq!(intake.offer(Records::default()).unwrap_err(), Refused::Full);
        drop(batches.try_recv().unwrap());
        assert!(first.blocking_recv().is_err(), "a batch that nobody judged has no outcome");
        let _second = intake.offer(Records::default()).unwrap();
        batches.close();
        assert_eq!(intake.offer(Records::default()).unwrap_err(), Refused::Closed);
    }
}
