//! What the engine knows right now, in numbers and names: for people who operate it.
//!
//! Deliberately not the snapshot: nothing can be restored from it.

use crate::{engine::Engine, time::Second, world::Dependent};

/// What an engine knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The accounts, by name.
    pub accounts: Vec<AccountSummary>,
    /// The customization jobs.
    pub jobs: Vec<JobSummary>,
    /// Invocation logging: account, region, and `unknown`, `off` or `on`.
    pub logging: Vec<(String, String, &'static str)>,
    /// Security groups and other dependencies remembered.
    pub resources: usize,
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

/// What an engine knows about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Its ARN, else its name.
    pub job: String,
    /// `InProgress`, `Stopping`, `Completed`, `Failed` or `Stopped`.
    pub status: String,
    /// The security groups it names.
    pub security_groups: Vec<String>,
}

impl Engine {
    /// What the engine knows right now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let accounts = self.memory.accounts.iter().map(|(name, account)| AccountSummary {
            account: name.to_owned(),
            watermark: account.watermark,
            principals: account.principals.len(),
        });
        let logging = self.memory.world.postures();
        Summary {
            accounts: accounts.collect(),
            jobs: self.memory.world.dependents().jobs().map(|(_, job)| job_summary(job)).collect(),
            logging: logging.map(|(account, region, now)| (account.to_owned(), region.to_owned(), now)).collect(),
            resources: self.memory.world.resources(),
        }
    }
}

fn job_summary(job: &Dependent) -> JobSummary {
    JobSummary {
        job: job.label().to_owned(),
        status: job.status().to_owned(),
        security_groups: job.security_groups.iter().map(ToString::to_string).collect(),
    }
}
