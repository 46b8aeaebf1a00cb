//! Joins jobs and the like with what they stand on: from everything known about one resource, the state events it gives.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::{order::Evidence, settings::Settings, time::Second};

use super::{
    World,
    dependent::{Dependent, Kind},
    refusals::Refusal,
    regional::arn_of,
    resource::{Loss, LossInterval, ResourceKey},
    security_group::{EmptyStretch, SecurityGroup},
    state_event::{Repair, StateEvent, count, text},
};

/// Those of one kind, account and region that stand on a resource.
type Users<'a> = Vec<(u32, &'a Dependent)>;

impl World {
    /// The state events about a resource.
    pub(crate) fn derive_resource(&self, resource: &ResourceKey, settings: &Settings) -> Vec<StateEvent> {
        let mut events = Vec::new();
        if !self.has_story(resource) {
            return events;
        }
        let users = self.users_of(resource);
        for ((account, region, kind), users) in &by_place(&users) {
            let about = About { world: self, resource, account, region, kind: *kind, users };
            about.losses(&mut events);
            if *kind != Kind::CustomizationJob {
                continue;
            }
            about.refusals(&mut events);
            if let ResourceKey::SecurityGroup(id) = resource
                && let Some(group) = self.groups.get(id)
            {
                about.emptied(group, settings, &mut events);
                about.missing(group, &mut events);
            }
        }
        if let ResourceKey::Bucket(name) = resource {
            self.derive_exposures(resource, name, &mut events);
        }
        events
    }

    /// Whether anything happened to a resource that could matter to its users; nearly always nothing did.
    pub(super) fn has_story(&self, resource: &ResourceKey) -> bool {
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

    /// Notes when a resource has to be looked at again: when the empty stretches of a group will be long enough to
    /// matter, and when what stands on something lost will have reached its greatest age.
    pub(crate) fn schedule(&mut self, resource: &ResourceKey, settings: &Settings) {
        if !self.has_story(resource) {
            return;
        }
        let users = self.users_of(resource);
        let ends =
            users.values().filter_map(|one| self.dependents.end_of(one)).filter(|end| end.presumed).map(|end| end.at);
        let ends: Vec<Second> = ends.filter(|end| *end > self.lived).collect();
        for end in ends {
            self.ageing.entry(end).or_default().insert(resource.clone());
        }
        let ResourceKey::SecurityGroup(id) = resource else { return };
        if !self.dependents.is_used(resource) {
            return;
        }
        let Some(group) = self.groups.get(id) else { return };
        for stretch in group.empty_stretches() {
            let due = stretch.evidence.moment.at.plus(settings.emptied_grace_s);
            if due > self.clock && stretch.until.is_none_or(|until| until >= due) {
                self.due.entry(due).or_default().insert(resource.clone());
            }
        }
    }

    /// What stands on a resource, by number.
    pub(super) fn users_of(&self, resource: &ResourceKey) -> BTreeMap<u32, Dependent> {
        match resource {
            ResourceKey::VpcEndpoint(id) => {
                let neighbours = self.network.neighbours_of(id);
                neighbours.flat_map(|neighbour| self.dependents.users_of(neighbour)).collect()
            }
            other => self.dependents.users_of(other),
        }
    }

    /// Those of `users` that need `resource` at some time from `lost_at` until it was back.
    pub(super) fn affected<'a>(
        &self,
        users: &Users<'a>,
        resource: &ResourceKey,
        lost_at: Second,
        back: Option<Second>,
    ) -> Users<'a> {
        let is_affected = |one: &Dependent| {
            let from = one.started.map_or(lost_at, |started| started.max(lost_at));
            let started_in_time = back.is_none_or(|back| one.started.is_none_or(|started| started < back));
            self.dependents.not_ended_before(one, lost_at) && started_in_time && one.needs_within(resource, from, back)
        };
        users.iter().copied().filter(|(_, one)| is_affected(one)).collect()
    }

    /// What alerts call a resource that `users` stand on.
    pub(super) fn name_of(&self, resource: &ResourceKey, users: &[&Dependent]) -> String {
        match resource {
            ResourceKey::SecurityGroup(id) | ResourceKey::Subnet(id) | ResourceKey::VpcEndpoint(id) => id.to_string(),
            ResourceKey::Bucket(name) => name.to_string(),
            ResourceKey::Role { account, name } => named_by(users, |one| one.role_arn.as_deref())
                .unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{name}")),
            ResourceKey::KmsKey(id) => {
                let ledger = self.ledgers.get(resource);
                let by_events = ledger.and_then(|ledger| ledger.arn.as_deref().map(str::to_owned));
                let by_users = || named_by(users, |one| one.kms_key.as_deref());
                by_events.or_else(by_users).unwrap_or_else(|| id.to_string())
            }
            ResourceKey::LogGroup { name, .. } => name.to_string(),
            ResourceKey::Regional { kind, account, region, name } => arn_of(*kind, account, region, name),
        }
    }

    /// The account a resource belongs to, where that is known.
    pub(super) fn owner_of(&self, resource: &ResourceKey) -> Option<Box<str>> {
        if let ResourceKey::Role { account, .. } | ResourceKey::Regional { account, .. } = resource {
            return Some(account.clone());
        }
        let of_group = match resource {
            ResourceKey::SecurityGroup(id) => self.groups.get(id).map(|group| group.account.clone()),
            _ => None,
        };
        let of_ledger = self.ledgers.get(resource).and_then(|ledger| ledger.account.clone());
        of_ledger.or(of_group).filter(|account| !account.is_empty())
    }

    /// Whether none of `users` needs `resource` any longer. That something has reached its greatest age counts once a
    /// record is as late as that.
    pub(super) fn none_needs(&self, users: &Users<'_>, resource: &ResourceKey) -> bool {
        let is_over = |one: &Dependent| {
            let ended = self.dependents.end_of(one).is_some_and(|end| !end.presumed || end.at <= self.lived);
            ended || !one.needs_within(resource, Second::MAX, None)
        };
        users.iter().all(|(_, one)| is_over(one))
    }
}

