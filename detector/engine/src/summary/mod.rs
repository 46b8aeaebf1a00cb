//! What the engine knows right now, in numbers and names: for people who operate it, and for the console.
//!
//! Deliberately not the snapshot: nothing can be restored from it. What can be long is cut to what a person can look at,
//! what matters most first, and the true number stands beside it.

mod activity;
mod merge;

use crate::{engine::Engine, time::Second};

pub use activity::{ACTIVITY_MINUTES, PrincipalActivity};

/// Dependents in a summary.
pub const DEPENDENTS_MAX: usize = 200;
/// Accounts and regions with what is known of their logging in a summary.
pub const LOGGING_PLACES_MAX: usize = 500;
/// Principals whose activity is in a summary.
pub const PRINCIPALS_MAX: usize = 12;

/// What an engine knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The accounts, by name.
    pub accounts: Vec<AccountSummary>,
    /// What stands on other resources: what lives and has lost something first, then what lives, the newest first; at
    /// most [`DEPENDENTS_MAX`].
    pub dependents: Vec<DependentSummary>,
    /// How many of these there are.
    pub dependents_total: usize,
    /// What those in `dependents` stand on, by key.
    pub dependencies: Vec<DependencySummary>,
    /// Invocation logging, where it is off first; at most [`LOGGING_PLACES_MAX`].
    pub logging: Vec<LoggingSummary>,
    /// Security groups and other dependencies remembered.
    pub resources: usize,
    /// The beginning of the first of the [`ACTIVITY_MINUTES`] minutes that `principals` is about.
    pub activity_from: Second,
    /// Who called models, those in a burst first, then the busiest; at most [`PRINCIPALS_MAX`].
    pub principals: Vec<PrincipalActivity>,
    /// How many principals did anything in these minutes.
    pub principals_total: usize,
}

/// What an engine knows about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account.
    pub account: String,
    /// The greatest event time seen.
    pub watermark: Second,
    /// Principals with activity.
    pub principals: usize,
}

/// A job, deployed model, knowledge base, agent or another thing that stands on resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependentSummary {
    /// `customization_job` and so on, as in rules.
    pub kind: &'static str,
    /// Its ARN, else its name.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `InProgress`, `Stopping`, `Completed`, `Active` and so on.
    pub status: String,
    /// Whether it is not known to have ended.
    pub live: bool,
    /// Whether something it needs was lost while it lived and has not come back.
    pub broken: bool,
    /// The earliest moment at which it is known to have existed.
    pub started: Option<Second>,
    /// When it ended.
    pub ended: Option<Second>,
    /// Keys of the dependencies it stands on.
    pub stands_on: Vec<String>,
}

/// Something that others stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencySummary {
    /// Kind and id, which tell it from all others.
    pub key: String,
    /// `security_group` and so on, as in rules.
    pub kind: &'static str,
    /// What alerts call it.
    pub id: String,
    /// The account it belongs to, where that is known.
    pub account: Option<String>,
    /// What it lost and did not get back.
    pub losses: Vec<LossSummary>,
}

/// A loss that was not undone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LossSummary {
    /// Event time.
    pub at: Second,
    /// `deleted`, `disabled`, `emptied`, `missing` and so on, as in rules.
    pub what: &'static str,
    /// Who did it, where somebody did.
    pub by: Option<String>,
    /// Whether it is still there, though put at risk: what stands on it works.
    pub exposed: bool,
}

/// Invocation logging of an account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingSummary {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// What is known.
    pub posture: LoggingPosture,
    /// Since when that is known.
    pub since: Option<Second>,
    /// The data types that are delivered.
    pub delivers: Vec<String>,
    /// Kinds and names of the destinations.
    pub destinations: Vec<(&'static str, String)>,
}

/// What is known of invocation logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoggingPosture {
    /// Nothing is delivered.
    Off,
    /// It is on, but no destination works any more.
    Lost,
    /// Nothing is known.
    Unknown,
    /// Something is delivered.
    On,
}

impl LoggingPosture {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
            Self::On => "on",
        }
    }
}

impl Engine {
    /// What the engine knows at `now`. It takes a look at every principal's head and at every dependent, so it is for
    /// people who ask now and then.
    #[must_use]
    pub fn summary(&self, now: Second) -> Summary {
        let accounts = self.memory.accounts.iter().map(|(name, account)| AccountSummary {
            account: name.to_owned(),
            watermark: account.watermark,
            principals: account.principals.len(),
        });
        let world = &self.memory.world;
        let (dependents, dependencies) = world.overview(now, &self.settings);
        let (activity_from, principals, principals_total) = self.activity(now);
        let mut summary = Summary {
            accounts: accounts.collect(),
            dependents,
            dependents_total: world.dependents().len(),
            dependencies,
            logging: world.logging_overview(),
            resources: world.resources(),
            activity_from,
            principals,
            principals_total,
        };
        summary.order();
        summary
    }
}
