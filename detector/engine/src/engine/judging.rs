//! Leads a CloudTrail record through its principal's history and the rules about single records.

use std::cell::Cell;

use super::{
    Engine,
    explaining::{EXPLAINED, Explainer},
    firsts::Noted,
};
use crate::{
    account::{Account, Naming},
    activity::ApiCall,
    alert::{
        AlertChange, ChangeKind, Severity,
        book::Finding,
        compose::{correlation_alert, event_alert},
        identity::alert_id,
    },
    bedrock::Outcome,
    decode::{CallFields, section},
    hashing::short_hash_of,
    limit::Limit,
    order::{EventId, Evidence},
    prefilter::Relevance,
    principals::{
        CallKind, Change, Court, Enablement, Principal, PrincipalMoment, StoredActor, Tally, insert_hash,
        insert_sorted, judge, judge_again,
    },
    rule::{Allowance, CorrelatedEvent, CorrelationHit, Counts, RuleIndex, RuleSet, texts},
    time::{DAY_S, Second, day_to_string},
    world::evidence_of,
};

impl Engine {
    /// Takes a call into its principal's history and judges what that changes.
    pub(super) fn note_principal(&mut self, call: &ApiCall<'_>, relevance: &Relevance, changes: &mut Vec<AlertChange>) {
        let enabled = relevance.enabling && call.error_code.is_none();
        let asks_for_firsts = relevance.bedrock && self.rules.asks_for_first_times();
        let mut noted = None;
        if relevance.inference {
            noted = self.note_inference(call, changes);
        } else {
            if enabled {
                self.note_enabling(call, changes);
            }
            if asks_for_firsts {
                noted = self.note_control(call);
            }
        }
        if let Some(noted) = noted.filter(|_| asks_for_firsts) {
            self.note_firsts(call, noted, changes);
        }
    }

    fn note_inference(&mut self, call: &ApiCall<'_>, changes: &mut Vec<AlertChange>) -> Option<Noted> {
        let history_s = self.settings.history_days.saturating_mul(DAY_S);
        let limits = &self.settings.limits;
        let account = self.memory.accounts.get_mut(&call.account)?;
        let region = account.regions.number_of(&call.region);
        let model_id = call.request.as_deref().and_then(|request| section::text(request, &["modelId"]));
        let outcome = Outcome::of(call.error_code.as_deref());
        let naming = Naming { model_id: model_id.as_deref(), second: call.time.0, outcome };
        let numbered = account.number_model(naming, limits.models_max, history_s);
        self.memory.stats.limits.count(Limit::ModelsMax, numbered.is_at_limit());
        let model = numbered.number();
        let kind = kind_of(call, model, region);
        let second = call.time.0;
        let (newest, seen) = (account.watermark.0, account.models.seen.get_mut(usize::from(model)));
        let no_longer_new = seen.and_then(|seen| seen.insert(second, history_s, newest));
        let known = account.principals.len();
        let number = account.principals.find_or_insert(&call.principal);
        self.memory.principal_count =
            self.memory.principal_count.saturating_add(account.principals.len().saturating_sub(known));
        let Account { principals, shared, models, watermark, .. } = account;
        let (name, principal) = principals.get_mut(number)?;
        principal.compact(watermark.0, &self.settings);
        principal.settle(watermark.0, &self.settings);
        let placed = principal.insert_call(second, kind);
        let left_out = note_day(principal, call, kind, limits.distinct_max, || StoredActor::of(call, shared));
        self.memory.stats.limits.count(Limit::DistinctMax, left_out);
        let mut touched = false;
        if !self.teaching {
            let court = Court {
                rules: &self.rules,
                settings: &self.settings,
                account: &call.account,
                name,
                models: &models.seen,
            };
            touched = judge(court, principal, Change::Call { second, kind, in_order: placed.in_order });
            touched |= !principal.verdicts.is_empty();
        }
        account.calls.entry(region).or_default().add(second, number);
        if touched {
            self.tell_principal(&call.account, number, changes);
        }
        if let Some(change) = no_longer_new {
            self.judge_others(&call.account, number, change.after, changes);
        }
        self.count_blind(call, changes);
        Some(Noted { principal: number, region, model: Some(model) })
    }