/// Dependents by account, region and kind, each list by what people know them by.
fn by_place(users: &BTreeMap<u32, Dependent>) -> BTreeMap<(&str, &str, Kind), Users<'_>> {
    let mut places: BTreeMap<(&str, &str, Kind), Users<'_>> = BTreeMap::new();
    for (number, one) in users {
        places.entry((&*one.account, &*one.region, one.kind)).or_default().push((*number, one));
    }
    for users in places.values_mut() {
        users.sort_by(|(_, left), (_, right)| left.label().cmp(right.label()));
    }
    places
}

/// A resource as those of one account, region and kind see it.
struct About<'a> {
    world: &'a World,
    resource: &'a ResourceKey,
    account: &'a str,
    region: &'a str,
    kind: Kind,
    users: &'a Users<'a>,
}

impl About<'_> {
    fn losses(&self, events: &mut Vec<StateEvent>) {
        let Some(ledger) = self.world.ledgers.get(self.resource) else { return };
        for LossInterval { evidence, loss, back } in ledger.losses() {
            if matches!(loss, Loss::Exposed(_)) || !ledger.was_needed(loss, &evidence.moment) {
                continue;
            }
            let back_at = back.map(|back| back.moment.at);
            let affected = self.world.affected(self.users, self.resource, evidence.moment.at, back_at);
            let is_job = self.kind == Kind::CustomizationJob;
            let name = if is_job { "JobDependencyLost" } else { "DependencyLost" };
            let mut event = self.event(name, std::slice::from_ref(evidence), &affected);
            event.fields.push(("dependency.change", text(loss.as_str())));
            let counted = if is_job { "jobs.affected" } else { "dependents.affected" };
            event.fields.push((counted, count(affected.len())));
            event.facts.insert("deleted_by".to_owned(), json!(evidence.principal));
            event.facts.insert("change".to_owned(), json!(loss.as_str()));
            event.over = back.is_some() || self.world.none_needs(&affected, self.resource);
            events.push(event);
        }
    }

    fn refusals(&self, events: &mut Vec<StateEvent>) {
        let Some(ledger) = self.world.ledgers.get(self.resource) else { return };
        for (Refusal { evidence, code }, further) in ledger.refusals.iter() {
            let live = self.users_where(|job| self.world.dependents.is_live_at(job, evidence.moment.at));
            let mut event = self.event("JobDependencyDeleteRefused", std::slice::from_ref(evidence), &live);
            event.fields.push(("dependency.error", text(code)));
            event.fields.push(("jobs.live", count(live.len())));
            event.facts.insert("attempted_by".to_owned(), json!(evidence.principal));
            event.facts.insert("error_codes".to_owned(), json!([code]));
            event.further = further;
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
            let affected = self.world.affected(self.users, self.resource, due, until);
            let mut event = self.event("JobDependencyEmptied", std::slice::from_ref(evidence), &affected);
            event.fields.push(("jobs.affected", count(affected.len())));
            event.facts.insert("emptied_by".to_owned(), json!(evidence.principal));
            event.facts.insert("empty_since".to_owned(), json!(evidence.moment.at.to_rfc3339()));
            event.over = until.is_some() || self.world.none_needs(&affected, self.resource);
            events.push(event);
        }
    }

    /// A group that AWS says does not exist, while no deletion of it was seen.
    fn missing(&self, group: &SecurityGroup, events: &mut Vec<StateEvent>) {
        let deleted = self.world.ledgers.get(self.resource).is_some_and(|ledger| ledger.deletion().is_some());
        if deleted {
            return;
        }
        let is_live = |job: &Dependent, said: &Evidence| self.world.dependents.is_live_at(job, said.moment.at);
        let live = self.users_where(|job| group.missing.iter().any(|said| is_live(job, said)));
        // The earliest saying that concerns a live job; if none does, the earliest of all.
        let concerns = |said: &&Evidence| self.users.iter().any(|(_, job)| is_live(job, said));
        let Some(evidence) = group.missing.iter().find(concerns).or_else(|| group.missing.first()) else { return };
        let mut event = self.event("JobDependencyMissing", std::slice::from_ref(evidence), &live);
        event.fields.push(("jobs.live", count(live.len())));
        event.facts.insert("missing_since".to_owned(), json!(evidence.moment.at.to_rfc3339()));
        event.over = group.is_back() || self.world.none_needs(&live, self.resource);
        events.push(event);
    }

    fn users_where(&self, wanted: impl Fn(&Dependent) -> bool) -> Users<'_> {
        self.users.iter().copied().filter(|(_, job)| wanted(job)).collect()
    }

    fn event(&self, event: &'static str, evidence: &[Evidence], users: &Users<'_>) -> StateEvent {
        let owner = self.world.owner_of(self.resource);
        let named_by: Vec<&Dependent> = self.users.iter().map(|(_, one)| *one).collect();
        let subject = self.world.name_of(self.resource, &named_by);
        let mut facts = Map::new();
        if self.kind == Kind::CustomizationJob {
            facts.insert("jobs".to_owned(), users.iter().map(|(_, job)| job_fact(job)).collect());
        } else {
            facts.insert("dependents".to_owned(), users.iter().map(|(_, one)| dependent_fact(one)).collect());
        }
        facts.insert("dependency_kind".to_owned(), json!(self.resource.kind()));
        facts.insert("dependency_account".to_owned(), json!(owner));
        let mut fields = vec![
            ("dependency.kind", text(self.resource.kind())),
            ("dependency.id", text(&subject)),
            ("dependent.kind", text(self.kind.as_str())),
        ];
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
            further: 0,
            facts,
            over: false,
            repair: Repair::Dependency {
                resource: self.resource.clone(),
                users: users.iter().map(|(number, _)| *number).collect(),
            },
        }
    }
}

/// How those that stand on a resource call it: the least, so that it does not matter which came first.
fn named_by(users: &[&Dependent], name: impl Fn(&Dependent) -> Option<&str>) -> Option<String> {
    let names = users.iter().filter_map(|one| name(one));
    names.filter(|name| name.starts_with("arn:")).min().map(str::to_owned)
}

fn job_fact(job: &Dependent) -> Json {
    json!({ "arn": job.arn, "name": job.name, "status": job.status() })
}

/// Something that stands on a resource, as alerts list it.
pub(super) fn dependent_fact(one: &Dependent) -> Json {
    json!({ "kind": one.kind.as_str(), "arn": one.arn, "name": one.name, "status": one.status() })
}
