//! What to do about an alert: commands that repair and contain, and queries that dig further.
//!
//! Everything that comes from a record is quoted for the shell or for SQL before it is put into a command or a query.
//! The commands say what is not known instead of guessing it. Deliberately nothing here is run.
//!
//! Everything is a function of the alert, of the resource it is about and of the jobs that stand on it, because those
//! are what an alert is derived anew from: the same history gives the same commands, whatever its order of arrival.

mod dependency;
mod dependents;
mod detector;
mod job;
mod logging;
mod observed;
mod principal;
mod queries;
mod role;
mod security_group;
mod shell;
#[cfg(test)]
mod tests;
mod text;
mod who;

pub use observed::{put_in_vpc, replace_group};
pub use queries::{Inquiry, Language};

use std::collections::BTreeSet;

use crate::{
    alert::{Alert, Query, Remediation, SubjectKind},
    world::{Dependent, Repair, ResourceKey, World},
};

/// What repairs a state, and what contains whoever broke it.
pub(crate) fn of_state(alert: &Alert, repair: &Repair, world: &World) -> Vec<Remediation> {
    let mut remediation = match repair {
        Repair::Dependency { resource, users } => {
            let numbers: BTreeSet<u32> = users.iter().copied().collect();
            let known = world.dependents();
            let users: Vec<Dependent> = numbers.into_iter().filter_map(|number| known.get(number)).collect();
            let mut users: Vec<&Dependent> = users.iter().collect();
            // As the alert lists them; numbers follow the order of arrival.
            users.sort_by(|left, right| left.label().cmp(right.label()));
            if alert.subject_kind == SubjectKind::CustomizationJobDependency {
                of_dependency(alert, resource, &users, world)
            } else {
                dependents::restore(alert, resource, &users, world)
            }
        }
        Repair::Logging { configuration } => logging::restore(alert, configuration.as_deref()),
        Repair::Detector => return detector::find(alert),
    };
    remediation.extend(principal::contain(alert));
    remediation
}

fn of_dependency(alert: &Alert, resource: &ResourceKey, jobs: &[&Dependent], world: &World) -> Vec<Remediation> {
    if alert.facts.contains_key("attempts") {
        // Nothing is lost yet; only the one who tried is to be dealt with.
        return Vec::new();
    }
    let ResourceKey::SecurityGroup(id) = resource else {
        return dependency::restore(alert, resource, &world.losses_to_undo(resource), jobs);
    };
    let group = world.group(id);
    if alert.facts.contains_key("empty_since") {
        return vec![security_group::restore_egress(alert, id, group)];
    }
    let mut remediation = vec![security_group::recreate(alert, id, group, jobs)];
    let replaced = job::Replaced { lost: id, by: security_group::NEW_GROUP };
    remediation.extend(job::start_again(alert, jobs, Some(replaced)));
    remediation
}

/// What contains a principal.
pub(crate) fn of_principal(alert: &Alert) -> Vec<Remediation> {
    principal::contain(alert)
}

/// What digs further.
pub(crate) fn queries(alert: &Alert) -> Vec<Query> {
    queries::of(alert)
}

/// A fact that is a text.
fn fact<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    alert.facts.get(name).and_then(serde_json::Value::as_str)
}
