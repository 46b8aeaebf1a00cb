//! A sweep: every account and region is asked, several at once, and each answers or fails for itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bedrock_watch_engine::{ObservedDependent, ObservedJob, ObservedLogging, Second};
use futures_util::{Stream, StreamExt as _, stream};

use super::{
    ask::{Asker, now},
    assistants::Assistants,
    failure::{Cause, Failure},
    jobs::{self, is_live},
    logging,
    network::{self, Network},
    places::Target,
};

/// Accounts and regions asked at the same time.
pub(crate) const PLACES_AT_ONCE: usize = 8;
/// Jobs of one place described at the same time.
const JOBS_AT_ONCE: usize = 4;
/// Of a job that ended longer ago than this, in seconds, a list tells enough: nothing that is still to come was done
/// while it was live.
const DESCRIBED_S: u32 = 86_400;
/// A job that ended longer ago than this, in seconds, no longer matters: the engine remembers no longer.
const REMEMBERED_S: u32 = 30 * 86_400;
/// Ended jobs remembered of one place; beyond that, they are asked for again.
const ENDED_MAX: usize = 20_000;

/// Which jobs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every job there ever was.
    Every,
    /// Live jobs, and once those that ended in the last 30 days.
    Recent,
}

/// What was seen in one account and region.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) target: Target,
    /// When jobs were asked for.
    pub(crate) at: Second,
    pub(crate) jobs: Vec<ObservedJob>,
    /// What the jobs stand on: all jobs, or in scope [`Scope::Recent`] the live ones. `None` if that is not known.
    pub(crate) network: Option<Network>,
    /// The logging configuration and from when on it holds; `None` if that is not known.
    pub(crate) logging: Option<(Second, ObservedLogging)>,
    /// Knowledge bases and agents that are new or have changed.
    pub(crate) assistants: Vec<ObservedDependent>,
    /// What could not be found out.
    pub(crate) failures: Vec<Failure>,
}

/// Asks, and remembers what never changes.
#[derive(Debug, Clone)]
pub(crate) struct Sweeper {
    asker: Asker,
    scope: Scope,
    /// Jobs that have ended and were reported, with their end, by place and ARN.
    ended: Arc<Mutex<BTreeMap<Target, BTreeMap<String, Second>>>>,
    assistants: Assistants,
}

impl Sweeper {
    pub(crate) fn new(asker: Asker, scope: Scope) -> Self {
        Self { asker, scope, ended: Arc::default(), assistants: Assistants::default() }
    }

    /// Asks all of `targets`, and gives what each answers as it comes.
    pub(crate) fn answers(&self, targets: &[Target]) -> impl Stream<Item = Seen> + Send {
        // Collected, because a stream that makes them one by one is not known to be `Send`.
        let looks: Vec<_> = targets.iter().map(|target| self.look(target, targets)).collect();
        stream::iter(looks).buffer_unordered(PLACES_AT_ONCE)
    }

    async fn look(&self, target: &Target, all: &[Target]) -> Seen {
        let at = now();
        let mut seen = Seen {
            target: target.clone(),
            at,
            jobs: Vec::new(),
            network: None,
            logging: None,
            assistants: Vec::new(),
            failures: Vec::new(),
        };
        match self.jobs(target, &mut seen.failures).await {
            Ok(jobs) => seen.jobs = jobs,
            Err(failure) if target.of_all && failure.cause == Cause::NoEndpoint => {
                // Bedrock is not in every region that an account has enabled.
                tracing::debug!(%failure, "a region without Bedrock");
                return seen;
            }
            Err(failure) => {
                seen.failures.push(failure);
                return seen;
            }
        }
        let standing = |job: &&ObservedJob| self.scope == Scope::Every || is_live(&job.status);
        let jobs: Vec<&ObservedJob> = seen.jobs.iter().filter(standing).collect();
        let in_region = |other: &&Target| other.region == target.region && other.account != target.account;
        let others: Vec<&Target> = all.iter().filter(in_region).collect();
        match network::look(&self.asker, target, &others, &jobs).await {
            Ok((network, failures)) => {
                seen.network = Some(network);
                seen.failures.extend(failures);
            }
            Err(failure) => seen.failures.push(failure),
        }
        if self.scope == Scope::Recent {
            match logging::look(&self.asker, target).await {
                Ok(logging) => seen.logging = Some(logging),
                Err(failure) => seen.failures.push(failure),
            }
            let (assistants, failures) = self.assistants.look(&self.asker, target).await;
            seen.assistants = assistants;
            seen.failures.extend(failures);
        }
        seen
    }

    /// The jobs there, in full where that matters. A job that cannot be described is named, and what the list tells of
    /// it remains.
    async fn jobs(&self, target: &Target, failures: &mut Vec<Failure>) -> Result<Vec<ObservedJob>, Failure> {
        let present = now();
        let listed = jobs::list(&self.asker, target).await?;
        let listed: Vec<ObservedJob> = listed.into_iter().filter(|job| self.is_wanted(target, job, present)).collect();
        let is_whole = |job: &ObservedJob| self.scope == Scope::Recent && ended_before(job, present.minus(DESCRIBED_S));
        let (mut jobs, to_describe): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_whole);
        let describe = |job: ObservedJob| async move {
            let described = jobs::describe(&self.asker, target, &job.job_arn).await;
            (job, described)
        };
        let asked: Vec<_> = to_describe.into_iter().map(describe).collect();
        let mut described = stream::iter(asked).buffer_unordered(JOBS_AT_ONCE);
        while let Some((listed, described)) = described.next().await {
            jobs.push(described.unwrap_or_else(|failure| {
                failures.push(failure);
                listed
            }));
        }
        jobs.sort_by(|left, right| left.job_arn.cmp(&right.job_arn));
        if self.scope == Scope::Recent && failures.is_empty() {
            self.remember(target, &jobs, present);
        }
        Ok(jobs)
    }

    fn is_wanted(&self, target: &Target, job: &ObservedJob, present: Second) -> bool {
        if self.scope == Scope::Every || is_live(&job.status) {
            return true;
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = ended.get(target).is_some_and(|ended| ended.contains_key(&job.job_arn));
        !is_known && !ended_before(job, present.minus(REMEMBERED_S))
    }

    fn remember(&self, target: &Target, jobs: &[ObservedJob], present: Second) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = ended.entry(target.clone()).or_default();
        ended.retain(|_, end| *end >= present.minus(REMEMBERED_S));
        let new = jobs.iter().filter(|job| !is_live(&job.status));
        ended.extend(new.map(|job| (job.job_arn.clone(), end_of(job).unwrap_or(present))));
        while ended.len() > ENDED_MAX {
            ended.pop_first();
        }
    }
}

fn end_of(job: &ObservedJob) -> Option<Second> {
    job.end_time.as_deref().and_then(Second::parse)
}

fn ended_before(job: &ObservedJob, time: Second) -> bool {
    !is_live(&job.status) && end_of(job).is_some_and(|end| end < time)
}
