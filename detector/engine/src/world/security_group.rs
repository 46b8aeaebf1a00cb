//! Security groups: their rules over time, and the stretches in which a group had no egress rule left.
//!
//! The rule set is known only from the group's creation or from inventory on; before that nothing is concluded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{order::Evidence, time::Second};

use super::{
    group_rules::{GroupRule, ModifiedRule, NamedRule, NamedRules},
    resource::Entered,
};

/// A security group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SecurityGroup {
    pub(crate) account: Box<str>,
    pub(crate) region: Box<str>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) description: Option<Box<str>>,
    pub(crate) vpc: Option<Box<str>>,
    /// In judging order.
    changes: Vec<(Evidence, RuleChange)>,
    /// Inventories that said the group does not exist: the earliest ones, and the last.
    pub(crate) missing: Vec<Evidence>,
}

/// Inventories in a row that list the same rules; of more, only the first and the last ones are kept, so that asking
/// every few minutes does not push out what happened before. It spans more than the allowed lateness.
const REPEATS_MAX: usize = 8;

/// What happened to a group's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RuleChange {
    /// The group was created, with the one rule every new group has.
    Created,
    /// Inventory listed all its rules.
    Observed(Vec<NamedRule>),
    Authorized(NamedRules),
    Revoked {
        egress: bool,
        rules: NamedRules,
    },
    /// Rules became other ones under the same ids; none where the record does not name them.
    Modified(Vec<ModifiedRule>),
}

/// A group's rules at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RulesNow {
    /// Whether all of them are known.
    pub(crate) known: bool,
    pub(crate) rules: BTreeMap<GroupRule, Option<Box<str>>>,
}

/// A stretch in which a group had no egress rule.
#[derive(Debug, Clone)]
pub(crate) struct EmptyStretch<'a> {
    /// The revocation that took the last rule.
    pub(crate) evidence: &'a Evidence,
    /// When a rule was there again.
    pub(crate) until: Option<Second>,
}

impl SecurityGroup {
    /// Enters a change. Beyond `max` changes it takes the oldest together.
    pub(crate) fn enter(&mut self, evidence: Evidence, change: RuleChange, max: usize) -> Entered {
        // Nothing happens to a group before it is made, whatever eventIDs say about one second.
        let created = matches!(change, RuleChange::Created);
        let place = self.changes.binary_search_by(|(known, known_change)| {
            let known_created = matches!(known_change, RuleChange::Created);
            let same_second = known.moment.at == evidence.moment.at;
            match (same_second, known_created, created) {
                (true, true, false) => std::cmp::Ordering::Less,
                (true, false, true) => std::cmp::Ordering::Greater,
                _ => known.moment.cmp(&evidence.moment),
            }
        });
        match place {
            Ok(_) => Entered::Known,
            Err(place) => {
                // Most groups are made, and that is all.
                self.changes.reserve_exact(1);
                self.changes.insert(place, (evidence, change));
                self.drop_repeats(place);
                if self.changes.len() > max.max(4) {
                    return Entered::AtLimit { forgotten: self.fold_oldest() };
                }
                Entered::New
            }
        }
    }

    /// Of a run of equal inventories around `place` that is too long, drops the second one.
    fn drop_repeats(&mut self, place: usize) {
        let Some((_, RuleChange::Observed(rules))) = self.changes.get(place) else { return };
        let is_same =
            |(_, change): &&(Evidence, RuleChange)| matches!(change, RuleChange::Observed(seen) if seen == rules);
        let before = self.changes.iter().take(place).rev().take_while(is_same).count();
        let from = self.changes.iter().skip(place).take_while(is_same).count();
        if before.saturating_add(from) > REPEATS_MAX {
            self.changes.remove(place.saturating_sub(before).saturating_add(1));
        }
    }

    /// Notes that an inventory said the group does not exist.
    pub(crate) fn note_missing(&mut self, evidence: Evidence, max: usize) {
        if let Err(place) = self.missing.binary_search_by(|known| known.moment.cmp(&evidence.moment)) {
            self.missing.insert(place, evidence);
            if self.missing.len() > max.max(2) {
                // The earliest say since when, the last one that it is still so.
                self.missing.remove(self.missing.len().saturating_sub(2));
            }
        }
    }

    /// Whether the group is known to exist, after every inventory that said it does not.
    pub(crate) fn is_back(&self) -> bool {
        let Some(missing) = self.missing.last() else { return false };
        let exists = |change: &RuleChange| matches!(change, RuleChange::Created | RuleChange::Observed(_));
        self.changes.iter().any(|(evidence, change)| exists(change) && evidence.moment > missing.moment)
    }

    /// When something was last entered.
    pub(crate) fn last_change(&self) -> Second {
        self.changes.last().map_or(Second::MIN, |(evidence, _)| evidence.moment.at)
    }

