//! Where alerts go: the seam every sink plugs into.
//!
//! Each sink has a task and a queue of its own, so that a slow one delays no other until its queue is full; then the
//! loop waits, because dropping an alert is worse than judging the next record later.

mod stdout;

use std::{future::Future, sync::Arc};

use bedrock_watch_engine::alert::AlertChange;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use stdout::Stdout;

use crate::status::Status;

/// Changes that may wait for one sink.
const QUEUE_CHANGES_MAX: usize = 1_024;

/// Why a change was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Writing failed.
    #[error("cannot write alerts: {0}")]
    Write(#[from] std::io::Error),
}

/// Something that tells people or programs about alerts.
pub trait Sink: Send + 'static {
    /// The name in logs and in `/readyz`.
    fn name(&self) -> String;

    /// Tells of one change.
    fn deliver(&mut self, change: &AlertChange) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// The loop's end of a sink's queue.
#[derive(Debug, Clone)]
pub struct SinkHandle {
    queue: mpsc::Sender<Arc<AlertChange>>,
}

impl SinkHandle {
    /// Queues a change, waiting for room.
    pub async fn send(&self, change: Arc<AlertChange>) {
        // The task ends only when every handle is gone, so this cannot fail while the handle exists.
        if self.queue.send(change).await.is_err() {
            tracing::error!("a sink has stopped; an alert was not delivered to it");
        }
    }
}

/// Starts a sink; it ends after its queue is empty and every handle is gone.
pub fn start(mut sink: impl Sink, tracker: &TaskTracker, status: Status) -> SinkHandle {
    let (queue, mut changes) = mpsc::channel::<Arc<AlertChange>>(QUEUE_CHANGES_MAX);
    tracker.spawn(async move {
        let name = format!("sink {}", sink.name());
        while let Some(change) = changes.recv().await {
            match sink.deliver(&change).await {
                Ok(()) => status.clear(&name),
                Err(error) => {
                    tracing::error!(sink = name, alert = change.alert.id, %error, "alert not delivered");
                    status.set(&name, &error.to_string());
                }
            }
        }
    });
    SinkHandle { queue }
}
