//! Other rules for an engine that runs: what was found stays, what comes is judged by the new ones.
//!
//! Everything remembered is independent of the rules, but for three things: verdicts name a rule, correlations hold what
//! their rules matched, and the prefilter knows what the rules want. Deliberately nothing is judged again: the new rules
//! hold from now on, as if they had always been there and nothing that they are about had happened before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Engine, Peeking};
use crate::{
    alert::{AlertChange, ChangeKind, Status, SubjectKind},
    prefilter::Interest,
    rule::RuleSet,
    time::Second,
};

/// Alerts about principals whose rule is gone, by when they are resolved.
pub(super) type Orphans = BTreeMap<Second, BTreeSet<Box<str>>>;

impl Engine {
    /// The rules it judges by.
    #[must_use]
    pub const fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Judges by other rules from now on. Alerts stay, those of rules that are gone too: one about a principal resolves
    /// when the principal has been quiet, one about a resource or event waits for somebody to resolve it.
    pub fn exchange_rules(&mut self, rules: Arc<RuleSet>) {
        self.retire_verdicts(&rules);
        self.memory.correlator.retain(&rules);
        self.interest = Interest::new(&rules);
        self.peeking = Peeking::default();
        self.rules = rules;
        self.find_orphans();
    }

    /// Moves the verdicts of rules that `rules` lacks, or has with another kind of subject, into the book. The others
    /// look their rule up anew.
    fn retire_verdicts(&mut self, rules: &RuleSet) {
        let is_gone = |id: &str| match (self.rules.by_id(id), rules.by_id(id)) {
            (Some(old), Some(new)) => old.domain() != new.domain() || old.subject() != new.subject(),
            _ => true,
        };
        let mut gone = Vec::new();
        for (name, account) in self.memory.accounts.iter() {
            for &number in &account.with_verdicts {
                let Some((_, principal)) = account.principals.peek(number) else { continue };
                let places = (0..principal.verdicts.len())
                    .filter(|place| principal.verdicts.get(*place).is_some_and(|verdict| is_gone(&verdict.rule)));
                gone.push((Box::<str>::from(name), number, places.collect::<BTreeSet<usize>>()));
            }
        }
        for (name, number, places) in gone {
            let alerts: Vec<_> =
                places.iter().filter_map(|place| self.principal_alert(&name, number, *place)).collect();
            alerts.iter().for_each(|alert| self.memory.book.archive(alert));
            let Some(account) = self.memory.accounts.get_mut(&name) else { continue };
            let Some((_, principal)) = account.principals.get_mut(number) else { continue };
            let mut place: usize = 0;
            principal.verdicts.retain_mut(|verdict| {
                verdict.forget_index();
                let stays = !places.contains(&place);
                place = place.saturating_add(1);
                stays
            });
            if principal.verdicts.is_empty() {
                account.with_verdicts.remove(&number);
            }
        }
    }

    /// Finds the alerts about principals that no rule looks after any more.
    pub(super) fn find_orphans(&mut self) {
        let is_known = |id: &str| knows(&self.rules, id);
        let mut orphans = Orphans::default();
        for (alert, _) in self.memory.book.iter() {
            let is_open = alert.status() == Status::Firing && alert.subject_kind() == SubjectKind::Principal;
            if is_open && !is_known(alert.rule()) {
                let due = alert.last_event_time().plus(self.settings.quiet_s);
                orphans.entry(due).or_default().insert(alert.id().into());
            }
        }
        self.orphans = orphans;
    }

    /// Resolves the alerts of rules that are gone whose principals have had their quiet.
    pub(super) fn resolve_orphans(&mut self, now: Second, changes: &mut Vec<AlertChange>) {
        while let Some(due) = self.orphans.first_entry()
            && *due.key() <= now
        {
            for id in due.remove() {
                let alert = self.memory.book.resolve(&id);
                changes.extend(alert.map(|alert| AlertChange { kind: ChangeKind::Resolved, alert }));
            }
        }
    }
}

/// Whether a rule or correlation is there.
pub(super) fn knows(rules: &RuleSet, id: &str) -> bool {
    rules.by_id(id).is_some() || rules.correlations().iter().any(|correlation| correlation.about().id == id)
}
