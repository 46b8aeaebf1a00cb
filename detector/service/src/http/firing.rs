//! How many alerts fire now, counted in the store at most every so often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_watch_engine::alert::{Severity, Status};
use tokio::{sync::Mutex, time::Instant};

use crate::store::{AlertFilter, Store, StoreError};

/// How old a count may be.
const AGE_MAX: Duration = Duration::from_secs(2);
/// Alerts that are counted; where more fire, that is all there is to say.
const COUNTED_MAX: u64 = 10_000;

/// Counts of firing alerts by severity, every severity present.
pub(crate) type Counts = BTreeMap<Severity, u64>;

/// Counts, and remembers for a moment, so that many who ask cost as much as one.
#[derive(Debug, Clone, Default)]
pub struct Firing {
    last: Arc<Mutex<Option<(Instant, Counts)>>>,
}

impl Firing {
    /// The counts.
    pub(crate) async fn counts(&self, store: &dyn Store) -> Result<Counts, StoreError> {
        let mut last = self.last.lock().await;
        if let Some((at, counts)) = &*last
            && at.elapsed() < AGE_MAX
        {
            return Ok(counts.clone());
        }
        let counts = count(store).await?;
        *last = Some((Instant::now(), counts.clone()));
        Ok(counts)
    }
}

async fn count(store: &dyn Store) -> Result<Counts, StoreError> {
    let mut counts: Counts = Severity::ALL.into_iter().map(|severity| (severity, 0)).collect();
    let mut filter = AlertFilter { status: Some(Status::Firing), ..AlertFilter::default() };
    loop {
        let page = store.alerts(&filter).await?;
        for stored in &page.alerts {
            let count = counts.entry(stored.alert.severity).or_default();
            *count = count.saturating_add(1);
        }
        filter.after = page.next;
        if filter.after.is_none() || counts.values().sum::<u64>() >= COUNTED_MAX {
            return Ok(counts);
        }
    }
}