    /// A model called by one principal is no longer new for the others.
    fn judge_others(&mut self, account_name: &str, caller: u32, after: u32, changes: &mut Vec<AlertChange>) {
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let others: Vec<u32> = account.with_verdicts.iter().copied().filter(|number| *number != caller).collect();
        for number in others {
            let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
            let Account { principals, models, .. } = account;
            let Some((name, principal)) = principals.get_mut(number) else { continue };
            let court = Court {
                rules: &self.rules,
                settings: &self.settings,
                account: account_name,
                name,
                models: &models.seen,
            };
            judge_again(court, principal, after);
            self.tell_principal(account_name, number, changes);
        }
    }

    fn note_enabling(&mut self, call: &ApiCall<'_>, changes: &mut Vec<AlertChange>) {
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return };
        let region = account.regions.number_of(&call.region);
        let known = account.principals.len();
        let number = account.principals.find_or_insert(&call.principal);
        self.memory.principal_count =
            self.memory.principal_count.saturating_add(account.principals.len().saturating_sub(known));
        let Account { principals, shared, models, watermark, .. } = account;
        let Some((name, principal)) = principals.get_mut(number) else { return };
        principal.compact(watermark.0, &self.settings);
        let enabled = Enablement {
            second: call.time.0,
            id: EventId::new(&call.event_id),
            region,
            actor: StoredActor::of(call, shared),
        };
        principal.insert_enablement(enabled);
        if self.teaching {
            return;
        }
        let court =
            Court { rules: &self.rules, settings: &self.settings, account: &call.account, name, models: &models.seen };
        if judge(court, principal, Change::Enabled { second: call.time.0 }) {
            self.tell_principal(&call.account, number, changes);
        }
    }

    /// Asks the rules about single records that may match, and the correlations built on them.
    pub(super) fn judge_call(
        &mut self,
        call: &ApiCall<'_>,
        candidates: &[RuleIndex],
        late: bool,
        changes: &mut Vec<AlertChange>,
    ) {
        if candidates.is_empty() || self.teaching {
            return;
        }
        let matched = self.matching(call, candidates);
        if matched.is_empty() {
            return;
        }
        let evidence = evidence_of(call);
        for &(index, severity) in &matched {
            let rules = std::sync::Arc::clone(&self.rules);
            let rule = rules.get(index);
            if !rule.alerts() {
                continue;
            }
            if rule.counts() == Counts::Matches && rule.subject() == crate::alert::SubjectKind::Principal {
                self.note_match(call, index, severity, changes);
                continue;
            }
            let alert = event_alert(rule, severity, &evidence, call);
            if !self.memory.book.knows(&alert.id) {
                let entering = self.entering();
                changes.extend(self.memory.book.enter(None, Finding { alert, over: false }, entering));
            }
        }
        if !late && !self.rules.correlations().is_empty() {
            self.correlate(call, &matched, &evidence, changes);
        }
    }

    /// The rules that match a call, with the level each reaches.
    fn matching(&mut self, call: &ApiCall<'_>, candidates: &[RuleIndex]) -> Vec<(RuleIndex, Severity)> {
        if candidates.iter().any(|index| self.rules.get(*index).wants_history()) {
            return self.matching_with_history(call, candidates);
        }
        judged(&self.rules, candidates, &CallFields::new(call, None))
    }

    fn matching_with_history(&mut self, call: &ApiCall<'_>, candidates: &[RuleIndex]) -> Vec<(RuleIndex, Severity)> {
        let empty = Principal::default();
        let mut models: &[crate::principals::Seen] = &[];
        let mut principal = &empty;
        if let Some(account) = self.memory.accounts.get_mut(&call.account)
            && let Some(number) = account.principals.find(&call.principal)
        {
            models = &account.models.seen;
            if let Some((_, known)) = account.principals.get_mut(number) {
                principal = known;
            }
        }
        let moment = PrincipalMoment {
            name: &call.principal,
            account: &call.account,
            principal,
            models,
            settings: &self.settings,
            second: call.time.0,
            known_window: None,
            baseline: Cell::new(None),
        };
        judged(&self.rules, candidates, &CallFields::new(call, Some(&moment)))
    }

    /// Adds a matching record to its principal's verdict of the day.
    fn note_match(&mut self, call: &ApiCall<'_>, index: RuleIndex, severity: Severity, changes: &mut Vec<AlertChange>) {
        let rules = std::sync::Arc::clone(&self.rules);
        let rule = rules.get(index);
        let Some(account) = self.memory.accounts.get_mut(&call.account) else { return };
        let region = account.regions.number_of(&call.region);
        let known = account.principals.len();
        let number = account.principals.find_or_insert(&call.principal);
        self.memory.principal_count =
            self.memory.principal_count.saturating_add(account.principals.len().saturating_sub(known));
        let Account { principals, shared, .. } = account;
        let Some((_, principal)) = principals.get_mut(number) else { return };
        let verdict = principal.verdict_mut(rule.id(), call.time.day());
        let id = EventId::new(&call.event_id);
        let matches = verdict.matches.get_or_insert_with(Tally::default);
        if matches.has(call.time.0, &id) {
            return;
        }
        matches.add(call.time.0, || id, region, || StoredActor::of(call, shared));
        verdict.reach(call.time.0, severity);
        for (name, fact) in rule.facts(&CallFields::new(call, None)) {
            verdict.note_fact(name, texts(&fact));
        }
        if let Err(place) = verdict.names.binary_search_by(|known| (**known).cmp(&*call.name)) {
            verdict.names.insert(place, (*call.name).into());
        }
        self.tell_principal(&call.account, number, changes);
    }

    fn correlate(
        &mut self,
        call: &ApiCall<'_>,
        matched: &[(RuleIndex, Severity)],
        evidence: &Evidence,
        changes: &mut Vec<AlertChange>,
    ) {
        let watermark = self.watermark(&call.account).unwrap_or(call.time);
        let limits = &self.settings.limits;
        let allowance = Allowance {
            floor: watermark.minus(self.settings.lateness_s),
            groups_max: limits.correlation_groups_max,
            events_max: limits.correlation_events_max,
        };
        let context = serde_json::to_string(evidence).unwrap_or_default();
        let event =
            CorrelatedEvent { account: &call.account, at: call.time, event_id: &call.event_id, context: &context };
        let indices: Vec<RuleIndex> = matched.iter().map(|(index, _)| *index).collect();
        let fields = CallFields::new(call, None);
        let correlator = &mut self.memory.correlator;
        let (groups, events) = (correlator.evicted_groups(), correlator.dropped_events());
        let hits = correlator.observe(&self.rules, &indices, &fields, event, allowance);
        let reached = &mut self.memory.stats.limits;
        reached.count(Limit::CorrelationGroupsMax, correlator.evicted_groups().saturating_sub(groups));
        reached.count(Limit::CorrelationEventsMax, correlator.dropped_events().saturating_sub(events));
        for hit in hits {
            self.tell_correlation(&hit, &call.account, changes);
        }
    }

    fn tell_correlation(&mut self, hit: &CorrelationHit, account: &str, changes: &mut Vec<AlertChange>) {
        let place = usize::try_from(hit.correlation).unwrap_or(usize::MAX);
        let Some(correlation) = self.rules.correlations().get(place) else { return };
        if hit.event_count == 0 {
            let subject = hit.group.join(" ");
            let id = alert_id(&[&correlation.about().id, account, &subject, &day_to_string(hit.day)]);
            changes.extend(self.memory.book.withdraw(&id));
            return;
        }
        let first: Option<Evidence> = serde_json::from_str(&hit.first_context).ok();
        let names: Vec<&str> = correlation.group_names().collect();
        let alert = correlation_alert(correlation.about(), &names, hit, account, first.as_ref());
        let entering = self.entering();
        changes.extend(self.memory.book.enter(None, Finding { alert, over: false }, entering));
    }

    /// Tells the alerts about a principal that changed.
    pub(super) fn tell_principal(&mut self, account_name: &str, number: u32, changes: &mut Vec<AlertChange>) {
        let clock = self.memory.clock;
        let Some(account) = self.memory.accounts.get_mut(account_name) else { return };
        let Account { principals, usage, .. } = account;
        let Some((name, principal)) = principals.get_mut(number) else { return };
        let ledger = usage.get(number);
        let mut news: Vec<(usize, ChangeKind)> = Vec::new();
        let mut due = None;
        let explainer = Explainer::new(&self.memory.world, name);
        for place in 0..principal.verdicts.len() {
            let index = principal.verdicts.get_mut(place).and_then(|verdict| verdict.index_in(&self.rules));
            let Some(rule) = index.map(|index| self.rules.get(index)) else { continue };
            let count = principal
                .verdicts
                .get(place)
                .map_or(0, |verdict| crate::alert::of_principal::event_count(rule, principal, verdict, ledger));
            let Some(verdict) = principal.verdicts.get_mut(place) else { continue };
            let explained = (!explainer.explain(rule, verdict).is_empty()).then_some(EXPLAINED);
            let quiet_at = Second(verdict.last()).plus(self.settings.quiet_s);
            if let Some(kind) = verdict.news(count, quiet_at <= clock, explained) {
                news.push((place, kind));
                due = Some(due.map_or(quiet_at, |due: Second| due.min(quiet_at)));
            }
        }
        if principal.verdicts.is_empty() {
            return;
        }
        account.with_verdicts.insert(number);
        if let Some(due) = due {
            self.memory.quiet_due.entry(due).or_default().insert((account_name.into(), number));
        }
        for (place, kind) in news {
            changes.extend(self.principal_alert(account_name, number, place).map(|alert| AlertChange { kind, alert }));
        }
    }
}

