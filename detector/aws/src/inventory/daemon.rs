//! The inventory of the daemon: at start and every so often, and what AWS answers goes to the engine.
//!
//! The daemon protects from the first record on; until the first inventory has ended, `/readyz` says how far it is.
//! Deliberately no judgement here: what an answer means is the engine's to say, which compares it with the stream.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use bedrock_watch_service::{
    cloud::Beside,
    source::{Kept, Records, Refused},
};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    ask::Asker,
    failure::Failure,
    places, records,
    sweep::{Scope, Seen, Sweeper},
};

/// The name under which inventory appears in `/readyz`.
const INVENTORY: &str = "inventory";
/// An interval is up to so much longer or shorter, in percent, so that workers do not all ask at once.
const JITTER_PERCENT: u64 = 10;
/// When AWS could not be asked at all, it is tried again after this time.
const AGAIN: Duration = Duration::from_secs(15);
/// Failures that `/readyz` spells out; the rest is counted.
const NAMED_MAX: usize = 5;

/// The inventory.
pub(crate) struct Inventory {
    asker: Asker,
    sweeper: Sweeper,
    beside: Beside,
    interval: Duration,
    sweeps: u64,
    /// What failed in the last sweep, by place and call.
    failing: BTreeMap<String, Failure>,
}

impl Inventory {
    /// An inventory that has not begun.
    pub(crate) fn new(asker: Asker, interval: Duration, beside: Beside) -> Self {
        let sweeper = Sweeper::new(asker.clone(), Scope::Recent);
        beside.status.set(INVENTORY, "first inventory not complete: no place is known yet");
        Self { asker, sweeper, beside, interval, sweeps: fastrand::u64(..), failing: BTreeMap::new() }
    }

    /// Asks until it is stopped.
    pub(crate) async fn run(mut self) {
        let stop: CancellationToken = self.beside.stop.clone();
        let mut first = true;
        loop {
            let pause = match Box::pin(stop.run_until_cancelled(self.sweep(first))).await {
                Some(Ok(0)) => self.pause().min(AGAIN),
                Some(Ok(_)) => {
                    first = false;
                    self.pause()
                }
                // The loop takes nothing any more.
                Some(Err(_)) | None => return,
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    fn pause(&self) -> Duration {
        let percent = fastrand::u64(100 - JITTER_PERCENT..=100 + JITTER_PERCENT);
        self.interval * u32::try_from(percent).unwrap_or(100) / 100
    }

    /// Asks every place; returns how many there are.
    async fn sweep(&mut self, first: bool) -> Result<usize, Refused> {
        self.sweeps = self.sweeps.wrapping_add(1);
        let own = match places::own_account(&self.asker).await {
            Ok(own) => own,
            Err(failure) => {
                self.settle(vec![failure], 0);
                return Ok(0);
            }
        };
        let (targets, mut failures) = places::targets(&self.asker, &own).await;
        let all = targets.len();
        let mut totals = Totals::default();
        {
            let mut answers = pin!(self.sweeper.answers(&targets));
            while let Some(seen) = answers.next().await {
                totals.add(&seen);
                hand_over(&self.beside, records::of(&seen, self.sweeps)).await?;
                failures.extend(seen.failures);
                if first && totals.places < all {
                    let reason = format!("first inventory not complete: {} of {all} places", totals.places);
                    self.beside.status.set(INVENTORY, &reason);
                }
            }
        }
        self.settle(failures, all);
        tracing::info!(places = all, jobs = totals.jobs, live = totals.live, missing = totals.missing, "inventory");
        Ok(all)
    }

    /// Says what failed: in the log once, and in `/readyz` as long as it fails.
    fn settle(&mut self, failures: Vec<Failure>, places: usize) {
        let failing: BTreeMap<String, Failure> =
            failures.into_iter().map(|one| (format!("{} {}", one.target, one.call), one)).collect();
        for (name, failure) in &failing {
            if !self.failing.contains_key(name) {
                tracing::warn!(%failure, "inventory is incomplete; everything else is still watched");
            }
        }
        for name in self.failing.keys().filter(|name| !failing.contains_key(*name)) {
            tracing::info!(place = name, "inventory is complete there again");
        }
        if failing.is_empty() {
            self.beside.status.clear(INVENTORY);
        } else {
            let mut named: Vec<String> = failing.values().take(NAMED_MAX).map(ToString::to_string).collect();
            let more = failing.len().saturating_sub(named.len());
            if more > 0 {
                named.push(format!("{more} more"));
            }
            let reason = format!("inventory incomplete ({places} places asked): {}", named.join("; "));
            self.beside.status.set(INVENTORY, &reason);
        }
        self.failing = failing;
    }
}

#[derive(Debug, Default)]
struct Totals {
    places: usize,
    jobs: usize,
    live: usize,
    missing: usize,
}

impl Totals {
    fn add(&mut self, seen: &Seen) {
        let live = seen.jobs.iter().filter(|job| super::jobs::is_live(&job.status)).count();
        self.places = self.places.saturating_add(1);
        self.jobs = self.jobs.saturating_add(seen.jobs.len());
        self.live = self.live.saturating_add(live);
        self.missing = self.missing.saturating_add(seen.network.as_ref().map_or(0, |network| network.missing.len()));
    }
}

/// Hands records to the engine, and waits until what follows from them is stored.
async fn hand_over(beside: &Beside, records: Records) -> Result<(), Refused> {
    if records.is_empty() {
        return Ok(());
    }
    let outcome = beside.intake.ask(records, Kept::Nowhere).await?.await.map_err(|_| Refused::Closed)?;
    if outcome.rejected > 0 {
        tracing::error!(rejected = outcome.rejected, "the engine did not take what inventory saw");
    }
    Ok(())
}
