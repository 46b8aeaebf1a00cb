//! The silences as the loop and the sinks see them: read without asking the store.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::alert::Alert;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::silences::covers;
use crate::store::{Silence, Store, StoreError};

/// The silences that have not ended, shared; those that have not begun are among them.
#[derive(Debug, Clone)]
pub struct ActiveSilences {
    list: watch::Sender<Arc<[Silence]>>,
}

impl Default for ActiveSilences {
    fn default() -> Self {
        Self { list: watch::Sender::new(Arc::from([])) }
    }
}

impl ActiveSilences {
    /// The silences as they were last read.
    #[must_use]
    pub fn current(&self) -> Arc<[Silence]> {
        Arc::clone(&self.list.borrow())
    }

    /// Whether one of them holds at `now` and covers the alert, whose severity is that of the store.
    #[must_use]
    pub fn cover(&self, alert: &Alert, now: Timestamp) -> bool {
        self.list.borrow().iter().any(|silence| covers(silence, alert, alert.severity, now))
    }

    /// Reads them anew.
    ///
    /// # Errors
    /// When the store does not answer; what was read before stays.
    pub async fn refresh(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let silences = store.silences(now, false).await?;
        self.list.send_if_modified(|list| {
            let differs = **list != *silences;
            if differs {
                *list = Arc::from(silences);
            }
            differs
        });
        Ok(())
    }

    /// Reads them every so often, because the command line may have changed them in the store, until `stop`.
    pub async fn keep_fresh(self, store: Arc<dyn Store>, every: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            if let Err(error) = self.refresh(&*store, Timestamp::now()).await {
                tracing::warn!(%error, "silences not read; the former ones hold");
            }
        }
    }
}
