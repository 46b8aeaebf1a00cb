//! The alerts about resources, logging, single events and correlations: compares what holds now with what was told,
//! and says what changed.
//!
//! Alerts about principals keep their own account of what was told, see `principals::verdict`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Alert, AlertChange, ChangeKind, Status, Stored, SubjectKind};
use crate::{time::Second, world::Origin};

/// An alert that holds, and whether it is over.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) alert: Alert,
    pub(crate) over: bool,
}

/// Everything told so far.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct AlertBook {
    entries: BTreeMap<Box<str>, Entry>,
    by_origin: BTreeMap<Origin, BTreeSet<Box<str>>>,
    /// Numbers the changes, so that a limit forgets what changed longest ago.
    turn: u64,
    by_turn: BTreeMap<u64, Box<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    alert: Stored,
    turn: u64,
    /// Found while teaching: remembered, never told.
    taught: bool,
    origin: Option<Origin>,
}

/// How alerts are entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entering {
    /// While teaching, nothing is told.
    pub(crate) teaching: bool,
}

impl AlertBook {
    /// Takes in everything that holds about `origin` now. What held and does not any more is withdrawn, unless its rule is
    /// one that `stays` because nobody judges by it.
    pub(crate) fn settle(
        &mut self,
        origin: &Origin,
        findings: Vec<Finding>,
        how: Entering,
        stays: impl Fn(&str) -> bool,
    ) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        let mut gone = self.by_origin.get(origin).cloned().unwrap_or_default();
        for finding in findings {
            gone.remove(&*finding.alert.id);
            changes.extend(self.enter(Some(origin), finding, how));
        }
        for id in gone {
            if self.entries.get(&id).is_some_and(|entry| stays(entry.alert.rule())) {
                continue;
            }
            changes.extend(self.withdraw(&id));
        }
        changes
    }

    /// Takes in one alert that holds.
    pub(crate) fn enter(&mut self, origin: Option<&Origin>, finding: Finding, how: Entering) -> Option<AlertChange> {
        let Finding { mut alert, over } = finding;
        alert.status = if over { Status::Resolved } else { Status::Firing };
        let id: Box<str> = alert.id.as_str().into();
        let Some(entry) = self.entries.get_mut(&id) else {
            self.insert(id, &alert, origin, how);
            let kind = if over { ChangeKind::Resolved } else { ChangeKind::Fired };
            // What is over before it was ever told is told as fired and resolved at once: one change, the last state.
            return (!how.teaching).then_some(AlertChange { kind, alert });
        };
        let stored = Stored::of(&alert);
        // Mostly nothing changed.
        if stored == entry.alert {
            return None;
        }
        let kind = change_kind(&entry.alert, &alert)?;
        entry.alert = stored;
        let taught = entry.taught;
        if kind == Emit::Silently {
            return None;
        }
        self.touch(&id);
        let kind = kind.kind()?;
        (!taught && !how.teaching).then_some(AlertChange { kind, alert })
    }

    /// Keeps as they are the alerts that rest on nothing after `until`, because what followed from `origin` until then is
    /// no longer known: that they are not found again does not mean that they were wrong.
    pub(crate) fn release(&mut self, origin: &Origin, until: Second) {
        let Some(ids) = self.by_origin.get_mut(origin) else { return };
        let entries = &mut self.entries;
        ids.retain(|id| match entries.get_mut(id) {
            Some(entry) if entry.alert.last_event_time() <= until => {
                entry.origin = None;
                false
            }
            _ => true,
        });
        if ids.is_empty() {
            self.by_origin.remove(origin);
        }
    }

    /// Whether an alert is known.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.entries.contains_key(id)
    }

    /// Every alert that was told, with its origin.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Stored, Option<&Origin>)> {
        self.entries.values().filter(|entry| !entry.taught).map(|entry| (&entry.alert, entry.origin.as_ref()))
    }

    /// Forgets alerts beyond `max`: of those that are over the longest unchanged, then of those that fire the least
    /// severe, the longest unchanged of the account that has most of them. Returns how many.
    pub(crate) fn forget_beyond(&mut self, max: usize) -> u64 {
        let mut forgotten: u64 = 0;
        while self.entries.len() > max {
            let over = self
                .by_turn
                .iter()
                .find(|(_, id)| self.entries.get(*id).is_some_and(|entry| entry.alert.status() != Status::Firing));
            let Some(turn) = over.map(|(turn, _)| *turn).or_else(|| self.least_of_firing()) else { break };
            if let Some(id) = self.by_turn.remove(&turn)
                && let Some(entry) = self.entries.remove(&id)
                && let Some(origin) = entry.origin
                && let Some(ids) = self.by_origin.get_mut(&origin)
            {
                ids.remove(&id);
            }
            forgotten = forgotten.saturating_add(1);
        }
        forgotten
    }

    /// The turn of the alert whose loss costs least while all fire.
    fn least_of_firing(&self) -> Option<u64> {
        let least = self.entries.values().map(|entry| entry.alert.severity()).min()?;
        let mut accounts: BTreeMap<&str, (usize, Reverse<u64>)> = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| entry.alert.severity() == least) {
            let (count, oldest) = accounts.entry(entry.alert.account()).or_insert((0, Reverse(entry.turn)));
            *count = count.saturating_add(1);
            *oldest = (*oldest).max(Reverse(entry.turn));
        }
        accounts.into_values().max().map(|(_, Reverse(turn))| turn)
    }

    /// Forgets the alerts about principals of some accounts.
    pub(crate) fn forget_principals(&mut self, of: impl Fn(&str) -> bool) {
        let is_gone = |alert: &Stored| alert.subject_kind() == SubjectKind::Principal && of(alert.account());
        let gone: Vec<Box<str>> =
            self.entries.iter().filter(|(_, entry)| is_gone(&entry.alert)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            // They have no origin.
            if let Some(entry) = self.entries.remove(&id) {
                self.by_turn.remove(&entry.turn);
            }
        }
    }

    /// What the alerts of some accounts follow from.
    pub(crate) fn origins(&self, of: impl Fn(&str) -> bool) -> BTreeSet<Origin> {
        self.entries
            .values()
            .filter(|entry| of(entry.alert.account()))
            .filter_map(|entry| entry.origin.clone())
            .collect()
    }

    /// Takes over what another book says of some accounts: whole alerts, except where this book has come to another end
    /// meanwhile. Returns what this book says of them that the other does not.
    pub(crate) fn absorb(&mut self, mut other: Self, of: impl Fn(&str) -> bool) -> Vec<Alert> {
        let mut unsaid = Vec::new();
        for (id, known) in self.entries.iter_mut().filter(|(_, entry)| of(entry.alert.account())) {
            match other.entries.remove(id) {
                Some(said) if said.alert.status() == known.alert.status() => known.alert = said.alert,
                None if known.alert.status() == Status::Withdrawn => {}
                _ if known.taught => {}
                _ => unsaid.extend(known.alert.to_alert()),
            }
        }
        other.entries.retain(|_, entry| of(entry.alert.account()));
        // In the order in which the other said them.
        for id in other.by_turn.into_values() {
            let Some(Entry { alert, taught, origin, .. }) = other.entries.remove(&id) else { continue };
            if let Some(origin) = &origin {
                self.by_origin.entry(origin.clone()).or_default().insert(id.clone());
            }
            self.entries.insert(id.clone(), Entry { alert, turn: 0, taught, origin });
            self.touch(&id);
        }
        unsaid
    }

    fn insert(&mut self, id: Box<str>, alert: &Alert, origin: Option<&Origin>, how: Entering) {
        if let Some(origin) = origin {
            self.by_origin.entry(origin.clone()).or_default().insert(id.clone());
        }
        let entry = Entry { alert: Stored::of(alert), turn: 0, taught: how.teaching, origin: origin.cloned() };
        self.entries.insert(id.clone(), entry);
        self.touch(&id);
    }

    fn touch(&mut self, id: &str) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.by_turn.remove(&entry.turn);
        self.turn = self.turn.saturating_add(1);
        entry.turn = self.turn;
        self.by_turn.insert(self.turn, id.into());
    }

    /// Keeps an alert that no longer changes and was told elsewhere.
    pub(crate) fn archive(&mut self, alert: &Alert) {
        let id: Box<str> = alert.id.as_str().into();
        self.insert(id, alert, None, Entering { teaching: false });
    }

    /// Ends an alert that nothing else looks after. Returns it, if that is news.
    pub(crate) fn resolve(&mut self, id: &str) -> Option<Alert> {
        let entry = self.entries.get_mut(id)?;
        if entry.alert.status() != Status::Firing {
            return None;
        }
        let mut alert = entry.alert.to_alert()?;
        alert.status = Status::Resolved;
        entry.alert = Stored::of(&alert);
        let taught = entry.taught;
        self.touch(id);
        (!taught).then_some(alert)
    }

    /// Takes an alert back.
    pub(crate) fn withdraw(&mut self, id: &str) -> Option<AlertChange> {
        let entry = self.entries.get_mut(id)?;
        if entry.alert.status() == Status::Withdrawn {
            return None;
        }
        let mut alert = entry.alert.to_alert()?;
        alert.status = Status::Withdrawn;
        alert.facts.insert("reason".to_owned(), json!("records that arrived later show that it should not have fired"));
        entry.alert = Stored::of(&alert);
        let taught = entry.taught;
        self.touch(id);
        (!taught).then_some(AlertChange { kind: ChangeKind::Withdrawn, alert })
    }
}

