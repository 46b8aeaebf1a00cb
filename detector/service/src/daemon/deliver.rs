//! To be replaced by the workers of `sink`: tells standard output what the store has for it.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::alert::AlertChange;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    sink::{Sink, Stdout},
    status::Status,
    store::{Claim, Settlement, Store, StoreError},
};

/// How long a claim holds.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// Deliveries claimed at once.
const CLAIMS_MAX: usize = 64;
/// How often the store is asked without a nudge.
const POLL: Duration = Duration::from_secs(1);
/// The pause after a failure.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The worker.
#[derive(Debug, Clone)]
pub(super) struct Deliver {
    nudge: Arc<Notify>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Deliver {
    /// Starts it.
    pub(super) fn start(name: String, mut sink: Stdout, store: Arc<dyn Store>, status: Status) -> Self {
        let deliver =
            Self { nudge: Arc::new(Notify::new()), stop: CancellationToken::new(), tracker: TaskTracker::new() };
        let (nudge, stop) = (Arc::clone(&deliver.nudge), deliver.stop.clone());
        deliver.tracker.spawn(async move {
            loop {
                let stopping = stop.is_cancelled();
                match round(&name, &mut sink, &*store, &status).await {
                    Ok(0) if stopping => return,
                    Ok(0) => {}
                    Ok(_) => continue,
                    Err(error) => tracing::error!(sink = name, %error, "cannot deliver"),
                }
                tokio::select! {
                    () = nudge.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                    () = stop.cancelled(), if !stopping => {}
                }
            }
        });
        deliver.tracker.close();
        deliver
    }

    /// Says that something new is in the store.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Tells what is due and ends.
    pub(super) async fn drain(&self) {
        self.stop.cancel();
        self.tracker.wait().await;
    }
}

async fn round(name: &str, sink: &mut Stdout, store: &dyn Store, status: &Status) -> Result<usize, StoreError> {
    let now = Timestamp::now();
    let until = now.checked_add(CLAIM).unwrap_or(now);
    let claims = store.claim(name, "stdout", now, until, CLAIMS_MAX).await?;
    for claim in &claims {
        let settlement = match tell(sink, claim).await {
            Ok(()) => {
                status.clear(name);
                let through = claim.pending.last().map_or(claim.delivered, |revision| revision.revision);
                Settlement::Delivered { through, memo: None }
            }
            Err(error) => {
                status.set(name, &error.to_string());
                let at = now.checked_add(PAUSE).unwrap_or(now);
                Settlement::Retry { at, error: error.to_string(), unsettled: true }
            }
        };
        store.settle(claim, &settlement, Timestamp::now()).await?;
    }
    Ok(claims.len())
}

async fn tell(sink: &mut Stdout, claim: &Claim) -> Result<(), crate::sink::SinkError> {
    for revision in &claim.pending {
        sink.deliver(&AlertChange { kind: revision.kind, alert: (*revision.alert).clone() }).await?;
    }
    Ok(())
}
