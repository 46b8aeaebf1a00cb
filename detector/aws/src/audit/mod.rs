//! The check "customization jobs must have active security groups", for every job of every status: what `audit` does.
//!
//! It automates the audit and the remediation of the Conformity rule of that name. Deliberately no memory and no alert:
//! the daemon reports live jobs by itself, this reports what there is now.

mod output;
mod verdict;

use std::pin::pin;

use bedrock_watch_engine::Second;
use bedrock_watch_service::cloud::CloudError;
use futures_util::StreamExt as _;

pub use output::{Finding, Summary};
pub use verdict::{Row, Verdict};

use crate::{
    clients::Aws,
    inventory::{Asker, Scope, Sweeper, Target, now, own_account, targets},
};

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// When it was begun.
    pub at: Second,
    /// Every job with each of its groups, by account, region, job and group.
    pub rows: Vec<Row>,
    /// How many accounts and regions were asked.
    pub places: usize,
    /// What could not be found out, and what to do about it.
    pub failures: Vec<String>,
}

/// How far an audit is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Accounts and regions that have answered.
    pub done: usize,
    /// Accounts and regions in all.
    pub all: usize,
    /// The one that answered last.
    pub place: String,
}

/// Which accounts can be asked: the own one first.
///
/// # Errors
/// When there are no valid credentials.
pub async fn accounts(aws: &Aws) -> Result<Vec<String>, CloudError> {
    let own = own_account(&Asker::new(aws.clone())).await.map_err(|failure| CloudError(failure.to_string()))?;
    let others = aws.accounts().keys().filter(|account| **account != own).cloned();
    // Those without a usable role fail when they are asked, and are named then.
    Ok(std::iter::once(own.clone()).chain(others).collect())
}

/// Looks at every job in the regions of `accounts`, of which the first is the own one; empty are all that are known.
///
/// # Errors
/// When there are no valid credentials. What else fails is part of the report.
pub async fn audit(aws: &Aws, accounts: &[String], mut each: impl FnMut(&Progress)) -> Result<Report, CloudError> {
    let (at, asker) = (now(), Asker::new(aws.clone()));
    let own = own_account(&asker).await.map_err(|failure| CloudError(failure.to_string()))?;
    let (found, failed) = targets(&asker, &own).await;
    let is_wanted = |target: &Target| accounts.is_empty() || accounts.contains(&target.account);
    let wanted: Vec<Target> = found.into_iter().filter(is_wanted).collect();
    let failed = failed.into_iter().filter(|failure| is_wanted(&failure.target));
    let mut failures: Vec<String> = failed.map(|failure| failure.to_string()).collect();
    let mut rows = Vec::new();
    let sweeper = Sweeper::new(asker, Scope::Every);
    let mut answers = pin!(sweeper.answers(&wanted));
    let mut done = 0_usize;
    while let Some(seen) = answers.next().await {
        done = done.saturating_add(1);
        each(&Progress { done, all: wanted.len(), place: seen.target.to_string() });
        failures.extend(seen.failures.iter().map(ToString::to_string));
        rows.extend(verdict::rows(&seen));
    }
    rows.sort_by(|left, right| left.order().cmp(&right.order()));
    Ok(Report { at, rows, places: wanted.len(), failures })
}