/// Whether and how a difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emit {
    Silently,
    Told(ChangeKind),
}

impl Emit {
    const fn kind(self) -> Option<ChangeKind> {
        match self {
            Self::Silently => None,
            Self::Told(kind) => Some(kind),
        }
    }
}

fn change_kind(before: &Stored, now: &Alert) -> Option<Emit> {
    let told = before.to_alert()?;
    if told == *now {
        return None;
    }
    if told.status != now.status {
        let kind = if now.status == Status::Resolved { ChangeKind::Resolved } else { ChangeKind::Fired };
        return Some(Emit::Told(kind));
    }
    let grew = now.event_count.checked_ilog2() > told.event_count.checked_ilog2()
        || blind_calls(now).checked_ilog2() > blind_calls(&told).checked_ilog2();
    if grew || without_counts(&told) != without_counts(now) {
        return Some(Emit::Told(ChangeKind::Updated));
    }
    Some(Emit::Silently)
}

fn blind_calls(alert: &Alert) -> u64 {
    alert.facts.get("blind_invocations").and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// The alert without what only grows: such growth is told at powers of two.
fn without_counts(alert: &Alert) -> Alert {
    let mut rest = alert.clone();
    rest.event_count = 0;
    rest.event_ids.clear();
    rest.last_event_time = Second::MIN;
    rest.first_event_time = Second::MIN;
    rest.summary.clear();
    // Commands name the time up to which sessions are revoked.
    rest.repair.clear();
    for growing in ["attempts", "blind_invocations", "blind_principals", "error_codes"] {
        rest.facts.remove(growing);
    }
    rest
}
