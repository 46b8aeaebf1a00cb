//! What the world knows about principals' alerts: jobs that explain a service role's calls, and the names of agents.
//!
//! An alert whose every stretch is explained by a job that ran under the role is low and names the jobs; one that is not
//! keeps the severity its rule gives. Which of the two holds follows from what is known, whatever arrived first.

use std::cell::OnceCell;

use serde_json::{Value as Json, json};

use super::Engine;
use crate::{
    alert::{Alert, AlertChange, Severity},
    principals::Verdict,
    rule::{Counts, Rule},
    world::{Outline, ResourceKey, World},
};

/// The severity of what a job explains.
pub(super) const EXPLAINED: Severity = Severity::Low;

/// What jobs explain of a principal's calls. They are looked up once, for all of its verdicts.
pub(super) struct Explainer<'a> {
    world: &'a World,
    principal: &'a str,
    jobs: OnceCell<Vec<Outline>>,
}

impl<'a> Explainer<'a> {
    pub(super) const fn new(world: &'a World, principal: &'a str) -> Self {
        Self { world, principal, jobs: OnceCell::new() }
    }

    /// The jobs that explain a verdict about the rate or spread of calls; of what was refused or enabled they explain
    /// nothing.
    pub(super) fn explain(&self, rule: &Rule, verdict: &Verdict) -> Vec<Json> {
        if !matches!(rule.counts(), Counts::Invocations | Counts::Calls) {
            return Vec::new();
        }
        let jobs = self.jobs.get_or_init(|| self.world.jobs_under(self.principal));
        if jobs.is_empty() { Vec::new() } else { self.world.explanation(jobs, &verdict.stretches()) }
    }
}

/// Writes an explanation into an alert.
pub(super) fn set_explanation(alert: &mut Alert, jobs: Vec<Json>) {
    if !jobs.is_empty() {
        alert.severity = EXPLAINED;
        alert.facts.insert("explained_by".to_owned(), json!(jobs));
    }
}

impl Engine {
    /// A job under a role has begun or ended, or was learned of: the alerts about the role may say something else now.
    pub(super) fn explain_role(&mut self, resource: &ResourceKey, changes: &mut Vec<AlertChange>) {
        let ResourceKey::Role { account, .. } = resource else { return };
        let Some(known) = self.memory.accounts.get(account).filter(|known| !known.with_verdicts.is_empty()) else {
            return;
        };
        if !self.memory.world.dependents().is_used(resource) {
            return;
        }
        let is_it = |number: &u32| {
            let name = known.principals.peek(*number).map(|(name, _)| name);
            name.is_some_and(|name| ResourceKey::role_of_arn(&name).as_ref() == Some(resource))
        };
        let numbers: Vec<u32> = known.with_verdicts.iter().copied().filter(is_it).collect();
        for number in numbers {
            self.tell_principal(account, number, changes);
        }
    }

    /// Names the agents and knowledge bases that are known by now.
    pub(super) fn name_agents(&self, changes: &mut [AlertChange]) {
        for change in changes {
            let alert = &mut change.alert;
            self.memory.world.name_agent(&mut alert.actor, alert.principal.as_deref());
        }
    }
}
