//! Leads an event on Bedrock through the first times of its account and principal, and tells what that changes.

use std::{cell::Cell, collections::BTreeSet};

use super::Engine;
use crate::{
    account::Account,
    activity::ApiCall,
    alert::{AlertChange, Severity},
    decode::CallFields,
    firsts::{self, Bits, First, Key, Matched, Origin, found},
    hashing::short_hash_of,
    limit::{Limit, LimitCounts},
    order::EventId,
    principals::{NO_MODEL, StoredActor},
    rule::{Field, Fields, FirstTimes, RuleSet, Value},
};

/// A principal's number, a rule and a day for which something changed.
type Changed = (u32, Box<str>, u32);

/// The model a call named, if it is an inference call, and the numbers of its principal and region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    pub(super) principal: u32,
    pub(super) region: u8,
    pub(super) model: Option<u16>,
}

impl Engine {
    /// The numbers of an event that is no inference call, whose principal is made known if need be.
    pub(super) fn note_control(&mut self, call: &ApiCall<'_>) -> Option<Noted> {
        let account = self.memory.accounts.get_mut(&call.account)?;
        let region = account.regions.number_of(&call.region);
        let known = account.principals.len();
        let number = account.principals.find_or_insert(&call.principal);
        self.memory.principal_count =
            self.memory.principal_count.saturating_add(account.principals.len().saturating_sub(known));
        let (_, principal) = account.principals.get_mut(number)?;
        principal.newest = principal.newest.max(call.time.0);
        Some(Noted { principal: number, region, model: None })
    }

    /// Takes an event on Bedrock into the first times, and judges what that changes.
    pub(super) fn note_firsts(&mut self, call: &ApiCall<'_>, noted: Noted, changes: &mut Vec<AlertChange>) {
        let limits = self.limits_of_sightings();
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return };
        let keys = Keys::of(call, noted);
        let firsts = sight(account, call, noted, &keys, limits, &mut self.memory.stats.limits);
        if self.teaching {
            return;
        }
        let (second, number) = (call.time.0, noted.principal);
        let mut changed = Vec::new();
        if account.firsts.has_from(second) {
            changed = account.firsts.take(keys.as_slice(), number, second, &EventId::new(&call.event_id));
        }
        if firsts & firsts::ALL != 0 {
            changed.extend(self.enter_first(call, noted, &keys, firsts));
        }
        for (principal, rule, day) in changed.into_iter().collect::<BTreeSet<Changed>>() {
            self.renew_first_times(&call.account, principal, &rule, day, changes);
        }
    }

    fn limits_of_sightings(&self) -> Limits {
        let size = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        let limits = &self.settings.limits;
        Limits {
            days: self.settings.history_days,
            of_principal: size(limits.sightings_max),
            // Regions are fewer than 256.
            of_account: size(limits.models_max).saturating_add(256),
        }
    }

    /// Asks the rules about an event that is the first of something, and keeps it. Returns for what that counts.
    fn enter_first(&mut self, call: &ApiCall<'_>, noted: Noted, keys: &Keys, firsts: Bits) -> Vec<Changed> {
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return Vec::new() };
        // While little is known of the account nearly every event is the first of something, and says nothing; several of
        // a kind within a short time are what an attack on an account looks like that never used Bedrock.
        let at_least = if account.is_learning(call.time, &self.settings) { 2 } else { 1 };
        let matched = matched(&self.rules, call, firsts, at_least);
        let day = call.time.day();
        let mut changed: Vec<Changed> = Vec::new();
        for (answer, terms) in &matched {
            changed.push((noted.principal, answer.rule.clone(), day));
            if terms.within_s > 0 {
                // It may lie in a window that ends on the next day.
                changed.push((noted.principal, answer.rule.clone(), day.saturating_add(1)));
            }
        }
        let first = First {
            second: call.time.0,
            id: EventId::new(&call.event_id),
            principal: noted.principal,
            region: noted.region,
            model: noted.model.unwrap_or(NO_MODEL),
            name: (*call.name).into(),
            actor: StoredActor::of(call, &mut account.shared),
            keys: keys.as_slice().to_vec(),
            firsts,
            matched: matched.into_iter().map(|(answer, _)| answer).collect(),
        };
        let max = usize::try_from(self.settings.limits.firsts_max).unwrap_or(usize::MAX);
        if account.firsts.insert(first, max) {
            self.memory.stats.limits.count(Limit::FirstsMax, 1_u64);
        }
        changed
    }

    /// Brings a rule's verdict about a principal's day up to what is known, and tells what changed.
    fn renew_first_times(
        &mut self,
        account_name: &str,
        number: u32,
        rule_id: &str,
        day: u32,
        changes: &mut Vec<AlertChange>,
    ) {
        let Some(terms) = self.rules.by_id(rule_id).and_then(crate::rule::Rule::first_times) else { return };
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let Account { principals, firsts, .. } = account;
        let Some((_, principal)) = principals.get_mut(number) else { return };
        let matching = firsts.matching(number, rule_id, day, terms.within_s);
        let at_least = usize::try_from(terms.at_least).unwrap_or(usize::MAX);
        let found = found(matching, day, at_least, terms.within_s);
        let is_known = principal.verdicts.iter().any(|verdict| verdict.day == day && *verdict.rule == *rule_id);
        if found.is_empty() && !is_known {
            return;
        }
        principal.verdict_mut(rule_id, day).rest_on(&found);
        self.tell_principal(account_name, number, changes);
    }
}

