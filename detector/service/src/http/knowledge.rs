//! What the engine knows, asked at most every so often however many look.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::Summary;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::Instant,
};

use crate::pipeline::Question;

/// How old an answer may be. The loop judges nothing while it answers.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How long the loop may take to answer; it may be catching up.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// The last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Knowledge {
    last: Arc<Mutex<Option<Answer>>>,
}

/// What was known, and when it was asked.
#[derive(Debug)]
struct Answer {
    at: Instant,
    known: Arc<Summary>,
}

impl Knowledge {
    /// What the engine knows; `None` when the loop does not answer.
    pub(super) async fn get(&self, questions: &mpsc::Sender<Question>) -> Option<Arc<Summary>> {
        let mut last = self.last.lock().await;
        if let Some(Answer { at, known }) = &*last
            && at.elapsed() < AGE_MAX
        {
            return Some(Arc::clone(known));
        }
        let asked = async {
            let (reply, answer) = oneshot::channel();
            questions.send(Question::Knows(reply)).await.ok()?;
            answer.await.ok()
        };
        let known = Arc::new(tokio::time::timeout(ANSWER_WAIT, asked).await.ok().flatten()?);
        *last = Some(Answer { at: Instant::now(), known: Arc::clone(&known) });
        Some(known)
    }
}
