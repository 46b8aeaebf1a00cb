//! Archives evidence as it comes, and that of workers which are gone.
//!
//! An archive that does not answer loses nothing: the store keeps what is not archived, however long that takes. So
//! `/readyz` hears of it only when it lasts, or when the archive holds something else than was written there.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, ArchiveError, archive_all};
use crate::{status::Status, store::Store};

/// The chain of another worker is archived here when nothing was added to it for so long: every worker that lives adds
/// something each hour.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// From when on `/readyz` says that evidence is not archived.
const FAILING_MAX: Duration = Duration::from_secs(3_600);
/// The name under which it does.
const STATUS: &str = "evidence";

/// Archives evidence.
#[derive(Debug)]
pub struct Archivist {
    store: Arc<dyn Store>,
    archive: Arc<dyn Archive>,
    status: Status,
    failing_since: Option<Instant>,
}

impl Archivist {
    /// Moves what the store has to the archive.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, archive: Arc<dyn Archive>, status: Status) -> Self {
        Self { store, archive, status, failing_since: None }
    }

    /// Archives every so often until `stop`.
    pub async fn run(mut self, every: Duration, stop: CancellationToken) -> Self {
        loop {
            self.archive().await;
            if stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none() {
                return self;
            }
        }
    }

    /// Archives what there is.
    pub async fn archive(&mut self) {
        let gone_before = Timestamp::now().checked_sub(ABANDONED_AFTER).unwrap_or(Timestamp::MIN);
        match archive_all(&self.store, &*self.archive, |chain| chain.own || chain.at < gone_before).await {
            Ok(entries) => {
                self.failing_since = None;
                self.status.clear(STATUS);
                if entries > 0 {
                    self.tell_heads(entries).await;
                }
            }
            Err(errors) => self.failed(&errors),
        }
    }

    fn failed(&mut self, errors: &[ArchiveError]) {
        for error in errors {
            tracing::error!(%error, "evidence was not archived; it stays in the store");
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let is_foreign = errors.iter().any(|error| matches!(error, ArchiveError::Different { .. }));
        if is_foreign || since.elapsed() >= FAILING_MAX {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            self.status.set(STATUS, &reasons.join("; "));
        }
    }

    /// Says in the log, which goes elsewhere, what the archive ends with.
    async fn tell_heads(&self, entries: u64) {
        for chain in self.store.chains().await.unwrap_or_default().iter().filter(|chain| chain.own) {
            let (through, hash) = (chain.archived, &chain.archived_hash);
            tracing::info!(chain = chain.worker, through, hash, entries, "evidence archived");
        }
    }
}