/// Which of the rules match, and the level each reaches.
fn judged(rules: &RuleSet, candidates: &[RuleIndex], fields: &CallFields<'_>) -> Vec<(RuleIndex, Severity)> {
    candidates.iter().filter_map(|index| Some((*index, rules.get(*index).matches(fields)?))).collect()
}

/// Everything about an inference call that windows tell apart.
fn kind_of(call: &ApiCall<'_>, model: u16, region: u8) -> CallKind {
    let outcome = Outcome::of(call.error_code.as_deref());
    let limit_probe = outcome == Outcome::Refused
        && call.error_code.as_deref().is_some_and(|code| code.contains("Validation"))
        && call.error_message.as_deref().is_some_and(|message| message.contains("max_tokens"));
    CallKind { model, region, outcome, long_lived: call.credential.is_long_lived(), limit_probe }
}

/// Takes a call into its day. Returns how many of its values `distinct_max` left out.
fn note_day(
    principal: &mut Principal,
    call: &ApiCall<'_>,
    kind: CallKind,
    distinct_max: u32,
    actor: impl FnOnce() -> StoredActor,
) -> u64 {
    let max = usize::try_from(distinct_max).unwrap_or(usize::MAX);
    let day = principal.day_mut(call.time.day());
    day.tally_mut(kind.outcome).add(call.time.0, || EventId::new(&call.event_id), kind.region, actor);
    if kind.outcome == Outcome::Refused {
        day.note_refusal(call.error_code.as_deref().unwrap_or_default(), kind.model);
    }
    if kind.outcome == Outcome::Throttled {
        return 0;
    }
    if kind.outcome != Outcome::Success {
        day.failed = day.failed.saturating_add(1);
    }
    let used = &mut day.used;
    let mut left_out = 0_u64;
    if kind.model != crate::principals::NO_MODEL {
        if used.models.len() < max {
            insert_sorted(&mut used.models, kind.model);
        } else {
            left_out = left_out.saturating_add(u64::from(used.models.binary_search(&kind.model).is_err()));
        }
    }
    insert_sorted(&mut used.regions, kind.region);
    let texts = [
        (call.identity.session_name(), &mut used.sessions),
        (call.identity.access_key_id.as_deref(), &mut used.access_keys),
        (call.source_ip.as_deref(), &mut used.source_ips),
        (call.user_agent.as_deref(), &mut used.user_agents),
    ];
    for (text, known) in texts {
        let Some(hash) = text.map(short_hash_of) else { continue };
        if known.len() < max {
            insert_hash(known, hash);
        } else {
            left_out = left_out.saturating_add(u64::from(known.binary_search(&hash).is_err()));
        }
    }
    left_out
}
