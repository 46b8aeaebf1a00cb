//! Asks AWS about the jobs of an alert before anybody is told of it for the first time.
//!
//! Completion events do get lost, so a job that an alert says is in danger may have ended long ago. What AWS answers
//! enters the engine like any observation, and the engine itself withdraws or resolves the alert. Deliberately failing
//! open: an alert that cannot be confirmed in time is told as it is.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, SubjectKind};
use tokio::{sync::OnceCell, time::Instant};

use crate::{cloud::CloudError, store::Claim};

/// Alerts remembered as asked about; the oldest are forgotten first, and asked about again at worst.
const ASKED_MAX: usize = 4_096;
/// For how long nothing is asked after AWS did not answer, so that many alerts do not each wait in vain.
const PAUSE: Duration = Duration::from_secs(30);

/// Something that can ask whether the jobs of an alert are as it says.
#[async_trait]
pub trait Confirm: fmt::Debug + Send + Sync + 'static {
    /// Asks about the jobs of `alert`, and returns once what follows from the answer is in the store.
    async fn confirm(&self, alert: &Alert) -> Result<(), CloudError>;
}

/// What all sinks share, so that an alert is asked about once however many are told of it.
#[derive(Debug, Clone)]
pub struct Confirmations {
    confirm: Arc<dyn Confirm>,
    limit: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<String, (Instant, Arc<OnceCell<()>>)>,
    paused_until: Option<Instant>,
}

impl Confirmations {
    /// Asks by `confirm`, for at most `limit` an alert.
    #[must_use]
    pub fn new(confirm: Arc<dyn Confirm>, limit: Duration) -> Self {
        Self { confirm, limit, state: Arc::default() }
    }

    /// Whether a delivery is to be confirmed: the first word about a job's dependency.
    pub(super) fn concerns(claim: &Claim) -> bool {
        let of_job = claim.alert.alert.subject_kind == SubjectKind::CustomizationJobDependency;
        of_job && claim.is_first() && !claim.unsettled && claim.memo.is_none() && !claim.is_over()
    }

    /// Waits until what AWS says about the jobs of `alert` is in the store, or the time is over.
    pub(super) async fn wait(&self, alert: &Alert) {
        let Some(asked) = self.asked(&alert.id) else { return };
        // Whoever asks gives up for all who wait. If a shutdown cuts him off, the next one asks anew.
        asked.get_or_init(|| self.ask(alert)).await;
    }

    async fn ask(&self, alert: &Alert) {
        match tokio::time::timeout(self.limit, self.confirm.confirm(alert)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.pause(alert, &error.to_string()),
            Err(_) => self.pause(alert, "no answer in time"),
        }
    }

    /// Where the answer about an alert arrives; `None` while nothing is asked.
    fn asked(&self, id: &str) -> Option<Arc<OnceCell<()>>> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asked)) = state.asked.get(id) {
            return Some(Arc::clone(asked));
        }
        if state.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        if state.asked.len() >= ASKED_MAX
            && let Some(oldest) = state.asked.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone())
        {
            state.asked.remove(&oldest);
        }
        let asked = Arc::new(OnceCell::new());
        state.asked.insert(id.to_owned(), (now, Arc::clone(&asked)));
        Some(asked)
    }

    fn pause(&self, alert: &Alert, reason: &str) {
        tracing::warn!(alert = %alert.id, reason, "an alert is told without AWS's word on its jobs");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused_until = Instant::now().checked_add(PAUSE);
    }
}
