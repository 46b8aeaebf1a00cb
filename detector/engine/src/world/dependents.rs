//! All that stands on other resources, found by ARN, by name and by what it stands on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Second;

use super::{
    dependent::{Dependent, End, Kind},
    resource::ResourceKey,
};

/// Kind, account, region and name.
type PlaceAndName = (Kind, Box<str>, Box<str>, Box<str>);

/// What the protection of something is worth: nothing more once it has ended; what began last is worth most.
type Worth = (u8, Second);

/// Everything that stands on other resources.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Dependents {
    known: BTreeMap<u32, Dependent>,
    next: u32,
    /// How many of the known are customization jobs.
    jobs: usize,
    by_arn: BTreeMap<Box<str>, u32>,
    by_name: BTreeMap<PlaceAndName, u32>,
    users: BTreeMap<ResourceKey, BTreeSet<u32>>,
    /// Who made a custom model.
    makers: BTreeMap<ResourceKey, BTreeSet<u32>>,
    /// The parts of a knowledge base or an agent, by its ARN.
    parts: BTreeMap<Box<str>, BTreeSet<u32>>,
}

/// How a record names one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DependentRef<'a> {
    pub(crate) kind: Kind,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) arn: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

impl Dependents {
    /// How many there are that share a limit with `kind`: customization jobs have one of their own.
    pub(crate) fn len_beside(&self, kind: Kind) -> usize {
        if kind == Kind::CustomizationJob { self.jobs } else { self.known.len().saturating_sub(self.jobs) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Dependent)> {
        self.known.iter().map(|(number, one)| (*number, one))
    }

    /// The customization jobs.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = (u32, &Dependent)> {
        let all = self.known.iter().map(|(number, one)| (*number, one));
        all.filter(|(_, one)| one.kind == Kind::CustomizationJob)
    }

    /// One by its number.
    pub(crate) fn get(&self, number: u32) -> Option<&Dependent> {
        self.known.get(&number)
    }

    /// One by its ARN.
    pub(crate) fn by_arn(&self, arn: &str) -> Option<&Dependent> {
        self.by_arn.get(arn).and_then(|number| self.get(*number))
    }

    /// Those that stand on `resource`, by number. On a key stand the deployments of the models that it encrypts, too.
    pub(crate) fn users_of(&self, resource: &ResourceKey) -> BTreeSet<u32> {
        let mut users = self.users.get(resource).cloned().unwrap_or_default();
        if matches!(resource, ResourceKey::KmsKey(_)) {
            let makers: Vec<&Dependent> = users.iter().filter_map(|number| self.get(*number)).collect();
            let models = makers.into_iter().flat_map(Dependent::models);
            let deployments: Vec<u32> = models.filter_map(|model| self.users.get(&model)).flatten().copied().collect();
            users.extend(deployments);
        }
        users
    }

    /// Whether any stands on `resource`.
    pub(crate) fn is_used(&self, resource: &ResourceKey) -> bool {
        self.users.contains_key(resource)
    }

    /// The parts of a knowledge base or an agent.
    pub(crate) fn parts_of(&self, arn: &str) -> impl Iterator<Item = &Dependent> {
        self.parts.get(arn).into_iter().flatten().filter_map(|number| self.get(*number))
    }

    /// When it ended, by itself or with what it is a part of.
    pub(crate) fn end_of(&self, one: &Dependent) -> Option<End> {
        let whole = one.parent.as_deref().and_then(|arn| self.by_arn(arn)).and_then(Dependent::end_of_its_own);
        [one.end_of_its_own(), whole].into_iter().flatten().min()
    }

    /// Whether it had not ended before `at`; what ended exactly then had not.
    pub(crate) fn not_ended_before(&self, one: &Dependent, at: Second) -> bool {
        self.end_of(one).is_none_or(|end| end.at >= at)
    }

    /// Whether it had started and not ended at `at`.
    pub(crate) fn is_live_at(&self, one: &Dependent, at: Second) -> bool {
        one.started.is_some_and(|started| started <= at) && self.not_ended_before(one, at)
    }

