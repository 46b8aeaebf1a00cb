//! What exists now and what became of it: jobs, deployed models, knowledge bases and agents, what they stand on, and
//! invocation logging.
//!
//! Everything is kept in event time and joined when asked, so the order of arrival cannot matter. Deliberately nothing
//! about principals' activity; that is `principals`.

mod apply;
mod apply_dependents;
mod apply_inventory;
mod apply_resources;
mod apply_stores;
mod blindness;
mod dependent;
mod dependents;
mod derive;
mod derive_exposure;
mod derive_logging;
mod detector;
mod explain;
mod exposure;
mod group_rules;
mod interests;
mod json;
mod logging;
mod network;
mod overview;
mod refusals;
mod regional;
mod requests;
mod resource;
mod security_group;
mod state_event;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use apply::evidence_of;
pub(crate) use blindness::{BlindCount, Names, RegionCalls};
pub(crate) use dependent::{Dependent, Kind};
pub(crate) use dependents::{Dependents, Outline};
pub(crate) use group_rules::GroupRule;
pub(crate) use interests::INTERESTS;
pub(crate) use regional::RegionalKind;
pub(crate) use resource::{Loss, ResourceKey};
pub(crate) use security_group::SecurityGroup;
use serde::{Deserialize, Serialize};
pub(crate) use state_event::{Repair, StateEvent};

use crate::{
    detector_observation::DetectorObservation,
    limit::{Limit, LimitCounts},
    settings::Settings,
    table::Table,
    time::Second,
};

use self::{
    detector::{Part, Protection},
    logging::LoggingHistory,
    network::Network,
    resource::{Effect, Entered, Ledger},
};

/// Account and region.
type Place = (Box<str>, Box<str>);

/// Everything known about resources.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct World {
    dependents: Dependents,
    ledgers: Table<ResourceKey, Ledger>,
    groups: Table<Box<str>, SecurityGroup>,
    network: Network,
    logging: BTreeMap<Place, LoggingHistory>,
    /// Which configurations stand on a resource, or stood on it.
    logging_users: Table<ResourceKey, BTreeSet<Place>>,
    /// When a group will have been empty for long enough to say so.
    due: BTreeMap<Second, BTreeSet<ResourceKey>>,
    /// When something that stands on a lost resource will have reached its greatest age.
    ageing: BTreeMap<Second, BTreeSet<ResourceKey>>,
    /// What was noticed about the service's own protection.
    protection: Protection,
    /// How far time has come.
    clock: Second,
    /// The greatest event time of all records: what things age by. The clock goes on when a replay ends, and it goes by
    /// arrivals; neither makes anything older.
    lived: Second,
    /// What limits made it forget or ignore since somebody last asked.
    limits_reached: LimitCounts,
    /// Where inventory contradicted the stream since somebody last asked.
    #[serde(skip)]
    corrections: Vec<String>,
    /// Origins of which a limit made it forget what happened until some time, since somebody last asked.
    #[serde(skip)]
    forgotten: Vec<(Origin, Second)>,
}

/// What has to be derived again: the origins of alerts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A resource and the jobs that stand on it.
    Resource(ResourceKey),
    /// Logging of an account and region.
    Logging { account: Box<str>, region: Box<str> },
    /// A stretch in which a part of the service's own protection was missing.
    Detector { part: Part, episode: Box<str> },
}

/// The origins that a change touched.
pub(crate) type Touched = BTreeSet<Origin>;

impl World {
    /// Lets time pass. Returns what has to be derived again.
    pub(crate) fn advance(&mut self, now: Second) -> Touched {
        self.note_clock(now);
        let mut touched = Touched::new();
        while let Some(due) = self.due.first_entry()
            && *due.key() <= self.clock
        {
            touched.extend(due.remove().into_iter().map(Origin::Resource));
        }
        while let Some(aged) = self.ageing.first_entry()
            && *aged.key() <= self.lived
        {
            touched.extend(aged.remove().into_iter().map(Origin::Resource));
        }
        touched
    }

    /// Takes in what the daemon noticed about its own protection.
    pub(crate) fn apply_detector(&mut self, seen: &DetectorObservation) -> Touched {
        let (touched, forgotten) = self.protection.enter(seen);
        self.limits_reached.count(Limit::Fixed, forgotten);
        touched
    }

    /// The state event of a stretch in which a part of the protection was missing.
    pub(crate) fn derive_detector(&self, part: &Part, episode: &str) -> Vec<StateEvent> {
        self.protection.derive(part, episode).into_iter().collect()
    }

    /// Notes how far time has come.
    pub(crate) fn note_clock(&mut self, now: Second) {
        self.clock = self.clock.max(now);
    }

    /// Notes that a record has this event time. Returns whether it is the greatest so far.
    pub(crate) fn note_event(&mut self, at: Second) -> bool {
        let advances = at > self.lived;
        self.lived = self.lived.max(at);
        advances
    }

    /// When [`World::advance`] next has something to do.
    pub(crate) fn next_wakeup(&self) -> Option<Second> {
        let aged = self.ageing.first_key_value().map(|(due, _)| *due).filter(|due| *due <= self.lived);
        self.due.first_key_value().map(|(due, _)| *due).into_iter().chain(aged).min()
    }

    /// What stands on resources.
    pub(crate) const fn dependents(&self) -> &Dependents {
        &self.dependents
    }

    /// A security group.
    pub(crate) fn group(&self, id: &str) -> Option<&SecurityGroup> {
        self.groups.get(id)
    }

