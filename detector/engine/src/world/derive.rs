//! Joins jobs with what they stand on: from everything known about one resource, the state events it gives.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::{order::Evidence, settings::Settings};

use super::{
    World,
    job::Job,
    resource::{LossInterval, ResourceKey},
    security_group::{EmptyStretch, SecurityGroup},
    state_event::{Repair, StateEvent, count, text},
};

/// The jobs of one account and region that stand on a resource.
type Users<'a> = Vec<(u32, &'a Job)>;

impl World {
    /// The state events about a resource.
    pub(crate) fn derive_resource(&self, resource: &ResourceKey, settings: &Settings) -> Vec<StateEvent> {
        let mut events = Vec::new();
        if !self.has_story(resource) {
            return events;
        }
        let partitions = self.users_by_place(resource);
        for ((account, region), users) in &partitions {
            let about = About { world: self, resource, account, region, users };
            about.losses(&mut events);
            about.refusals(&mut events);
            if let ResourceKey::SecurityGroup(id) = resource
                && let Some(group) = self.groups.get(id)
            {
                about.emptied(group, settings, &mut events);
                about.missing(group, &mut events);
            }
        }
        events
    }

    /// Whether anything happened to a resource that could matter to its users; nearly always nothing did.
    fn has_story(&self, resource: &ResourceKey) -> bool {
        let ledger = self.ledgers.get(resource);
        let of_ledger = ledger.is_some_and(|ledger| !ledger.refusals.is_empty() || ledger.losses().next().is_some());
        of_ledger
            || match resource {
                ResourceKey::SecurityGroup(id) => self
                    .groups
                    .get(id)
                    .is_some_and(|group| !group.missing.is_empty() || !group.empty_stretches().is_empty()),
                _ => false,
            }
    }

    /// Notes when the empty stretches of a group will be long enough to matter.
    pub(crate) fn schedule_emptied(&mut self, resource: &ResourceKey, settings: &Settings) {
        let ResourceKey::SecurityGroup(id) = resource else { return };
        if !self.jobs.is_used(resource) {
            return;
        }
        let Some(group) = self.groups.get(id) else { return };
        for stretch in group.empty_stretches() {
            let due = stretch.evidence.moment.at.plus(settings.emptied_grace_s);
            if due > self.clock && stretch.until.is_none_or(|until| until >= due) {
                self.emptied_due.entry(due).or_default().insert(id.clone());
            }
        }
    }

    /// The jobs that stand on a resource, by their account and region.
    fn users_by_place(&self, resource: &ResourceKey) -> BTreeMap<(&str, &str), Users<'_>> {
        let mut numbers: Vec<u32> = match resource {
            ResourceKey::VpcEndpoint(id) => {
                self.network.neighbours_of(id).flat_map(|neighbour| self.jobs.users_of(neighbour)).collect()
            }
            other => self.jobs.users_of(other).collect(),
        };
        numbers.sort_unstable();
        numbers.dedup();
        let mut places: BTreeMap<(&str, &str), Users<'_>> = BTreeMap::new();
        for number in numbers {
            if let Some(job) = self.jobs.get(number) {
                places.entry((&*job.account, &*job.region)).or_default().push((number, job));
            }
        }
        for users in places.values_mut() {
            users.sort_by(|(_, left), (_, right)| left.label().cmp(right.label()));
        }
        places
    }
}

/// A resource as the jobs of one account and region see it.
struct About<'a> {
    world: &'a World,
    resource: &'a ResourceKey,
    account: &'a str,
    region: &'a str,
    users: &'a Users<'a>,
}

