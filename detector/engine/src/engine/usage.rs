//! Leads a model invocation log record into its principal's ledger and the rules about tokens and cost.

use super::Engine;
use crate::{
    account::{Account, Naming},
    activity::{ApiCall, InvocationLog},
    alert::{AlertChange, ChangeKind, Status},
    bedrock::{Outcome, normalise_model},
    hashing::{hash_of, short_hash_of},
    limit::Limit,
    order::EventId,
    principals::{NO_MODEL, StoredActor},
    rule::Counts,
    seen_events::Novelty,
    time::DAY_S,
    usage::{Amount, UsageCourt, judge_usage},
};

impl Engine {
    pub(super) fn handle_invocation_log(&mut self, log: &InvocationLog<'_>, changes: &mut Vec<AlertChange>) {
        self.know_account(&log.account);
        let settings = &self.settings;
        let stats = &mut self.memory.stats;
        let Some(account) = self.memory.accounts.get_mut(&log.account) else { return };
        let usage = &mut account.usage;
        if usage.is_late(log.time, settings) {
            stats.late = stats.late.saturating_add(1);
            return;
        }
        usage.watermark = usage.watermark.max(log.time);
        if let Novelty::Copy { differs } = usage.seen.insert(log.time, hash_of(&*log.request_id), content_of(log)) {
            stats.duplicates = stats.duplicates.saturating_add(1);
            stats.copies_differ = stats.copies_differ.saturating_add(u64::from(differs));
            return;
        }
        stats.judged = stats.judged.saturating_add(1);
        let number = self.note_log(log);
        self.judge_log(log, number, changes);
        self.tidy_usage(&log.account);
    }

    /// Adds a record to its principal's ledger. Returns the principal's number.
    fn note_log(&mut self, log: &InvocationLog<'_>) -> u32 {
        let Some(account) = self.memory.accounts.get_mut(&log.account) else { return u32::MAX };
        let (principals_before, ledgers_before) = (account.principals.len(), account.usage.len());
        let history_s = self.settings.history_days.saturating_mul(DAY_S);
        let outcome = Outcome::of(log.error_code.as_deref());
        let naming = Naming { model_id: log.model_id.as_deref(), second: log.time.0, outcome };
        let numbered = account.number_model(naming, self.settings.limits.models_max, history_s);
        self.memory.stats.limits.count(Limit::ModelsMax, numbered.is_at_limit());
        let model = numbered.number();
        let region = account.regions.number_of(&log.region);
        let Account { principals, usage, shared, .. } = account;
        let number = usage.owner(&log.principal, principals);
        let name = log.model_id.as_deref().map(normalise_model).unwrap_or_default();
        let (cost, is_priced) = self.rules.prices().cost_of(log, &name);
        let refused = outcome == Outcome::Refused;
        let amount = Amount {
            input_tokens: log.input_tokens,
            output_tokens: log.output_tokens,
            cost,
            errors: u32::from(refused),
        };
        if let Some(ledger) = usage.get_mut(number) {
            let details = ledger.add(log.time.0, &amount).details.get_or_insert_default();
            details.cache_read_tokens = details.cache_read_tokens.saturating_add(log.cache_read_tokens);
            details.cache_write_tokens = details.cache_write_tokens.saturating_add(log.cache_write_tokens);
            details.images = details.images.saturating_add(log.images);
            if model != NO_MODEL {
                details.note_model(model, is_priced);
            }
            if let Some(code) = log.error_code.as_deref().filter(|_| refused) {
                details.note_error(code);
            }
            let full_name = principals.name(number);
            let actor = || StoredActor::of_log(log, &full_name, shared);
            details.tally.add(log.time.0, || EventId::new(&log.request_id), region, actor);
        }
        let (principals_now, ledgers_now) = (account.principals.len(), account.usage.len());
        let memory = &mut self.memory;
        memory.principal_count =
            memory.principal_count.saturating_add(principals_now.saturating_sub(principals_before));
        memory.ledger_count = memory.ledger_count.saturating_add(ledgers_now.saturating_sub(ledgers_before));
        number
    }

    fn judge_log(&mut self, log: &InvocationLog<'_>, number: u32, changes: &mut Vec<AlertChange>) {
        if self.teaching {
            return;
        }
        let Some(account) = self.memory.accounts.get_mut(&log.account) else { return };
        let Account { principals, usage, .. } = account;
        let horizon = usage.watermark.minus(self.settings.lateness_s).0;
        let Some(ledger) = usage.get(number) else { return };
        let Some((name, principal)) = principals.get_mut(number) else { return };
        let court = UsageCourt { rules: &self.rules, settings: &self.settings, account: &log.account, name };
        let mut touched = judge_usage(court, ledger, principal, log.time.0);
        for verdict in &mut principal.verdicts {
            let is_of_usage = verdict.index_in(&self.rules).map(|index| self.rules.get(index).counts());
            if is_of_usage == Some(Counts::Usage) {
                verdict.settle(horizon);
                touched |= verdict.day == log.time.0 / DAY_S;
            }
        }
        if touched {
            self.tell_principal(&log.account, number, changes);
        }
    }

