//! All that stands on other resources, found by ARN, by name and by what it stands on.
//!
//! Each is kept packed and found by hashes, so a live job costs a few hundred bytes. What is handed out is a copy.
//! Deliberately nothing but the dependents themselves: how they are found follows from them.

mod index;
mod keys;
mod outline;
mod packed;
mod snapshot;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use crate::{bytes::Writer, time::Second};

pub(crate) use self::outline::Outline;
use self::{index::Index, keys::Key, packed::Packed, texts::Texts};
use super::{
    dependent::{Dependent, End, Kind},
    resource::ResourceKey,
};

/// What the protection of something is worth: nothing more once it has ended, little while only a network interface
/// names it; what began last is worth most.
type Worth = (u8, Second);

/// What was forgotten because of a limit.
#[derive(Debug, Default)]
pub(crate) struct Evicted {
    pub(crate) count: usize,
    /// What those that are forgotten stood on.
    pub(crate) resources: BTreeSet<ResourceKey>,
}

/// Everything that stands on other resources.
#[derive(Debug, Default)]
pub(crate) struct Dependents {
    /// By number.
    known: Vec<Option<Packed>>,
    free: Vec<u32>,
    /// How many of the known are customization jobs.
    jobs: usize,
    texts: Texts,
    index: Index,
    writer: Writer,
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
        if kind == Kind::CustomizationJob { self.jobs } else { self.len().saturating_sub(self.jobs) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len().saturating_sub(self.free.len())
    }