impl About<'_> {
    fn losses(&self, events: &mut Vec<StateEvent>) {
        let Some(ledger) = self.world.ledgers.get(self.resource) else { return };
        for LossInterval { evidence, loss, back } in ledger.losses() {
            let lost_at = evidence.moment.at;
            let affected = self.users_where(|job| {
                let started_in_time =
                    back.is_none_or(|back| job.started.is_none_or(|started| started < back.moment.at));
                job.not_ended_before(lost_at) && started_in_time
            });
            let mut event = self.event("JobDependencyLost", std::slice::from_ref(evidence), &affected);
            event.fields.push(("dependency.change", text(loss.as_str())));
            event.fields.push(("jobs.affected", count(affected.len())));
            event.facts.insert("deleted_by".to_owned(), json!(evidence.principal));
            event.facts.insert("change".to_owned(), json!(loss.as_str()));
            event.over = back.is_some() || all_ended(&affected);
            events.push(event);
        }
    }

    fn refusals(&self, events: &mut Vec<StateEvent>) {
        let Some(ledger) = self.world.ledgers.get(self.resource) else { return };
        for (evidence, code) in &ledger.refusals {
            let live = self.users_where(|job| job.is_live_at(evidence.moment.at));
            let mut event = self.event("JobDependencyDeleteRefused", std::slice::from_ref(evidence), &live);
            event.fields.push(("dependency.error", text(code)));
            event.fields.push(("jobs.live", count(live.len())));
            event.facts.insert("attempted_by".to_owned(), json!(evidence.principal));
            event.facts.insert("error_codes".to_owned(), json!([code]));
            events.push(event);
        }
    }

    fn emptied(&self, group: &SecurityGroup, settings: &Settings, events: &mut Vec<StateEvent>) {
        let deleted = self.world.ledgers.get(self.resource).and_then(|ledger| ledger.deletion());
        for EmptyStretch { evidence, until } in group.empty_stretches() {
            let due = evidence.moment.at.plus(settings.emptied_grace_s);
            let deleted_first = deleted.is_some_and(|deletion| deletion.moment.at < due);
            if due > self.world.clock || deleted_first || until.is_some_and(|until| until < due) {
                continue;
            }
            let affected = self.users_where(|job| {
                job.not_ended_before(due) && until.is_none_or(|until| job.started.is_none_or(|started| started < until))
            });
            let mut event = self.event("JobDependencyEmptied", std::slice::from_ref(evidence), &affected);
            event.fields.push(("jobs.affected", count(affected.len())));
            event.facts.insert("emptied_by".to_owned(), json!(evidence.principal));
            event.facts.insert("empty_since".to_owned(), json!(evidence.moment.at.to_rfc3339()));
            event.over = until.is_some() || all_ended(&affected);
            events.push(event);
        }
    }

    /// A group that AWS says does not exist, while no deletion of it was seen.
    fn missing(&self, group: &SecurityGroup, events: &mut Vec<StateEvent>) {
        let deleted = self.world.ledgers.get(self.resource).is_some_and(|ledger| ledger.deletion().is_some());
        if deleted {
            return;
        }
        let is_live = |job: &Job, said: &Evidence| job.is_live_at(said.moment.at);
        let live = self.users_where(|job| group.missing.iter().any(|said| is_live(job, said)));
        // The earliest saying that concerns a live job; if none does, the earliest of all.
        let concerns = |said: &&Evidence| self.users.iter().any(|(_, job)| is_live(job, said));
        let Some(evidence) = group.missing.iter().find(concerns).or_else(|| group.missing.first()) else { return };
        let mut event = self.event("JobDependencyMissing", std::slice::from_ref(evidence), &live);
        event.fields.push(("jobs.live", count(live.len())));
        event.facts.insert("missing_since".to_owned(), json!(evidence.moment.at.to_rfc3339()));
        event.over = group.is_back() || all_ended(&live);
        events.push(event);
    }

    fn users_where(&self, wanted: impl Fn(&Job) -> bool) -> Users<'_> {
        self.users.iter().copied().filter(|(_, job)| wanted(job)).collect()
    }

    fn event(&self, event: &'static str, evidence: &[Evidence], jobs: &Users<'_>) -> StateEvent {
        let ledger = self.world.ledgers.get(self.resource);
        let owner = self.owner();
        let subject = match self.resource {
            ResourceKey::SecurityGroup(id) | ResourceKey::Subnet(id) | ResourceKey::VpcEndpoint(id) => id.to_string(),
            ResourceKey::Bucket(name) => name.to_string(),
            ResourceKey::Role { account, name } => self
                .named_by_job(|job| job.role_arn.as_deref())
                .unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{name}")),
            ResourceKey::KmsKey(id) => ledger
                .and_then(|ledger| ledger.arn.as_deref().map(str::to_owned))
                .or_else(|| self.named_by_job(|job| job.kms_key.as_deref()))
                .unwrap_or_else(|| id.to_string()),
            ResourceKey::LogGroup { name, .. } => name.to_string(),
        };
        let mut facts = Map::new();
        facts.insert("jobs".to_owned(), jobs.iter().map(|(_, job)| job_fact(job)).collect());
        facts.insert("dependency_kind".to_owned(), json!(self.resource.kind()));
        facts.insert("dependency_account".to_owned(), json!(owner));
        let mut fields = vec![("dependency.kind", text(self.resource.kind())), ("dependency.id", text(&subject))];
        if let Some(owner) = &owner {
            fields.push(("dependency.account", text(owner)));
        }
        StateEvent {
            event,
            account: self.account.into(),
            region: self.region.into(),
            subject,
            fields,
            evidence: evidence.to_vec(),
            facts,
            over: false,
            repair: Repair::Dependency {
                resource: self.resource.clone(),
                jobs: jobs.iter().map(|(number, _)| *number).collect(),
            },
        }
    }

    /// The account the resource belongs to.
    fn owner(&self) -> Option<Box<str>> {
        if let ResourceKey::Role { account, .. } = self.resource {
            return Some(account.clone());
        }
        let of_group = match self.resource {
            ResourceKey::SecurityGroup(id) => self.world.groups.get(id).map(|group| group.account.clone()),
            _ => None,
        };
        let of_ledger = self.world.ledgers.get(self.resource).and_then(|ledger| ledger.account.clone());
        of_ledger.or(of_group).filter(|account| !account.is_empty())
    }

    /// How the jobs call the resource: the least, so that it does not matter which job came first.
    fn named_by_job(&self, name: impl Fn(&Job) -> Option<&str>) -> Option<String> {
        let names = self.users.iter().filter_map(|(_, job)| name(job));
        names.filter(|name| name.starts_with("arn:")).min().map(str::to_owned)
    }
}

fn all_ended(jobs: &Users<'_>) -> bool {
    jobs.iter().all(|(_, job)| job.has_ended())
}

fn job_fact(job: &Job) -> Json {
    json!({ "arn": job.arn, "name": job.name, "status": job.status() })
}
