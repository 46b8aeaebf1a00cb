//! The engine: one owner, one entry for everything that happens, and time as an argument.

use std::sync::Arc;

use crate::{
    activity::Activity,
    alert::{Alert, AlertChange},
    decode::DecodeError,
    observation::Observation,
    rule::RuleSet,
    settings::Settings,
    stats::Stats,
    time::Second,
};

/// Why a snapshot could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It does not begin as a snapshot does.
    #[error("not a bedrock-watch snapshot")]
    Foreign,
    /// It was written by a version whose format this one does not know.
    #[error(
        "snapshot format {found} is not supported (this version reads {supported}); start without it or use the version that wrote it"
    )]
    Version {
        /// The format found.
        found: u16,
        /// The newest format this version reads.
        supported: u16,
    },
    /// It is damaged.
    #[error("snapshot is damaged: {0}")]
    Damaged(String),
}

/// Judges activities and remembers what they changed.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    settings: Settings,
    stats: Stats,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, settings: Settings) -> Self {
        Self { rules, settings, stats: Stats::default() }
    }

    /// Judges one record, in any single-record form.
    ///
    /// # Errors
    /// When the bytes are no valid event; nothing has changed then but a counter.
    pub fn judge(&mut self, bytes: &[u8], now: Second) -> Result<Vec<AlertChange>, DecodeError> {
        let activity = crate::decode::decode(bytes)?;
        Ok(self.handle(&activity, now))
    }

    /// Judges one activity and applies it to what is known.
    pub fn handle(&mut self, activity: &Activity<'_>, now: Second) -> Vec<AlertChange> {
        let _ = (activity, now, &self.rules, &self.settings);
        Vec::new()
    }

    /// Takes in what AWS answered.
    pub fn observe(&mut self, observation: &Observation, now: Second) -> Vec<AlertChange> {
        let _ = (observation, now);
        Vec::new()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Second) -> Vec<AlertChange> {
        let _ = now;
        Vec::new()
    }

    /// When the engine next wants [`Engine::tick`].
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Second> {
        None
    }

    /// Ends a replay: closes every window as if time had moved on.
    pub fn finish(&mut self) -> Vec<AlertChange> {
        Vec::new()
    }

    /// While teaching, memory is filled and nothing is raised.
    pub fn set_teaching(&mut self, teaching: bool) {
        let _ = teaching;
    }

    /// The present state of all alerts, withdrawn ones omitted, by first event time and id.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        Vec::new()
    }

    /// Everything remembered, as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// An engine that remembers what `snapshot` remembered.
    ///
    /// # Errors
    /// When the bytes are no snapshot this version can read.
    pub fn restore(rules: Arc<RuleSet>, settings: Settings, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let _ = snapshot;
        Ok(Self::new(rules, settings))
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The greatest event time seen of an account.
    #[must_use]
    pub fn watermark(&self, account: &str) -> Option<Second> {
        let _ = account;
        None
    }
}
