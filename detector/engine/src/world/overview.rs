//! What stands on what right now, and what of it is broken; and whether invocations are logged: for people.
//!
//! Deliberately no judgement: what is worth an alert is said by `derive`, with the same facts.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    settings::Settings,
    summary::{DEPENDENTS_MAX, DependencySummary, DependentSummary, LoggingPosture, LoggingSummary, LossSummary},
    time::Second,
};

use super::{
    World,
    dependent::Dependent,
    dependents::Outline,
    logging::Posture,
    resource::{Loss, ResourceKey},
};

impl World {
    /// The dependents most worth a look, and what these stand on.
    pub(crate) fn overview(&self, now: Second, settings: &Settings) -> (Vec<DependentSummary>, Vec<DependencySummary>) {
        let broken = self.broken(now, settings);
        let rank = |one: Outline| {
            let live = one.end.is_none_or(|end| end.at >= now);
            (!(live && broken.contains(&one.number)), !live, Reverse(one.started), one.number)
        };
        let mut ranked: Vec<_> = self.dependents.outlines().map(rank).collect();
        ranked.sort_unstable();
        ranked.truncate(DEPENDENTS_MAX);
        let mut dependencies: BTreeMap<ResourceKey, DependencySummary> = BTreeMap::new();
        let mut dependents = Vec::new();
        for (_, has_ended, _, number) in ranked {
            let Some(one) = self.dependents.get(number) else { continue };
            let until = self.dependents.end_of(&one).map(|end| end.at).filter(|_| has_ended);
            let mut stands_on = Vec::new();
            for resource in one.resources() {
                if !one.needs_within(&resource, until.unwrap_or(now), None) {
                    continue;
                }
                let dependency = dependencies
                    .entry(resource)
                    .or_insert_with_key(|resource| self.dependency(resource, now, settings));
                stands_on.push(dependency.key.clone());
            }
            dependents.push(DependentSummary {
                kind: one.kind.as_str(),
                id: one.label().to_owned(),
                name: one.name.as_deref().map(str::to_owned),
                account: one.account.to_string(),
                region: one.region.to_string(),
                status: one.status().to_owned(),
                live: !has_ended,
                broken: broken.contains(&number),
                started: one.started,
                ended: until,
                stands_on,
            });
        }
        let by_key: BTreeMap<String, DependencySummary> =
            dependencies.into_values().map(|dependency| (dependency.key.clone(), dependency)).collect();
        (dependents, by_key.into_values().collect())
    }

    /// What is known of invocation logging in each account and region.
    pub(crate) fn logging_overview(&self) -> Vec<LoggingSummary> {
        let mut places = Vec::new();
        for ((account, region), history) in &self.logging {
            let is_deleted = |resource: &ResourceKey| {
                self.ledgers.get(resource).is_some_and(|ledger| {
                    ledger.losses().any(|interval| *interval.loss == Loss::Deleted && interval.back.is_none())
                })
            };
            let (posture, delivery) = match history.now() {
                Posture::Unknown => (LoggingPosture::Unknown, None),
                Posture::Off => (LoggingPosture::Off, None),
                Posture::On(delivery) if delivery.arrives(account, region, is_deleted) => {
                    (LoggingPosture::On, Some(delivery))
                }
                Posture::On(delivery) => (LoggingPosture::Lost, Some(delivery)),
            };
            places.push(LoggingSummary {
                account: account.to_string(),
                region: region.to_string(),
                posture,
                since: history.since(),
                delivers: delivery.map(|delivery| delivery.types()).unwrap_or_default(),
                destinations: delivery.map(|delivery| delivery.destinations()).unwrap_or_default(),
            });
        }
        places
    }

    /// What has lost something that it needs and that has not come back.
    fn broken(&self, now: Second, settings: &Settings) -> BTreeSet<u32> {
        let lost = self.ledgers.those(|_, ledger| ledger.losses().any(|interval| interval.back.is_none()));
        let groups = self.groups.those(|_, _| true).map(|(id, _)| ResourceKey::SecurityGroup(id.clone()));
        let groups = groups.filter(|group| self.has_story(group) && self.dependents.is_used(group));
        let resources: BTreeSet<ResourceKey> = lost.map(|(resource, _)| resource.clone()).chain(groups).collect();
        let mut broken = BTreeSet::new();
        for resource in &resources {
            let users = self.users_of(resource);
            for loss in self.losses(resource, now, settings).iter().filter(|loss| !loss.exposed) {
                let hits = |one: &Dependent| {
                    self.dependents.not_ended_before(one, loss.at) && one.needs_within(resource, loss.at, None)
                };
                broken.extend(users.iter().filter(|(_, one)| hits(one)).map(|(number, _)| *number));
            }
        }
        broken
    }

    fn dependency(&self, resource: &ResourceKey, now: Second, settings: &Settings) -> DependencySummary {
        // Of the others the name says itself what they are called.
        let by_users = matches!(resource, ResourceKey::Role { .. } | ResourceKey::KmsKey(_));
        let users = if by_users { self.users_of(resource) } else { BTreeMap::new() };
        let id = self.name_of(resource, &users.values().collect::<Vec<_>>());
        DependencySummary {
            key: format!("{}:{id}", resource.kind()),
            kind: resource.kind(),
            id,
            account: self.owner_of(resource).map(String::from),
            losses: self.losses(resource, now, settings),
        }
    }

    /// What a resource lost and did not get back, the earliest first.
    fn losses(&self, resource: &ResourceKey, now: Second, settings: &Settings) -> Vec<LossSummary> {
        let ledger = self.ledgers.get(resource).into_iter().flat_map(|ledger| ledger.losses());
        let open = ledger.filter(|interval| interval.back.is_none());
        let mut losses: Vec<LossSummary> = open
            .map(|interval| LossSummary {
                at: interval.evidence.moment.at,
                what: interval.loss.as_str(),
                by: Some(interval.evidence.principal.to_string()).filter(|by| !by.is_empty()),
                exposed: matches!(interval.loss, Loss::Exposed(_)),
            })
            .collect();
        let is_gone = losses.iter().any(|loss| loss.what == Loss::Deleted.as_str());
        if let ResourceKey::SecurityGroup(id) = resource
            && let Some(group) = self.groups.get(id).filter(|_| !is_gone)
        {
            let said = group.missing.first().filter(|_| !group.is_back());
            losses.extend(said.map(|said| LossSummary {
                at: said.moment.at,
                what: "missing",
                by: None,
                exposed: false,
            }));
            let open = group.empty_stretches().into_iter().filter(|stretch| stretch.until.is_none());
            let long = open.filter(|stretch| stretch.evidence.moment.at.plus(settings.emptied_grace_s) <= now);
            losses.extend(long.map(|stretch| LossSummary {
                at: stretch.evidence.moment.at,
                what: "emptied",
                by: Some(stretch.evidence.principal.to_string()).filter(|by| !by.is_empty()),
                exposed: false,
            }));
        }
        losses.sort();
        losses
    }
}
