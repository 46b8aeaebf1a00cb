//! What the engine has to say now: derives state events, asks the rules about them, resolves what is over.

use super::{
    Engine,
    explaining::{Explainer, set_explanation},
};
use crate::{
    activity::ApiCall,
    alert::{
        Alert, AlertChange, ChangeKind, Status, Stored, book::Finding, compose::state_findings, of_principal::Source,
    },
    hashing::hash_of,
    time::Second,
    world::{BlindCount, Names, Origin, RegionCalls, StateEvent},
};

impl Engine {
    /// Everything rules find about an origin now.
    pub(super) fn findings_about(&self, origin: &Origin) -> Vec<Finding> {
        let events = match origin {
            Origin::Resource(resource) => self.memory.world.derive_resource(resource, &self.settings),
            Origin::Logging { account, region } => {
                let calls = self.region_calls(account, region);
                self.with_names(account, |names| self.memory.world.derive_logging(account, region, calls, names))
            }
            Origin::Detector { part, episode } => self.memory.world.derive_detector(part, episode),
        };
        let mut matched = Vec::new();
        for event in events {
            for &index in self.rules.state_rules(event.event) {
                let rule = self.rules.get(index);
                if let Some(severity) = rule.matches(&event) {
                    matched.push((rule, severity, StateEvent::clone(&event)));
                }
            }
        }
        state_findings(matched, &self.memory.world)
    }

    /// An alert of the book, brought up to now where its numbers grow without being told.
    pub(super) fn present(&self, stored: &Stored, origin: Option<&Origin>) -> Option<Alert> {
        let mut told = stored.to_alert()?;
        self.memory.world.name_agent(&mut told.actor, told.principal.as_deref());
        if told.status == Status::Withdrawn {
            return None;
        }
        let Some(origin @ Origin::Logging { .. }) = origin else { return Some(told) };
        let now = self.findings_about(origin).into_iter().find(|finding| finding.alert.id == told.id);
        Some(now.map_or_else(
            || told.clone(),
            |finding| Alert { status: told.status, actor: told.actor.clone(), ..finding.alert },
        ))
    }

    /// The alerts about principals, in any state.
    pub(super) fn principal_alerts(&self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (name, account) in self.memory.accounts.iter() {
            for &number in &account.with_verdicts {
                let Some((_, principal)) = account.principals.peek(number) else { continue };
                for place in 0..principal.verdicts.len() {
                    alerts.extend(self.principal_alert(name, number, place));
                }
            }
        }
        alerts
    }

    /// One alert about a principal.
    pub(super) fn principal_alert(&self, account_name: &str, number: u32, place: usize) -> Option<Alert> {
        let account = self.memory.accounts.get(account_name)?;
        let (name, principal) = account.principals.peek(number)?;
        let verdict = principal.verdicts.get(place)?;
        let rule = self.rules.by_id(&verdict.rule)?;
        let status = verdict.status()?;
        let source = Source {
            rule,
            settings: &self.settings,
            account_name,
            account,
            regions: &account.regions,
            name: &name,
            principal: &principal,
            verdict,
            ledger: account.usage.get(number),
            prices: self.rules.prices(),
        };
        let mut alert = source.alert(status);
        self.memory.world.name_agent(&mut alert.actor, alert.principal.as_deref());
        if status != Status::Withdrawn {
            set_explanation(&mut alert, Explainer::new(&self.memory.world, &name).explain(rule, verdict));
        }
        Some(alert)
    }

    /// Resolves the alerts of principals that have been quiet for long enough.
    pub(super) fn resolve_quiet(&mut self, changes: &mut Vec<AlertChange>) {
        while let Some(due) = self.memory.quiet_due.first_entry()
            && *due.key() <= self.memory.clock
        {
            for (account, number) in due.remove() {
                self.resolve_principal(&account, number, self.memory.clock, changes);
            }
        }
    }

    /// Resolves the alerts of all principals.
    pub(super) fn resolve_all(&mut self, changes: &mut Vec<AlertChange>) {
        self.memory.quiet_due.clear();
        let all: Vec<(Box<str>, u32)> = self
            .memory
            .accounts
            .iter()
            .flat_map(|(name, account)| account.with_verdicts.iter().map(|number| (name.into(), *number)))
            .collect();
        for (account, number) in all {
            self.resolve_principal(&account, number, Second::MAX, changes);
        }
    }