    /// What a resource lost and did not get back; everything it ever lost if it got all back.
    pub(crate) fn losses_to_undo(&self, resource: &ResourceKey) -> BTreeSet<Loss> {
        let Some(ledger) = self.ledgers.get(resource) else { return BTreeSet::new() };
        let open = ledger.losses().filter(|interval| interval.back.is_none());
        let open: BTreeSet<Loss> = open.map(|interval| interval.loss.clone()).collect();
        if open.is_empty() { ledger.losses().map(|interval| interval.loss.clone()).collect() } else { open }
    }

    /// Where inventory contradicted the stream since this was last asked.
    pub(crate) fn take_corrections(&mut self) -> Vec<String> {
        std::mem::take(&mut self.corrections)
    }

    /// What limits made it forget or ignore since this was last asked.
    pub(crate) fn take_limits_reached(&mut self) -> LimitCounts {
        std::mem::take(&mut self.limits_reached)
    }

    /// How many resources are remembered.
    pub(crate) fn resources(&self) -> usize {
        self.ledgers.len().saturating_add(self.groups.len())
    }

    /// The ledger of a resource, made if need be.
    fn ledger_mut(&mut self, resource: &ResourceKey, settings: &Settings) -> &mut Ledger {
        if !self.ledgers.contains_key(resource) {
            self.make_room(settings);
        }
        self.ledgers.get_or_default(resource)
    }

    /// A security group, made if need be.
    fn group_mut(&mut self, id: &str, settings: &Settings) -> &mut SecurityGroup {
        if !self.groups.contains_key(id) {
            self.make_room(settings);
        }
        self.groups.get_or_default(&id.into())
    }

    /// Enters a loss or return into a resource's ledger.
    fn enter(
        &mut self,
        resource: ResourceKey,
        evidence: crate::order::Evidence,
        effect: Effect,
        settings: &Settings,
    ) -> Touched {
        let max = usize::try_from(settings.limits.changes_max).unwrap_or(usize::MAX);
        let entered = self.ledger_mut(&resource, settings).enter(evidence, effect, max);
        self.note_entered(&resource, entered)
    }

    /// Notes what became of a change of a resource. Returns what has to be derived again.
    fn note_entered(&mut self, resource: &ResourceKey, entered: Entered) -> Touched {
        if entered == Entered::Known {
            return Touched::new();
        }
        let touched = self.origins_of(resource.clone());
        if let Entered::AtLimit { forgotten } = entered {
            self.note_limit(touched.iter().cloned(), forgotten);
        }
        touched
    }

    /// Notes that a limit was reached, for which what happened until `forgotten` was forgotten.
    fn note_limit(&mut self, origins: impl Iterator<Item = Origin>, forgotten: Option<Second>) {
        self.limits_reached.count(Limit::ChangesMax, 1_u64);
        self.forgotten.extend(origins.filter_map(|origin| Some((origin, forgotten?))));
    }

    /// Origins of which a limit made it forget what happened until some time, since this was last asked. That nothing is
    /// derived from it any more does not mean that it was not so.
    pub(crate) fn take_forgotten(&mut self) -> Vec<(Origin, Second)> {
        std::mem::take(&mut self.forgotten)
    }

    /// What has to be derived again when `resource` changed.
    fn origins_of(&self, resource: ResourceKey) -> Touched {
        let configurations = self.logging_users.get(&resource).into_iter().flatten();
        let mut touched: Touched = configurations
            .map(|(account, region)| Origin::Logging { account: account.clone(), region: region.clone() })
            .collect();
        touched.insert(Origin::Resource(resource));
        touched
    }

    /// Forgets one in sixteen resources when there are too many: only those that no job and no logging configuration
    /// stands on, the longest unchanged of the account that has the most.
    fn make_room(&mut self, settings: &Settings) {
        let max = usize::try_from(settings.limits.dependencies_max).unwrap_or(usize::MAX);
        if self.resources() < max {
            return;
        }
        let unused: BTreeMap<Box<str>, Vec<(Second, ResourceKey)>> = self.unused_resources();
        let Some((_, mut candidates)) = unused.into_iter().max_by_key(|(_, candidates)| candidates.len()) else {
            return;
        };
        candidates.sort_unstable();
        candidates.truncate((max / 16).max(1));
        for (_, resource) in candidates {
            self.ledgers.remove(&resource);
            self.network.forget(&resource);
            self.forgotten.push((Origin::Resource(resource.clone()), Second::MAX));
            if let ResourceKey::SecurityGroup(id) = &resource {
                self.groups.remove(id);
            }
            self.limits_reached.count(Limit::DependenciesMax, 1_u64);
        }
    }

    fn unused_resources(&self) -> BTreeMap<Box<str>, Vec<(Second, ResourceKey)>> {
        let mut unused: BTreeMap<Box<str>, Vec<(Second, ResourceKey)>> = BTreeMap::new();
        let is_unused = |key: &ResourceKey| !self.dependents.is_used(key) && !self.logging_users.contains_key(key);
        for (key, ledger) in self.ledgers.those(|key, _| is_unused(key)) {
            let account = ledger.account.clone().unwrap_or_default();
            unused.entry(account).or_default().push((ledger.last_change(), key.clone()));
        }
        for (id, group) in self.groups.those(|_, _| true) {
            let key = ResourceKey::SecurityGroup(id.clone());
            if is_unused(&key) && !self.ledgers.contains_key(&key) {
                unused.entry(group.account.clone()).or_default().push((group.last_change(), key));
            }
        }
        unused
    }
}
