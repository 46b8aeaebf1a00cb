//! Security groups: their rules over time, and the stretches in which a group had no egress rule left.
//!
//! The rule set is known only from the group's creation or from inventory on; before that nothing is concluded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{order::Evidence, time::Second};

use super::group_rules::{GroupRule, NamedRule, NamedRules};

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
    /// Inventories that said the group does not exist.
    pub(crate) missing: Vec<Evidence>,
}

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
    /// Enters a change. Returns false when it was known.
    pub(crate) fn enter(&mut self, evidence: Evidence, change: RuleChange, max: usize) -> bool {
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
            Ok(_) => false,
            Err(place) => {
                self.changes.insert(place, (evidence, change));
                if self.changes.len() > max.max(1) {
                    self.fold_oldest();
                }
                true
            }
        }
    }

    /// When something was last entered.
    pub(crate) fn last_change(&self) -> Second {
        self.changes.last().map_or(Second::MIN, |(evidence, _)| evidence.moment.at)
    }

    /// Replaces the two oldest changes by their result, so that a busy group stays known within a limit.
    fn fold_oldest(&mut self) {
        let mut state = RulesNow::default();
        let mut last = None;
        for (evidence, change) in self.changes.drain(..2.min(self.changes.len())) {
            state.apply(&change);
            last = Some(evidence);
        }
        if let Some(evidence) = last
            && state.known
        {
            let rules = state.rules.into_iter().map(|(rule, id)| NamedRule { rule, id }).collect();
            self.changes.insert(0, (evidence, RuleChange::Observed(rules)));
        }
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
            let empty = state.known && !state.rules.keys().any(|rule| rule.egress);
            if empty && !open && matches!(change, RuleChange::Revoked { egress: true, .. }) {
                stretches.push(EmptyStretch { evidence, until: None });
                open = true;
            } else if !empty && open {
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
        }
    }

    fn revoke(&mut self, egress: bool, named: &NamedRules) {
        // In a default VPC, revoking a rule that is not there succeeds and changes nothing, so a rule that is not among
        // the known ones says nothing about them.
        for revoked in &named.rules {
            self.rules.remove(&revoked.rule);
        }
        for id in &named.ids {
            let by_id = self.rules.iter().find(|(_, known)| known.as_deref() == Some(id)).map(|(rule, _)| rule.clone());
            let nameless: Vec<&GroupRule> = self
                .rules
                .iter()
                .filter(|(rule, id)| id.is_none() && rule.egress == egress)
                .map(|(rule, _)| rule)
                .collect();
            let rule = by_id.or_else(|| match nameless.as_slice() {
                [only] => Some((*only).clone()),
                _ => None,
            });
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