    /// Notes a principal that CloudTrail named, so that log records that know its role without a path find it.
    pub(super) fn join_usage(&mut self, call: &ApiCall<'_>, changes: &mut Vec<AlertChange>) {
        if self.memory.ledger_count == 0 {
            return;
        }
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return };
        if account.usage.len() == 0 {
            return;
        }
        let Some(number) = account.principals.find(&call.principal) else { return };
        let Some(before) = account.usage.note_principal(&call.principal, number) else { return };
        self.move_verdicts(&call.account, before, number, changes);
    }

    /// Moves what rules found in a ledger from one principal to another: its alerts are withdrawn and told anew.
    fn move_verdicts(&mut self, account_name: &str, from: u32, to: u32, changes: &mut Vec<AlertChange>) {
        let rules = std::sync::Arc::clone(&self.rules);
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let Some((_, principal)) = account.principals.get_mut(from) else { return };
        let is_of_usage = |verdict: &crate::principals::Verdict| {
            rules.by_id(&verdict.rule).is_some_and(|rule| rule.counts() == Counts::Usage)
        };
        let places: Vec<usize> = (0..principal.verdicts.len())
            .filter(|place| principal.verdicts.get(*place).is_some_and(is_of_usage))
            .collect();
        for place in &places {
            let Some(mut alert) = self.principal_alert(account_name, from, *place) else { continue };
            if alert.status == Status::Withdrawn {
                continue;
            }
            alert.status = Status::Withdrawn;
            let reason = "CloudTrail names the role with its path; the alert goes on under that name";
            alert.facts.insert("reason".to_owned(), serde_json::json!(reason));
            changes.push(AlertChange { kind: ChangeKind::Withdrawn, alert });
        }
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let Some((_, principal)) = account.principals.get_mut(from) else { return };
        let (moving, staying) = std::mem::take(&mut principal.verdicts).into_iter().partition(is_of_usage);
        principal.verdicts = staying;
        if principal.verdicts.is_empty() {
            account.with_verdicts.remove(&from);
        }
        let Some((_, principal)) = account.principals.get_mut(to) else { return };
        let moved: Vec<crate::principals::Verdict> = moving;
        principal.verdicts.extend(moved.into_iter().map(crate::principals::Verdict::untold));
        self.tell_principal(account_name, to, changes);
    }

    /// Once a minute of its own time, the logs of an account forget what can no longer matter.
    fn tidy_usage(&mut self, account_name: &str) {
        let ids_max = usize::try_from(self.settings.limits.event_ids_max).unwrap_or(usize::MAX);
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let minute = account.usage.watermark.minute();
        if minute > account.usage.tidied {
            let is_new_hour = minute / 60 > account.usage.tidied / 60;
            account.usage.tidied = minute;
            let lost = account.usage.forget_ids(&self.settings, ids_max);
            let emptied = if is_new_hour { account.usage.tidy(&self.settings) } else { 0 };
            // Without CloudTrail nobody else closes the days of an account.
            let is_alone = account.watermark.0 == 0;
            let horizon = account.usage.watermark.minus(self.settings.lateness_s);
            self.memory.stats.limits.count(Limit::EventIdsMax, lost);
            self.memory.ledger_count = self.memory.ledger_count.saturating_sub(emptied);
            if is_alone {
                self.archive_verdicts(account_name, horizon.minus(crate::rule::vocabulary::WINDOW_MAX_S).0 / DAY_S);
            }
        }
        let max = usize::try_from(self.settings.limits.usage_principals_max).unwrap_or(usize::MAX);
        if self.memory.ledger_count > max {
            self.evict_ledgers();
        }
    }

    /// The account that has the most ledgers pays for the limit.
    fn evict_ledgers(&mut self) {
        let largest = self.memory.accounts.iter().max_by_key(|(_, account)| account.usage.len());
        let Some(name) = largest.map(|(name, _)| name.to_owned()) else { return };
        let Some(account) = self.memory.accounts.get_mut(&name) else { return };
        let evicted = account.usage.evict();
        self.memory.ledger_count = self.memory.ledger_count.saturating_sub(evicted);
        self.memory.stats.limits.count(Limit::UsagePrincipalsMax, evicted);
    }
}

/// A hash of what a record says, to tell copies that differ.
fn content_of(log: &InvocationLog<'_>) -> u32 {
    let tokens = (log.input_tokens, log.output_tokens, log.cache_read_tokens, log.cache_write_tokens, log.images);
    short_hash_of(&(log.time.0, tokens, &*log.principal, log.model_id.as_deref(), log.error_code.as_deref()))
}
