//! How often the busiest principals called models lately, minute by minute.

use crate::{
    bedrock::Outcome,
    engine::Engine,
    principals::{Principal, PrincipalBaseline},
    rule::{Metric, RuleSet},
    settings::Settings,
    time::{MINUTE_S, Second},
};

use super::PRINCIPALS_MAX;

/// How far back the activity goes. Single calls are kept for longer than that.
pub const ACTIVITY_MINUTES: u32 = 60;
/// Principals that are looked at closely. Where more were active, those about whom rules found something come first,
/// then those with most calls.
const CANDIDATES_MAX: usize = 1_000;

/// The calls of one principal in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalActivity {
    /// The account.
    pub account: String,
    /// The principal.
    pub principal: String,
    /// Inference calls that were not throttled, in each of the [`ACTIVITY_MINUTES`] minutes.
    pub calls: Vec<u32>,
    /// Their sum.
    pub total: u64,
    /// Its usual busiest minute; `None` while unknown.
    pub baseline_60s: Option<u32>,
    /// The minutes, counted from the first, in which a rule about the rate of calls held.
    pub bursts: Vec<u32>,
}

impl Engine {
    /// Since when, whose activity, and how many were active.
    pub(super) fn activity(&self, now: Second) -> (Second, Vec<PrincipalActivity>, usize) {
        let last = now.minute();
        let first = last.saturating_sub(ACTIVITY_MINUTES.saturating_sub(1));
        let from = first.saturating_mul(MINUTE_S);
        let mut candidates = Vec::new();
        for (name, account) in self.memory.accounts.iter() {
            let active = account.principals.active_since(from).into_iter();
            candidates.extend(active.map(|(worth, number)| (worth, name, number)));
        }
        let total = candidates.len();
        candidates.sort_unstable_by(|one, other| (other.0, one.1, one.2).cmp(&(one.0, other.1, other.2)));
        candidates.truncate(CANDIDATES_MAX);
        let mut busiest: Vec<(PrincipalActivity, u32)> = Vec::new();
        for (_, account, number) in candidates {
            let principals = self.memory.accounts.get(account).map(|account| &account.principals);
            let Some((name, principal)) = principals.and_then(|principals| principals.peek(number)) else { continue };
            let calls = calls_by_minute(&principal, from);
            let bursts = bursts(&principal, &self.rules, from, &calls);
            let total: u64 = calls.iter().map(|count| u64::from(*count)).sum();
            if total > 0 {
                let (account, principal) = (account.to_owned(), name.into_owned());
                let activity = PrincipalActivity { account, principal, calls, total, baseline_60s: None, bursts };
                busiest.push((activity, number));
            }
        }
        busiest.sort_unstable_by(|(one, _), (other, _)| one.rank().cmp(&other.rank()));
        busiest.truncate(PRINCIPALS_MAX);
        let with_baseline = |(activity, number): (PrincipalActivity, u32)| {
            let baseline_60s = self.baseline_of(&activity.account, number, now, &self.settings);
            PrincipalActivity { baseline_60s, ..activity }
        };
        (Second(from), busiest.into_iter().map(with_baseline).collect(), total)
    }

    fn baseline_of(&self, account: &str, number: u32, now: Second, settings: &Settings) -> Option<u32> {
        let (_, principal) = self.memory.accounts.get(account)?.principals.peek(number)?;
        PrincipalBaseline::at(&principal, now.0, settings)
    }
}

impl PrincipalActivity {
    /// Its place: those in a burst first, then the busiest.
    pub(super) fn rank(&self) -> (bool, u64, &str, &str) {
        (self.bursts.is_empty(), u64::MAX.saturating_sub(self.total), &self.account, &self.principal)
    }
}

fn calls_by_minute(principal: &Principal, from: u32) -> Vec<u32> {
    let mut calls = vec![0_u32; usize::try_from(ACTIVITY_MINUTES).unwrap_or_default()];
    let last = from.saturating_add(ACTIVITY_MINUTES.saturating_mul(MINUTE_S)).saturating_sub(1);
    for run in principal.accepted.between(from, last).iter().chain(principal.refused.between(from, last)) {
        let minute = usize::try_from(run.second.saturating_sub(from) / MINUTE_S).unwrap_or(usize::MAX);
        if let Some(count) = calls.get_mut(minute).filter(|_| run.kind.outcome != Outcome::Throttled) {
            *count = count.saturating_add(run.count);
        }
    }
    calls
}

/// The minutes with calls at some second of which a rule about the rate of calls holds.
fn bursts(principal: &Principal, rules: &RuleSet, from: u32, calls: &[u32]) -> Vec<u32> {
    let is_about_rates = |rule: &str| {
        let windows = rules.by_id(rule).map(|rule| rule.windows());
        windows.is_some_and(|windows| windows.iter().any(|(metric, _)| *metric == Metric::Invocations))
    };
    let spans = principal.verdicts.iter().filter(|verdict| is_about_rates(&verdict.rule));
    let spans: Vec<_> = spans.flat_map(|verdict| verdict.stretches()).collect();
    let holds_in = |minute: u32| {
        let start = from.saturating_add(minute.saturating_mul(MINUTE_S));
        let end = start.saturating_add(MINUTE_S);
        spans.iter().any(|&(first, last)| first < end && last >= start)
    };
    let with_calls = (0_u32..).zip(calls).filter(|(_, count)| **count > 0).map(|(minute, _)| minute);
    with_calls.filter(|minute| holds_in(*minute)).collect()
}