    fn resolve_principal(&mut self, account_name: &str, number: u32, now: Second, changes: &mut Vec<AlertChange>) {
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let Some((_, principal)) = account.principals.get_mut(number) else { return };
        let mut resolved = Vec::new();
        let mut next: Option<Second> = None;
        for (place, verdict) in principal.verdicts.iter_mut().enumerate() {
            if verdict.status() != Some(Status::Firing) {
                continue;
            }
            let quiet_at = Second(verdict.last()).plus(self.settings.quiet_s);
            if quiet_at <= now {
                verdict.resolve();
                resolved.push(place);
            } else {
                next = Some(next.map_or(quiet_at, |known| known.min(quiet_at)));
            }
        }
        if let Some(next) = next {
            self.memory.quiet_due.entry(next).or_default().insert((account_name.into(), number));
        }
        for place in resolved {
            let alert = self.principal_alert(account_name, number, place);
            changes.extend(alert.map(|alert| AlertChange { kind: ChangeKind::Resolved, alert }));
        }
    }

    /// Moves the verdicts of days that are over into the book, as alerts that no longer change.
    pub(super) fn archive_verdicts(&mut self, account_name: &str, oldest_day: u32) {
        let Some(account) = self.memory.accounts.get(account_name) else { return };
        let candidates: Vec<u32> = account.with_verdicts.iter().copied().collect();
        for number in candidates {
            let Some(account) = self.memory.accounts.get(account_name) else { return };
            let Some((_, principal)) = account.principals.peek(number) else { continue };
            let is_over = |place: &usize| {
                principal
                    .verdicts
                    .get(*place)
                    .is_some_and(|verdict| verdict.day < oldest_day && verdict.status() != Some(Status::Firing))
            };
            let over: Vec<usize> = (0..principal.verdicts.len()).filter(is_over).collect();
            if over.is_empty() {
                continue;
            }
            for place in &over {
                if let Some(alert) = self.principal_alert(account_name, number, *place) {
                    self.memory.book.archive(&alert);
                }
            }
            let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
            if let Some((_, principal)) = account.principals.get_mut(number) {
                let mut place: usize = 0;
                principal.verdicts.retain(|_| {
                    let keep = !over.contains(&place);
                    place = place.saturating_add(1);
                    keep
                });
                if principal.verdicts.is_empty() {
                    account.with_verdicts.remove(&number);
                }
            }
        }
    }

    /// Counts an inference call made where nothing is logged, and tells so at powers of two.
    pub(super) fn count_blind(&mut self, call: &ApiCall<'_>, changes: &mut Vec<AlertChange>) {
        let regions = self.memory.blind.get_mut(&*call.account);
        let Some(blind) = regions.and_then(|regions| regions.get_mut(&*call.region)) else { return };
        if !self.memory.world.is_blind_at(&call.account, &call.region, call.time) {
            return;
        }
        blind.calls = blind.calls.saturating_add(1);
        if blind.calls.is_power_of_two() {
            let origin = Origin::Logging { account: (*call.account).into(), region: (*call.region).into() };
            let findings = self.findings_about(&origin);
            let entering = self.entering();
            let rules = &self.rules;
            let stays = |rule: &str| !super::exchanging::knows(rules, rule);
            changes.extend(self.memory.book.settle(&origin, findings, entering, stays));
        }
    }

    /// Notes whether an account and region are blind now.
    pub(super) fn settle_blindness(&mut self, origin: &Origin) {
        let Origin::Logging { account, region } = origin else { return };
        let regions = self.memory.blind.entry(account.clone()).or_default();
        let intervals = self.memory.world.blind_intervals(account, region);
        if intervals.is_empty() {
            regions.remove(region);
            return;
        }
        let stretches = hash_of(&intervals);
        // Counted anew, so that the first call of every stretch is noticed; but not because it was switched off again.
        if regions.get(region).is_none_or(|blind| blind.stretches != stretches) {
            regions.insert(region.clone(), BlindCount { calls: 0, stretches });
        }
    }

    /// Folds the inference calls that can no longer change.
    pub(super) fn settle_calls(&mut self, account_name: &str, horizon: Second) {
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let mut all = std::mem::take(&mut account.calls);
        for (region, calls) in &mut all {
            if calls.reaches_before(horizon.0) {
                let region =
                    self.memory.accounts.get(account_name).map_or("unknown", |known| known.regions.name(*region));
                let intervals = self.memory.world.blind_intervals(account_name, region);
                self.with_names(account_name, |names| calls.settle(horizon.0, &intervals, names));
            }
        }
        if let Some(account) = self.memory.accounts.get_mut(account_name) {
            account.calls = all;
        }
    }

    fn region_calls(&self, account: &str, region: &str) -> Option<&RegionCalls> {
        let account = self.memory.accounts.get(account)?;
        account.calls.get(&account.regions.find(region)?)
    }

    fn with_names<T>(&self, account: &str, work: impl FnOnce(&Names<'_>) -> T) -> T {
        let max = usize::try_from(self.settings.limits.distinct_max).unwrap_or(usize::MAX);
        let known = self.memory.accounts.get(account);
        let of = |number: u32| {
            known.map(|account| account.principals.name(number)).unwrap_or_default().into_owned().into_boxed_str()
        };
        work(&Names { of: &of, max })
    }
}
