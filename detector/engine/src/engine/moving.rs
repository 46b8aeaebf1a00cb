//! Moves accounts between engines, when the stream that feeds an engine is split or merged with another.
//!
//! What belongs to an account is kept together and moves as it is. What is known of resources and logging is the same on
//! every engine, because all of them hear of it; deliberately, it is not joined here.

use std::collections::BTreeSet;

use super::Engine;
use crate::{
    account::Account,
    alert::{AlertChange, ChangeKind, Status},
};

impl Engine {
    /// Forgets what accounts did for which another engine answers. Of those accounts only their time remains, by which
    /// it is known which of their records are late.
    pub fn retain_accounts(&mut self, owns: impl Fn(&str) -> bool) {
        let memory = &mut self.memory;
        for name in memory.accounts.names().into_iter().filter(|name| !owns(name)) {
            let Some(account) = memory.accounts.get_mut(&name) else { continue };
            memory.principal_count = memory.principal_count.saturating_sub(account.principals.len());
            *account = Account { watermark: account.watermark, tidied: account.tidied, ..Account::default() };
            for blind in memory.blind.get_mut(&name).into_iter().flat_map(std::collections::BTreeMap::values_mut) {
                blind.calls = 0;
            }
        }
        memory.quiet_due.retain(|_, due| {
            due.retain(|(account, _)| owns(account));
            !due.is_empty()
        });
        memory.book.forget_principals(|account| !owns(account));
    }

    /// Takes over the accounts for which `other` answers, in the state in which `other` has them. What is known of
    /// resources and logging stays that of `self`, which should be the one that has read further.
    ///
    /// Returns what `self` knows of those accounts' alerts that `other` has not said yet.
    pub fn absorb(&mut self, other: Self, owns_of_other: impl Fn(&str) -> bool) -> Vec<AlertChange> {
        let (memory, mut other) = (&mut self.memory, other.memory);
        let moving: BTreeSet<Box<str>> =
            other.accounts.names().into_iter().filter(|account| owns_of_other(account)).collect();
        for name in &moving {
            let Some(account) = other.accounts.remove(name) else { continue };
            let known = memory.accounts.remove(name).unwrap_or_default();
            // Its time is the one that its owner knew: what the owner has not heard yet of the state stream is heard
            // again, and must not count as late.
            memory.principal_count =
                memory.principal_count.saturating_sub(known.principals.len()).saturating_add(account.principals.len());
            memory.ledger_count = memory.ledger_count.saturating_add(account.usage.len());
            memory.accounts.insert(name, account);
            let counted = other.blind.remove(name).unwrap_or_default();
            for (region, blind) in memory.blind.get_mut(name).into_iter().flatten() {
                blind.calls = counted.get(region).map_or(blind.calls, |counted| counted.calls);
            }
        }
        memory.quiet_due.retain(|_, due| {
            due.retain(|(account, _)| !moving.contains(account));
            !due.is_empty()
        });
        for (due, accounts) in other.quiet_due {
            let moved: Vec<_> = accounts.into_iter().filter(|(account, _)| moving.contains(account)).collect();
            if !moved.is_empty() {
                memory.quiet_due.entry(due).or_default().extend(moved);
            }
        }
        memory.correlator.absorb(other.correlator, &owns_of_other);
        // Of what principals did, only the owner has heard everything.
        memory.book.forget_principals(|account| moving.contains(account));
        memory.stats.add(&other.stats);
        memory.clock = memory.clock.max(other.clock);
        let unsaid = memory.book.absorb(other.book, &owns_of_other);
        let origins = memory.book.origins(|account| moving.contains(account));
        self.find_orphans();
        let mut changes: Vec<AlertChange> =
            unsaid.into_iter().map(|alert| AlertChange { kind: kind_of(alert.status), alert }).collect();
        // The book says what `other` has told; the world may know more.
        self.derive(origins, &mut changes);
        changes
    }
}

const fn kind_of(status: Status) -> ChangeKind {
    match status {
        Status::Firing => ChangeKind::Fired,
        Status::Resolved => ChangeKind::Resolved,
        Status::Withdrawn => ChangeKind::Withdrawn,
    }
}