    /// The number of one that is known.
    pub(crate) fn find(&self, wanted: DependentRef<'_>) -> Option<u32> {
        if let Some(number) = wanted.arn.and_then(|arn| self.by_arn.get(arn)) {
            return Some(*number);
        }
        let key = (wanted.kind, wanted.account.into(), wanted.region.into(), wanted.name?.into());
        let number = *self.by_name.get(&key)?;
        let known_arn = self.known.get(&number)?.arn.as_deref();
        let same = known_arn.is_none() || wanted.arn.is_none() || known_arn == wanted.arn;
        same.then_some(number)
    }

    /// Changes one, which is made if need be. Returns everything whose story this can change: what it stands on, what
    /// its parts and the whole stand on, and the keys of the models it deploys.
    pub(crate) fn update(
        &mut self,
        wanted: DependentRef<'_>,
        change: impl FnOnce(&mut Dependent),
    ) -> BTreeSet<ResourceKey> {
        let number = self.find(wanted).unwrap_or_else(|| {
            let number = self.next;
            self.next = self.next.saturating_add(1);
            self.jobs = self.jobs.saturating_add(usize::from(wanted.kind == Kind::CustomizationJob));
            number
        });
        let one = self.known.entry(number).or_default();
        one.kind = wanted.kind;
        one.account = wanted.account.into();
        one.region = wanted.region.into();
        if let Some(arn) = wanted.arn {
            one.arn = Some(arn.into());
            self.by_arn.insert(arn.into(), number);
        }
        if let Some(name) = wanted.name {
            one.name = Some(name.into());
            let key = (wanted.kind, wanted.account.into(), wanted.region.into(), name.into());
            self.by_name.insert(key, number);
        }
        change(one);
        let mut resources = one.resources();
        for resource in &resources {
            self.users.entry(resource.clone()).or_default().insert(number);
        }
        for model in one.models() {
            self.makers.entry(model).or_default().insert(number);
        }
        if let Some(parent) = &one.parent {
            self.parts.entry(parent.clone()).or_default().insert(number);
        }
        let whole = self.get(number).and_then(|one| self.by_arn(one.parent.as_deref()?));
        let parts = self.parts_of(wanted.arn.unwrap_or_default()).chain(whole).flat_map(Dependent::resources);
        let keys = resources.iter().filter_map(|model| self.makers.get(model)).flatten();
        let keys = keys.filter_map(|maker| self.get(*maker)).flat_map(Dependent::resources);
        let others: Vec<ResourceKey> = parts.chain(keys).collect();
        resources.extend(others);
        resources
    }

    /// Forgets some that share a limit with `kind`, of which there are `max`: those whose protection is worth least.
    /// Of customization jobs that is one, the one that ended first, else the one that started first. Of the others one
    /// in sixteen of the account that has most. Returns how many.
    pub(crate) fn evict(&mut self, kind: Kind, max: usize) -> usize {
        let of_jobs = kind == Kind::CustomizationJob;
        let worth = |one: &Dependent| match &one.ended {
            Some((ended, _)) => (0_u8, *ended),
            None => (1, one.started.unwrap_or(Second::MIN)),
        };
        let mut accounts: BTreeMap<&str, Vec<(Worth, u32)>> = BTreeMap::new();
        for (number, one) in self.known.iter().filter(|(_, one)| (one.kind == Kind::CustomizationJob) == of_jobs) {
            let payer = if of_jobs { "" } else { &*one.account };
            accounts.entry(payer).or_default().push((worth(one), *number));
        }
        let Some(mut candidates) = accounts.into_values().max_by_key(Vec::len) else { return 0 };
        candidates.sort_unstable();
        candidates.truncate(if of_jobs { 1 } else { (max / 16).max(1) });
        let gone: BTreeSet<u32> = candidates.into_iter().map(|(_, number)| number).collect();
        self.forget(&gone);
        if of_jobs {
            self.jobs = self.jobs.saturating_sub(gone.len());
        }
        gone.len()
    }

    fn forget(&mut self, gone: &BTreeSet<u32>) {
        self.known.retain(|number, _| !gone.contains(number));
        self.by_arn.retain(|_, number| !gone.contains(number));
        self.by_name.retain(|_, number| !gone.contains(number));
        let drop_from = |numbers: &mut BTreeSet<u32>| {
            numbers.retain(|number| !gone.contains(number));
            !numbers.is_empty()
        };
        self.users.retain(|_, numbers| drop_from(numbers));
        self.makers.retain(|_, numbers| drop_from(numbers));
        self.parts.retain(|_, numbers| drop_from(numbers));
    }
}
