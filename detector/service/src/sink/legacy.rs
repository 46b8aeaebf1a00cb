//! The queue of the first daemon: one task, one queue, standard output. It goes when the daemon delivers from the
//! store; nothing new belongs here.

use std::{future::Future, io::Write, sync::Arc};

use bedrock_watch_engine::alert::AlertChange;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    format::{Colour, Format},
    status::Status,
};

/// Changes that may wait for one sink.
const QUEUE_CHANGES_MAX: usize = 1_024;

/// Something that tells people or programs about alerts.
pub trait QueuedSink: Send + 'static {
    /// The name in logs and in `/readyz`.
    fn name(&self) -> String;

    /// Tells of one change.
    fn deliver(&mut self, change: &AlertChange) -> impl Future<Output = std::io::Result<()>> + Send;
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
pub fn start(mut sink: impl QueuedSink, tracker: &TaskTracker, status: Status) -> SinkHandle {
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

/// Writes each change to a stream and flushes it.
pub struct Stdout {
    stream: Box<dyn Write + Send>,
    format: Format,
    colour: Colour,
}

impl std::fmt::Debug for Stdout {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stdout").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Stdout {
    /// A sink that writes to `stream`.
    #[must_use]
    pub fn new(stream: Box<dyn Write + Send>, format: Format, colour: Colour) -> Self {
        Self { stream, format, colour }
    }
}

impl QueuedSink for Stdout {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    async fn deliver(&mut self, change: &AlertChange) -> std::io::Result<()> {
        self.stream.write_all(self.format.render(change, self.colour).as_bytes())?;
        self.stream.flush()
    }
}