/// How much is remembered of what was seen, and how many days that reaches back.
#[derive(Debug, Clone, Copy)]
struct Limits {
    days: u32,
    of_principal: usize,
    of_account: usize,
}

/// What one event shows of its principal and account.
#[derive(Debug)]
struct Keys {
    keys: [Key; 5],
    count: usize,
}

impl Keys {
    fn of(call: &ApiCall<'_>, noted: Noted) -> Self {
        let none = Key { kind: firsts::PRINCIPAL, value: 0 };
        let mut keys = Self { keys: [none; 5], count: 1 };
        if noted.model.is_some() || !firsts::is_look(&call.name) {
            keys.push(firsts::REGION, u32::from(noted.region));
        }
        match noted.model {
            Some(NO_MODEL) => {}
            Some(model) => keys.push(firsts::MODEL, u32::from(model)),
            None => keys.push(firsts::OPERATION, short_hash_of(&*call.name)),
        }
        if let Some(origin) = Origin::of(call) {
            keys.push(firsts::NETWORK, origin.network);
            keys.push(firsts::USER_AGENT, origin.user_agent);
        }
        keys
    }

    fn push(&mut self, kind: Bits, value: u32) {
        if let Some(place) = self.keys.get_mut(self.count) {
            *place = Key { kind, value };
            self.count = self.count.saturating_add(1);
        }
    }

    fn as_slice(&self) -> &[Key] {
        self.keys.get(..self.count).unwrap_or_default()
    }
}

/// Notes what an event shows. Returns what it is the first of.
fn sight(
    account: &mut Account,
    call: &ApiCall<'_>,
    noted: Noted,
    keys: &Keys,
    limits: Limits,
    reached: &mut LimitCounts,
) -> Bits {
    let second = call.time.0;
    let Account { principals, firsts: log, .. } = account;
    let Some((_, principal)) = principals.get_mut(noted.principal) else { return 0 };
    let mut bits = 0;
    for &key in keys.as_slice() {
        let of_account = key.kind & (firsts::REGION | firsts::MODEL) != 0;
        let (list, max) = if of_account {
            (&mut log.sightings, limits.of_account)
        } else {
            (&mut principal.sightings, limits.of_principal)
        };
        let (seen, is_full) = list.note(key, second, max);
        reached.count(if of_account { Limit::ModelsMax } else { Limit::SightingsMax }, is_full);
        if key.kind == firsts::PRINCIPAL && !seen.is_some_and(|seen| seen.on_days_before(second, limits.days)) {
            bits |= firsts::DAY;
        }
        if !seen.is_some_and(|seen| seen.before(second, limits.days)) {
            bits |= key.kind;
        }
    }
    if bits & firsts::ALL != 0 && log.has_from(second) {
        // Of several events in one second the first in judging order counts.
        let id = EventId::new(&call.event_id);
        for key in keys.as_slice() {
            if log.is_taken(*key, noted.principal, second, &id) {
                bits &= !key.kind;
            }
        }
    }
    bits
}

/// What the rules that ask for `at_least` or more first times say about an event, for every set that may be left.
fn matched(rules: &RuleSet, call: &ApiCall<'_>, firsts: Bits, at_least: u32) -> Vec<(Matched, FirstTimes)> {
    let times = Times { bits: Cell::new(firsts) };
    let fields = CallFields::new(call, Some(&times));
    let mut answers = Vec::new();
    for index in rules.first_time_rules(&call.source, &call.name) {
        let rule = rules.get(index);
        let Some(terms) = rule.first_times().filter(|terms| terms.at_least >= at_least) else { continue };
        let left = firsts & terms.asked;
        let mut under: Vec<(Bits, Severity)> = Vec::new();
        // Every subset of `left`, from all of it to none.
        let mut set = left;
        loop {
            times.bits.set(set);
            under.extend(rule.matches(&fields).map(|severity| (set, severity)));
            if set == 0 {
                break;
            }
            set = set.wrapping_sub(1) & left;
        }
        if !under.is_empty() {
            answers.push((Matched { rule: rule.id().into(), asked: terms.asked, under }, terms));
        }
    }
    answers
}

/// Answers `watch.first.*`.
struct Times {
    bits: Cell<Bits>,
}

impl Fields for Times {
    fn value(&self, field: &Field) -> Value<'_> {
        let Field::Watch(name) = field else { return Value::Missing };
        firsts::bit_of(name).map_or(Value::Missing, |bit| Value::Bool(self.bits.get() & bit != 0))
    }
}