    /// The customization jobs.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = (u32, Dependent)> {
        let all = self.packed().filter_map(|(number, packed)| Some((number, packed.unpack(&self.texts)?)));
        all.filter(|(_, one)| one.kind == Kind::CustomizationJob)
    }

    /// One by its number.
    pub(crate) fn get(&self, number: u32) -> Option<Dependent> {
        self.packed_at(number)?.unpack(&self.texts)
    }

    /// One by its ARN.
    pub(crate) fn by_arn(&self, arn: &str) -> Option<Dependent> {
        self.found_by(Key::Arn(arn)).next().map(|(_, one)| one)
    }

    /// Those that stand on `resource`, by number. On a key stand the deployments of the models that it encrypts, too.
    pub(crate) fn users_of(&self, resource: &ResourceKey) -> BTreeMap<u32, Dependent> {
        let mut users: BTreeMap<u32, Dependent> = self.found_by(Key::Resource(resource)).collect();
        if matches!(resource, ResourceKey::KmsKey(_)) {
            let models: BTreeSet<ResourceKey> = users.values().flat_map(Dependent::models).collect();
            users.extend(models.iter().flat_map(|model| self.found_by(Key::Resource(model))));
        }
        users
    }

    /// Whether any stands on `resource`.
    pub(crate) fn is_used(&self, resource: &ResourceKey) -> bool {
        self.found_by(Key::Resource(resource)).next().is_some()
    }

    /// The parts of a knowledge base or an agent.
    pub(crate) fn parts_of(&self, arn: &str) -> impl Iterator<Item = Dependent> {
        self.found_by(Key::Whole(arn)).map(|(_, one)| one)
    }

    /// When it ended, by itself or with what it is a part of.
    pub(crate) fn end_of(&self, one: &Dependent) -> Option<End> {
        let whole = one.parent.as_deref().and_then(|arn| self.by_arn(arn)).and_then(|whole| whole.end_of_its_own());
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

    /// One that is known. Of several with a name it is the one that began last.
    pub(crate) fn find(&self, wanted: DependentRef<'_>) -> Option<(u32, Dependent)> {
        let DependentRef { kind, account, region, arn, name } = wanted;
        if let Some(found) = arn.and_then(|arn| self.found_by(Key::Arn(arn)).next()) {
            return Some(found);
        }
        let named = self.found_by(Key::Name { kind, account, region, name: name? });
        let (number, one) = named.max_by_key(|(number, one)| (one.arn.is_some(), one.started, *number))?;
        (one.arn.is_none() || arn.is_none()).then_some((number, one))
    }

    /// Changes one, which is made if need be. Returns everything whose story this can change: what it stands on, stood
    /// on as far as was known, what its parts and the whole stand on, and the keys of the models it deploys.
    pub(crate) fn update(
        &mut self,
        wanted: DependentRef<'_>,
        change: impl FnOnce(&mut Dependent),
    ) -> BTreeSet<ResourceKey> {
        let (number, mut one) = self.find(wanted).unwrap_or_else(|| (self.new_number(), Dependent::default()));
        let mut resources = one.resources();
        let before = keys::hashes_of(&one, &resources);
        one.kind = wanted.kind;
        one.account = wanted.account.into();
        one.region = wanted.region.into();
        if let Some(arn) = wanted.arn {
            one.arn = Some(arn.into());
        }
        if let Some(name) = wanted.name {
            one.name = Some(name.into());
        }
        change(&mut one);
        let stands_on = one.resources();
        self.file(number, &before, &keys::hashes_of(&one, &stands_on));
        self.put(number, &one);
        resources.extend(stands_on);
        let whole = one.parent.as_deref().and_then(|arn| self.by_arn(arn));
        let parts = self.parts_of(wanted.arn.unwrap_or_default()).chain(whole);
        let models = resources.iter().filter(|resource| resource.is_custom_model());
        let makers = models.flat_map(|model| self.found_by(Key::Model(model)).map(|(_, maker)| maker));
        let others: Vec<ResourceKey> = parts.chain(makers).flat_map(|one| one.resources()).collect();
        resources.extend(others);
        resources
    }

    /// Forgets some that share a limit with `kind`, of which there are `max`: those whose protection is worth least.
    /// Of customization jobs that is one: of those worth least, of the account that has most of them, the one that ended
    /// or started first. Of the others one in sixteen of the account that has most.
    pub(crate) fn evict(&mut self, kind: Kind, max: usize) -> Evicted {
        let of_jobs = kind == Kind::CustomizationJob;
        let mut accounts: BTreeMap<(u8, &str), Vec<(Worth, u32)>> = BTreeMap::new();
        for (number, packed) in self.packed() {
            let Some(head) = packed.head(&self.texts) else { continue };
            if (head.kind == Kind::CustomizationJob) != of_jobs {
                continue;
            }
            let worth = match head.ended {
                Some(ended) => (0, ended),
                // Whoever may tag a network interface can invent such a job, of any account. A job that somebody created
                // or that AWS speaks of has a role.
                None if of_jobs && head.role_arn.is_none() => (1, head.started.unwrap_or(Second::MIN)),
                None => (2, head.started.unwrap_or(Second::MIN)),
            };
            let class = if of_jobs { worth.0 } else { 0 };
            accounts.entry((class, head.account)).or_default().push((worth, number));
        }
        let least = accounts.keys().next().map(|(class, _)| *class);
        let of_least = accounts.into_iter().filter(|((class, _), _)| Some(*class) == least);
        let Some(mut candidates) = of_least.map(|(_, ones)| ones).max_by_key(Vec::len) else {
            return Evicted::default();
        };
        candidates.sort_unstable();
        candidates.truncate(if of_jobs { 1 } else { (max / 16).max(1) });
        let numbers = candidates.iter().map(|(_, number)| *number);
        let resources = numbers.clone().filter_map(|number| self.get(number)).flat_map(|one| one.resources()).collect();
        numbers.for_each(|number| self.forget(number));
        Evicted { count: candidates.len(), resources }
    }

    fn packed(&self) -> impl Iterator<Item = (u32, &Packed)> {
        (0_u32..).zip(&self.known).filter_map(|(number, packed)| Some((number, packed.as_ref()?)))
    }

    fn packed_at(&self, number: u32) -> Option<&Packed> {
        self.known.get(index_of(number))?.as_ref()
    }

    /// Those that a key finds, by number.
    fn found_by(&self, key: Key<'_>) -> impl Iterator<Item = (u32, Dependent)> {
        let filed = self.index.at(key.hash()).iter().filter_map(|number| Some((*number, self.get(*number)?)));
        filed.filter(move |(_, one)| key.finds(one))
    }

    /// A number that is free.
    fn new_number(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            return number;
        }
        // Room for an eighth more rather than for as many again.
        if self.known.len() == self.known.capacity() {
            self.known.reserve_exact((self.known.len() / 8).max(4));
        }
        self.known.push(None);
        u32::try_from(self.known.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Files a number under other keys than before.
    fn file(&mut self, number: u32, before: &[u32], after: &[u32]) {
        for gone in before.iter().filter(|key| after.binary_search(key).is_err()) {
            self.index.remove(*gone, number);
        }
        for new in after.iter().filter(|key| before.binary_search(key).is_err()) {
            self.index.insert(*new, number);
        }
    }

    /// Keeps one under its number.
    fn put(&mut self, number: u32, one: &Dependent) {
        let packed = Packed::new(one, &mut self.texts, &mut self.writer);
        self.jobs = self.jobs.saturating_add(usize::from(one.kind == Kind::CustomizationJob));
        // The texts of the old form are released after those of the new one are used: most are the same.
        let old = self.known.get_mut(index_of(number)).and_then(|place| place.replace(packed));
        self.release(old);
    }

    fn forget(&mut self, number: u32) {
        let Some(one) = self.get(number) else { return };
        self.file(number, &keys::hashes_of(&one, &one.resources()), &[]);
        let old = self.known.get_mut(index_of(number)).and_then(Option::take);
        self.release(old);
        self.free.push(number);
    }

    fn release(&mut self, old: Option<Packed>) {
        let Some(old) = old else { return };
        let was_job = old.head(&self.texts).is_some_and(|head| head.kind == Kind::CustomizationJob);
        self.jobs = self.jobs.saturating_sub(usize::from(was_job));
        old.release(&mut self.texts);
    }
}

fn index_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
