//! The rules in force, which may change while the service runs.
//!
//! Whoever judges holds a [`LiveRules`] and takes over what it says; one task ([`RuleWatch::keep_fresh`]) looks for
//! changes. Rules that cannot be used change nothing: the old ones stay, and the reasons are in the log, in `/v1/state`
//! and in a metric. Deliberately not in `/readyz`: what protects still protects.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bedrock_watch_engine::rule::RuleSet;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Problems of rules that are kept to be shown.
const PROBLEMS_MAX: usize = 50;

/// Where rules come from, again and again. Both may read files, and are called where that disturbs nobody.
pub trait RuleSource: Send + Sync {
    /// Tells one state of the files from another.
    fn stamp(&self) -> u64;

    /// Reads and compiles them.
    ///
    /// # Errors
    /// With every problem, one a line.
    fn load(&self) -> Result<Arc<RuleSet>, Vec<String>>;
}

/// What became of reading rules again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloads {
    /// How often other rules were taken over.
    pub done: u64,
    /// How often they could not be used.
    pub failed: u64,
    /// Why the rules that are there now cannot be used; empty when they are in force.
    pub problems: Vec<String>,
}

/// The rules in force.
#[derive(Clone)]
pub struct LiveRules {
    current: watch::Receiver<Arc<RuleSet>>,
    reloads: Arc<Mutex<Reloads>>,
    watch: Option<Arc<RuleWatch>>,
}

impl fmt::Debug for LiveRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveRules").field("reloads", &self.reloads()).finish_non_exhaustive()
    }
}

impl From<Arc<RuleSet>> for LiveRules {
    /// Rules that never change.
    fn from(rules: Arc<RuleSet>) -> Self {
        Self { current: watch::channel(rules).1, reloads: Arc::default(), watch: None }
    }
}

impl LiveRules {
    /// Rules that change when their source does.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, source: Arc<dyn RuleSource>, every: Option<Duration>, asked: Arc<Notify>) -> Self {
        let (sender, current) = watch::channel(rules);
        let reloads = Arc::<Mutex<Reloads>>::default();
        let watch = RuleWatch { source, sender, every, asked, reloads: Arc::clone(&reloads) };
        Self { current, reloads, watch: Some(Arc::new(watch)) }
    }

    /// The rules in force now.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        Arc::clone(&self.current.borrow())
    }

    /// Waits for other rules.
    pub async fn changed(&mut self) -> Arc<RuleSet> {
        if self.current.changed().await.is_err() {
            // Nobody can change them any more.
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.current.borrow_and_update())
    }

    /// What became of reading them again.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What looks for changes, where there can be any.
    #[must_use]
    pub fn watch(&self) -> Option<Arc<RuleWatch>> {
        self.watch.clone()
    }
}

/// Looks for changes of rules.
pub struct RuleWatch {
    source: Arc<dyn RuleSource>,
    sender: watch::Sender<Arc<RuleSet>>,
    /// How often it is looked; `None` only when asked to.
    every: Option<Duration>,
    /// Somebody asks for it: SIGHUP.
    asked: Arc<Notify>,
    reloads: Arc<Mutex<Reloads>>,
}

impl fmt::Debug for RuleWatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RuleWatch").field("every", &self.every).finish_non_exhaustive()
    }
}

impl RuleWatch {
    /// Reads the rules again whenever their files have changed and then stayed the same for one look, or somebody asks.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut known = self.stamp().await;
        let mut seen = known;
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.asked.notified() => true,
                () = sleep_or_never(self.every) => false,
            };
            let stamp = self.stamp().await;
            // An editor may write several files, and the first look may come in between.
            let settled = stamp == seen;
            seen = stamp;
            if asked || (settled && stamp != known) {
                known = stamp;
                self.reload().await;
            }
        }
    }

    async fn stamp(&self) -> Option<u64> {
        let source = Arc::clone(&self.source);
        tokio::task::spawn_blocking(move || source.stamp()).await.ok()
    }

    /// Takes over what the source has, or says why not.
    async fn reload(&self) {
        let source = Arc::clone(&self.source);
        let loaded = tokio::task::spawn_blocking(move || source.load()).await;
        let loaded = loaded.unwrap_or_else(|error| Err(vec![format!("reading the rules failed: {error}")]));
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(rules) => {
                reloads.done = reloads.done.saturating_add(1);
                reloads.problems.clear();
                tracing::info!(rules = rules.rules().len(), "other rules are in force");
                self.sender.send_replace(rules);
            }
            Err(mut problems) => {
                reloads.failed = reloads.failed.saturating_add(1);
                for problem in &problems {
                    tracing::error!(%problem, "the rules cannot be used");
                }
                tracing::error!(problems = problems.len(), "the rules were not changed; the old ones stay in force");
                problems.truncate(PROBLEMS_MAX);
                reloads.problems = problems;
            }
        }
    }
}

async fn sleep_or_never(every: Option<Duration>) {
    match every {
        Some(every) => tokio::time::sleep(every).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Rules that cannot be used while their stamp is odd.
    #[derive(Default)]
    struct Numbered(AtomicU64);

    impl RuleSource for Numbered {
        fn stamp(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn load(&self) -> Result<Arc<RuleSet>, Vec<String>> {
            if self.stamp().is_multiple_of(2) { Ok(Arc::default()) } else { Err(vec!["rule.yml:1:1: no".to_owned()]) }
        }
    }

    async fn eventually(what: &str, holds: impl Fn() -> bool) {
        let patience = tokio::time::timeout(Duration::from_secs(60), async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        });
        assert!(patience.await.is_ok(), "{what}");
    }

    #[tokio::test]
    async fn broken_rules_leave_the_old_ones_in_force() {
        let (source, asked, stop) = (Arc::new(Numbered::default()), Arc::<Notify>::default(), CancellationToken::new());
        let first: Arc<RuleSet> = Arc::default();
        let every = Some(Duration::from_millis(1));
        let mut rules = LiveRules::new(Arc::clone(&first), Arc::<Numbered>::clone(&source), every, Arc::clone(&asked));
        let tracker = tokio_util::task::TaskTracker::new();
        tracker.spawn(rules.watch().unwrap().keep_fresh(stop.clone()));
        tracker.close();
        // Until the watch has seen how it begins, a change is none.
        asked.notify_one();
        let second = rules.changed().await;
        assert!(!Arc::ptr_eq(&first, &second));

        source.0.store(1, Ordering::SeqCst);
        eventually("the failure is known", || rules.reloads().failed == 1).await;
        assert_eq!(rules.reloads().problems, ["rule.yml:1:1: no"]);
        assert!(Arc::ptr_eq(&rules.current(), &second));

        source.0.store(2, Ordering::SeqCst);
        let third = rules.changed().await;
        assert!(!Arc::ptr_eq(&second, &third));
        eventually("the failure is over", || rules.reloads().problems.is_empty()).await;
        assert_eq!((rules.reloads().done, rules.reloads().failed), (2, 1));
        stop.cancel();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn rules_without_a_source_never_change() {
        let mut rules = LiveRules::from(Arc::<RuleSet>::default());
        assert!(rules.watch().is_none());
        let waited = tokio::time::timeout(Duration::from_millis(5), rules.changed()).await;
        assert!(waited.is_err());
    }
}
