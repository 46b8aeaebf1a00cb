//! Customization jobs: what each stands on, when it started and when it ended, from whatever source said so.
//!
//! Every fact is joined so that the order of arrival does not matter: starts and ends take the earliest, names and
//! lists the union.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Second;

use super::resource::ResourceKey;

/// A customization job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) arn: Option<Box<str>>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) account: Box<str>,
    pub(crate) region: Box<str>,
    /// The earliest moment at which it is known to have existed.
    pub(crate) started: Option<Second>,
    /// The earliest known end, and the status it ended with.
    pub(crate) ended: Option<(Second, Box<str>)>,
    /// Whether somebody asked to stop it.
    pub(crate) stopping: bool,
    pub(crate) security_groups: BTreeSet<Box<str>>,
    pub(crate) subnets: BTreeSet<Box<str>>,
    pub(crate) role_arn: Option<Box<str>>,
    pub(crate) kms_key: Option<Box<str>>,
    pub(crate) training_uri: Option<Box<str>>,
    pub(crate) validation_uris: BTreeSet<Box<str>>,
    pub(crate) output_uri: Option<Box<str>>,
    pub(crate) output_model: Option<Box<str>>,
    pub(crate) base_model: Option<Box<str>>,
    pub(crate) customization_type: Option<Box<str>>,
    pub(crate) hyper_parameters: BTreeMap<Box<str>, Box<str>>,
    pub(crate) job_tags: BTreeMap<Box<str>, Box<str>>,
    pub(crate) model_tags: BTreeMap<Box<str>, Box<str>>,
}

impl Job {
    /// Whether the job had not ended before `at`; a job that ended exactly then had not.
    pub(crate) fn not_ended_before(&self, at: Second) -> bool {
        self.ended.as_ref().is_none_or(|(ended, _)| *ended >= at)
    }

    /// Whether the job had started and not ended at `at`.
    pub(crate) fn is_live_at(&self, at: Second) -> bool {
        self.started.is_some_and(|started| started <= at) && self.not_ended_before(at)
    }

    /// Whether the job is known to have ended.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The status people know it by.
    pub(crate) fn status(&self) -> &str {
        match (&self.ended, self.stopping) {
            (Some((_, status)), _) => status,
            (None, true) => "Stopping",
            (None, false) => "InProgress",
        }
    }

    /// Its ARN, else its name.
    pub(crate) fn label(&self) -> &str {
        self.arn.as_deref().or(self.name.as_deref()).unwrap_or("unknown")
    }

    /// Notes that the job existed at `at`.
    pub(crate) fn existed_at(&mut self, at: Second) {
        self.started = Some(self.started.map_or(at, |started| started.min(at)));
    }

    /// Notes that the job ended. Of several ends the earliest counts.
    pub(crate) fn end(&mut self, at: Second, status: &str) {
        let end = (at, status.into());
        if self.ended.as_ref().is_none_or(|known| end < *known) {
            self.ended = Some(end);
        }
    }

    /// Everything it stands on, except VPC endpoints, which it never names.
    pub(crate) fn resources(&self) -> BTreeSet<ResourceKey> {
        let mut resources = BTreeSet::new();
        resources.extend(self.security_groups.iter().cloned().map(ResourceKey::SecurityGroup));
        resources.extend(self.subnets.iter().cloned().map(ResourceKey::Subnet));
        resources.extend(self.role_arn.as_deref().and_then(ResourceKey::role_of_arn));
        resources.extend(self.kms_key.as_deref().map(|key| ResourceKey::kms_key(key, &self.account)));
        let uris = [&self.training_uri, &self.output_uri].into_iter().flatten().chain(&self.validation_uris);
        resources.extend(uris.filter_map(|uri| ResourceKey::bucket_of_uri(uri)));
        resources
    }
}

/// Account, region and name of a job.
type PlaceAndName = (Box<str>, Box<str>, Box<str>);

/// All jobs, found by ARN, by name and by what they stand on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u32, Job>,
    next: u32,
    by_arn: BTreeMap<Box<str>, u32>,
    by_name: BTreeMap<PlaceAndName, u32>,
    users: BTreeMap<ResourceKey, BTreeSet<u32>>,
}

/// How a record names a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobRef<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) arn: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

impl Jobs {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// All jobs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// A job by its number.
    pub(crate) fn get(&self, number: u32) -> Option<&Job> {
        self.jobs.get(&number)
    }

    /// The jobs that stand on `resource`, by number.
    pub(crate) fn users_of(&self, resource: &ResourceKey) -> impl Iterator<Item = u32> {
        self.users.get(resource).into_iter().flatten().copied()
    }

    /// Whether any job stands on `resource`.
    pub(crate) fn is_used(&self, resource: &ResourceKey) -> bool {
        self.users.contains_key(resource)
    }

    /// The number of a job that is known.
    pub(crate) fn find(&self, wanted: JobRef<'_>) -> Option<u32> {
        if let Some(number) = wanted.arn.and_then(|arn| self.by_arn.get(arn)) {
            return Some(*number);
        }
        let key = (wanted.account.into(), wanted.region.into(), wanted.name?.into());
        let number = *self.by_name.get(&key)?;
        let known_arn = self.jobs.get(&number)?.arn.as_deref();
        let same = known_arn.is_none() || wanted.arn.is_none() || known_arn == wanted.arn;
        same.then_some(number)
    }

    /// Changes a job, which is made if need be. Returns everything it stands on.
    pub(crate) fn update(&mut self, wanted: JobRef<'_>, change: impl FnOnce(&mut Job)) -> BTreeSet<ResourceKey> {
        let number = self.find(wanted).unwrap_or_else(|| {
            let number = self.next;
            self.next = self.next.saturating_add(1);
            number
        });
        let job = self.jobs.entry(number).or_default();
        job.account = wanted.account.into();
        job.region = wanted.region.into();
        if let Some(arn) = wanted.arn {
            job.arn = Some(arn.into());
            self.by_arn.insert(arn.into(), number);
        }
        if let Some(name) = wanted.name {
            job.name = Some(name.into());
            self.by_name.insert((wanted.account.into(), wanted.region.into(), name.into()), number);
        }
        change(job);
        let resources = job.resources();
        for resource in &resources {
            self.users.entry(resource.clone()).or_default().insert(number);
        }
        resources
    }

    /// Forgets the job whose protection is worth least: the one that ended first, else the one that started first.
    pub(crate) fn evict(&mut self) {
        let worth = |job: &Job| match &job.ended {
            Some((ended, _)) => (0_u8, *ended),
            None => (1, job.started.unwrap_or(Second::MIN)),
        };
        let Some(number) = self.jobs.iter().min_by_key(|(_, job)| worth(job)).map(|(number, _)| *number) else {
            return;
        };
        self.jobs.remove(&number);
        self.by_arn.retain(|_, other| *other != number);
        self.by_name.retain(|_, other| *other != number);
        for users in self.users.values_mut() {
            users.remove(&number);
        }
        self.users.retain(|_, users| !users.is_empty());
    }
}
