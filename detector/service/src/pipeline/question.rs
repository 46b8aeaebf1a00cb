//! What can be asked of a loop while it turns. Answers never wait for the store.

use bedrock_watch_engine::Summary;
use tokio::sync::oneshot;

/// A question; whoever asked may have gone away before the answer.
#[derive(Debug)]
pub enum Question {
    /// Does the loop turn?
    Turns(oneshot::Sender<()>),
    /// What does its engine know?
    Knows(oneshot::Sender<Summary>),
}
