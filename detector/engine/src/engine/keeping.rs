//! Keeps the engine's books: how far time has come, which events were seen, and the limits of everything that grows.

use super::Engine;
use crate::{
    account::Account,
    activity::ApiCall,
    hashing::{hash_of, short_hash_of},
    limit::Limit,
    seen_events::Novelty,
    time::{DAY_S, Second},
};

impl Engine {
    /// Notes an event time of an account. Returns whether that changed anything.
    pub(super) fn note_time(&mut self, account: &str, time: Second) -> bool {
        let of_all = self.memory.world.note_event(time);
        if let Some(known) = self.memory.accounts.get_mut(account) {
            let is_outside = known.note_time(time);
            if known.watermark.minute() > known.tidied {
                self.memory.touched_account = Some(account.into());
            }
            return is_outside || of_all;
        }
        self.know_account(account);
        if let Some(fresh) = self.memory.accounts.get_mut(account) {
            fresh.note_time(time);
        }
        true
    }

    /// Makes an account of which no event is known yet.
    pub(super) fn know_account(&mut self, account: &str) {
        if self.memory.accounts.get(account).is_some() {
            return;
        }
        let max = usize::try_from(self.settings.limits.accounts_max).unwrap_or(usize::MAX);
        if self.memory.accounts.len() >= max {
            self.memory.stats.limits.count(Limit::AccountsMax, 1_u64);
            self.forget_quietest_account();
        }
        self.memory.accounts.insert(account, Account::default());
    }

    /// Forgets the account with the fewest principals, of those the one that was quiet longest.
    fn forget_quietest_account(&mut self) {
        let quietest =
            self.memory.accounts.iter().min_by_key(|(_, account)| (account.principals.len(), account.watermark));
        if let Some(name) = quietest.map(|(name, _)| name.to_owned()) {
            let gone = self.memory.accounts.remove(&name).map_or(0, |account| account.principals.len());
            self.memory.principal_count = self.memory.principal_count.saturating_sub(gone);
        }
    }

    /// Whether an event is too old to take part in counts.
    pub(super) fn is_late(&mut self, account: &str, time: Second) -> bool {
        self.memory.accounts.get_mut(account).is_some_and(|known| known.is_late(time, &self.settings))
    }

    /// Whether a call was judged before; notes it if not.
    pub(super) fn is_copy(&mut self, call: &ApiCall<'_>) -> bool {
        let stats = &mut self.memory.stats;
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return false };
        match account.seen.insert(call.time, hash_of(&*call.event_id), content_of(call)) {
            Novelty::New => false,
            Novelty::Copy { differs } => {
                stats.duplicates = stats.duplicates.saturating_add(1);
                stats.copies_differ = stats.copies_differ.saturating_add(u64::from(differs));
                true
            }
        }
    }

    /// Tidies the accounts whose minute has changed, and enforces the limits.
    pub(super) fn keep_limits(&mut self) {
        self.tidy_accounts();
        let max = usize::try_from(self.settings.limits.principals_max).unwrap_or(usize::MAX);
        if self.memory.principal_count > max {
            self.evict_principals();
        }
        let alerts_max = usize::try_from(self.settings.limits.alerts_max).unwrap_or(usize::MAX);
        let forgotten = self.memory.book.forget_beyond(alerts_max);
        let reached = &mut self.memory.stats.limits;
        reached.count(Limit::AlertsMax, forgotten);
        reached.add(&self.memory.world.take_limits_reached());
    }

    /// Leaves alerts as they are whose events a limit made the world forget.
    pub(super) fn release_forgotten(&mut self) {
        for (origin, until) in self.memory.world.take_forgotten() {
            self.memory.book.release(&origin, until);
        }
    }

    /// The account that has the most principals pays for the limit.
    fn evict_principals(&mut self) {
        let horizon_s = self.settings.lateness_s.saturating_add(crate::rule::vocabulary::WINDOW_MAX_S);
        let largest = self.memory.accounts.iter().max_by_key(|(_, account)| account.principals.len());
        let Some(name) = largest.map(|(name, _)| name.to_owned()) else { return };
        let Some(account) = self.memory.accounts.get_mut(&name) else { return };
        let evicted = account.principals.evict(account.watermark.0.saturating_sub(horizon_s));
        account.firsts.forget_principals(&evicted);
        account.usage.follow_eviction(&account.principals);
        account.with_verdicts.retain(|number| evicted.binary_search(number).is_err());
        self.memory.principal_count = self.memory.principal_count.saturating_sub(evicted.len());
        self.memory.stats.limits.count(Limit::PrincipalsMax, evicted.len());
    }

    /// Once a minute of its own time, an account forgets what can no longer matter.
    pub(super) fn tidy_accounts(&mut self) {
        let Some(name) = self.memory.touched_account.take() else { return };
        let Some(account) = self.memory.accounts.get_mut(&name) else { return };
        let minute = account.watermark.minute();
        if minute <= account.tidied {
            return;
        }
        account.tidied = minute;
        let horizon = account.watermark.minus(self.settings.lateness_s);
        let ids_max = usize::try_from(self.settings.limits.event_ids_max).unwrap_or(usize::MAX);
        let lost = account.seen.forget(horizon, ids_max);
        self.memory.stats.limits.count(Limit::EventIdsMax, lost);
        let models_horizon = horizon.minus(crate::rule::vocabulary::WINDOW_MAX_S);
        for seen in &mut account.models.seen {
            seen.compact(models_horizon.0);
        }
        account.firsts.forget_before((horizon.0 / DAY_S).saturating_sub(1));
        self.settle_calls(&name, horizon);
        self.archive_verdicts(&name, models_horizon.0 / DAY_S);
    }
}

/// A hash of what an event says, to tell copies that differ.
fn content_of(call: &ApiCall<'_>) -> u32 {
    let parts = [
        Some(&*call.source),
        Some(&*call.name),
        Some(&*call.region),
        Some(&*call.principal),
        call.error_code.as_deref(),
        call.source_ip.as_deref(),
    ];
    short_hash_of(&(call.time.0, parts))
}