    /// Replaces the two oldest changes by their result, so that a busy group stays known within a limit; what emptied it
    /// last, and what gave it a rule again, stay as they are. Returns the time of the later one.
    fn fold_oldest(&mut self) -> Option<Second> {
        let from = self.first_to_fold();
        let mut state = RulesNow::default();
        self.changes.iter().take(from).for_each(|(_, change)| state.apply(change));
        let mut last = None;
        for (evidence, change) in self.changes.drain(from..from.saturating_add(2).min(self.changes.len())) {
            state.apply(&change);
            last = Some(evidence);
        }
        let evidence = last?;
        let at = evidence.moment.at;
        if state.known {
            let rules = state.rules.into_iter().map(|(rule, id)| NamedRule { rule, id }).collect();
            self.changes.insert(from, (evidence, RuleChange::Observed(rules)));
        } else if from > 0 {
            self.changes.insert(from, (evidence, RuleChange::Modified(Vec::new())));
        }
        Some(at)
    }

    /// The place of the first of two changes that neither began nor ended the last stretch without egress rules.
    fn first_to_fold(&self) -> usize {
        let last = self.empty_stretches().pop();
        let Some(EmptyStretch { evidence: began, until }) = last else { return 0 };
        let stays = |(known, _): &(Evidence, RuleChange)| {
            let ended = known.moment > began.moment && Some(known.moment.at) == until;
            known.moment == began.moment || ended
        };
        self.changes.windows(2).position(|pair| !pair.iter().any(stays)).unwrap_or(0)
    }

    /// The rules after every change until `before`.
    pub(crate) fn rules_before(&self, before: Second) -> RulesNow {
        let mut state = RulesNow::default();
        for (_, change) in self.changes.iter().take_while(|(evidence, _)| evidence.moment.at < before) {
            state.apply(change);
        }
        state
    }

    /// Every stretch without egress rules that began with a revocation.
    pub(crate) fn empty_stretches(&self) -> Vec<EmptyStretch<'_>> {
        let mut stretches: Vec<EmptyStretch<'_>> = Vec::new();
        let mut open = false;
        let mut state = RulesNow::default();
        for (evidence, change) in &self.changes {
            state.apply(change);
            let has_egress = state.rules.keys().any(|rule| rule.egress);
            let empty = state.known && !has_egress;
            if empty && !open && matches!(change, RuleChange::Revoked { egress: true, .. }) {
                stretches.push(EmptyStretch { evidence, until: None });
                open = true;
            } else if has_egress && open {
                // That the rules are no longer known gives it none.
                if let Some(stretch) = stretches.last_mut() {
                    stretch.until = Some(evidence.moment.at);
                }
                open = false;
            }
        }
        stretches
    }
}

impl RulesNow {
    fn apply(&mut self, change: &RuleChange) {
        match change {
            RuleChange::Created => {
                self.known = true;
                self.rules = BTreeMap::from([(GroupRule::default_egress(), None)]);
            }
            RuleChange::Observed(rules) => {
                self.known = true;
                self.rules = rules.iter().map(|named| (named.rule.clone(), named.id.clone())).collect();
            }
            RuleChange::Authorized(named) => {
                self.rules.extend(named.rules.iter().map(|named| (named.rule.clone(), named.id.clone())));
            }
            RuleChange::Revoked { egress, rules } => self.revoke(*egress, rules),
            RuleChange::Modified(rules) => self.modify(rules),
        }
    }

    /// Which rule it was is known by its id, or because it is the only one whose id is not known. Where neither tells,
    /// the rules are not known any more.
    fn modify(&mut self, modified: &[ModifiedRule]) {
        self.known &= !modified.is_empty();
        for ModifiedRule { id, now } in modified {
            let old = self.named(id).or_else(|| self.only_nameless(|_| true).filter(|_| self.known));
            if let Some(old) = &old {
                self.rules.remove(old);
            }
            match (old, now) {
                (Some(old), Some(now)) => {
                    self.rules.insert(GroupRule { egress: old.egress, ..now.clone() }, Some(id.clone()));
                }
                _ => self.known = false,
            }
        }
    }

    /// The rule of that id.
    fn named(&self, id: &str) -> Option<GroupRule> {
        self.rules.iter().find(|(_, known)| known.as_deref() == Some(id)).map(|(rule, _)| rule.clone())
    }

    /// The one wanted rule whose id is not known, if there is one and no more.
    fn only_nameless(&self, wanted: impl Fn(&GroupRule) -> bool) -> Option<GroupRule> {
        let mut nameless = self.rules.iter().filter(|(rule, id)| id.is_none() && wanted(rule)).map(|(rule, _)| rule);
        match (nameless.next(), nameless.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    fn revoke(&mut self, egress: bool, named: &NamedRules) {
        // In a default VPC, revoking a rule that is not there succeeds and changes nothing, so a rule that is not among
        // the known ones says nothing about them.
        for revoked in &named.rules {
            self.rules.remove(&revoked.rule);
        }
        for id in &named.ids {
            let rule = self.named(id).or_else(|| self.only_nameless(|rule| rule.egress == egress));
            match rule {
                Some(rule) => {
                    self.rules.remove(&rule);
                }
                None if egress => self.known = false,
                None => {}
            }
        }
    }
}
