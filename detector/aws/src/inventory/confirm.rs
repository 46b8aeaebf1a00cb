//! AWS's word on the jobs of an alert, before anybody is told of it.
//!
//! Completion events get lost. What Bedrock answers is an observation like any other: the engine withdraws or resolves
//! the alert if a job has ended. Deliberately nothing here decides that.

use async_trait::async_trait;
use bedrock_watch_engine::{ObservedJob, alert::Alert};
use bedrock_watch_service::{
    cloud::CloudError,
    sink::Confirm,
    source::{Intake, Kept},
};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    ask::{Asker, now},
    failure::{Cause, Failure},
    jobs, places,
    places::Target,
    records,
};

/// Jobs asked about for one alert; more than these are not in danger at once by one group in practice.
const JOBS_MAX: usize = 20;

/// Asks Bedrock.
#[derive(Debug)]
pub(crate) struct AskBedrock {
    asker: Asker,
    intake: Intake,
    own: OnceCell<String>,
}

impl AskBedrock {
    /// Asks by `asker`, and puts what was answered into `intake`.
    pub(crate) fn new(asker: Asker, intake: Intake) -> Self {
        Self { asker, intake, own: OnceCell::new() }
    }

    /// Whether there is a way to ask that account.
    async fn can_ask(&self, account: &str) -> Result<bool, Failure> {
        if places::role_of(&self.asker, account).is_ok() {
            return Ok(true);
        }
        let own = self.own.get_or_try_init(|| places::own_account(&self.asker)).await?;
        Ok(own == account)
    }
}

#[async_trait]
impl Confirm for AskBedrock {
    async fn confirm(&self, alert: &Alert) -> Result<(), CloudError> {
        let failed = |failure: Failure| CloudError(failure.to_string());
        let region = alert.region.clone().unwrap_or_default();
        let target = Target { account: alert.account.clone(), region, of_all: false };
        if !self.can_ask(&target.account).await.map_err(failed)? {
            tracing::debug!(alert = %alert.id, %target, "no way to ask that account about its jobs");
            return Ok(());
        }
        let named = alert.facts.get("jobs").and_then(Value::as_array).into_iter().flatten();
        let label = |job: &Value| ["arn", "name"].iter().find_map(|key| job.get(key)?.as_str().map(str::to_owned));
        let at = now();
        let asked = named.filter_map(label).take(JOBS_MAX).map(|job| {
            let (asker, target) = (&self.asker, &target);
            async move { jobs::describe(asker, target, &job).await }
        });
        let mut known: Vec<ObservedJob> = Vec::new();
        let mut failure = None;
        for answer in join_all(asked).await {
            match answer {
                Ok(job) => known.push(job),
                // A job that does not exist is none that has ended; the alert stands.
                Err(error) if error.cause == Cause::NotFound => {}
                Err(error) => failure = Some(error),
            }
        }
        if !known.is_empty() {
            let records = records::of_jobs(&target, at, known, fastrand::u64(..));
            let closed = |_| CloudError("the service is shutting down".to_owned());
            let outcome = self.intake.ask(records, Kept::Nowhere).await.map_err(closed)?;
            outcome.await.map_err(|_| CloudError("the service is shutting down".to_owned()))?;
        }
        failure.map_or(Ok(()), |failure| Err(failed(failure)))
    }
}
