//! Judges a principal after something about it changed: finds the seconds whose answer may differ now, and asks the
//! rules about each again.
//!
//! In order, that is one second. A late record changes the windows of the seconds after it, too.

use std::cell::Cell;

use crate::{
    bedrock::Outcome,
    rule::{Counts, Metric, Rule, RuleSet},
    settings::Settings,
    time::DAY_S,
};

use super::{
    calls::{CallKind, Run},
    day::counted,
    history::Seen,
    moment::{HOUR_S, PrincipalMoment},
    principal::Principal,
    verdict::{Opening, Verdict},
};

/// What judging needs besides the principal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Court<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) settings: &'a Settings,
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
    /// The account's models, by number.
    pub(crate) models: &'a [Seen],
}

/// What changed about a principal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// It called.
    Call { second: u32, kind: CallKind, in_order: bool },
    /// It enabled a model.
    Enabled { second: u32 },
}

impl Change {
    const fn second(self) -> u32 {
        match self {
            Self::Call { second, .. } | Self::Enabled { second } => second,
        }
    }
}

/// Judges every principal rule again where `change` may matter. Returns whether any verdict was touched.
pub(crate) fn judge(court: Court<'_>, principal: &mut Principal, change: Change) -> bool {
    let mut touched = false;
    let outcomes = outcomes_in(principal, change.second());
    for &index in court.rules.principal_rules() {
        let rule = court.rules.get(index);
        touched |= match change {
            Change::Call { in_order: true, second, kind } => {
                outcomes.iter().flatten().any(|outcome| counted(rule.counts(), *outcome))
                    && can_matter(principal, rule, kind)
                    && judge_seconds(court, principal, rule, &[second], second)
            }
            _ => judge_rule(court, principal, rule, change),
        };
    }
    touched
}

/// Judges the seconds after `after` of every verdict again, because something outside the principal changed then.
pub(crate) fn judge_again(court: Court<'_>, principal: &mut Principal, after: u32) {
    for place in 0..principal.verdicts.len() {
        let Some(verdict) = principal.verdicts.get(place) else { continue };
        let Some(rule) = court.rules.by_id(&verdict.rule) else { continue };
        let seconds = verdict.held_after(after);
        for second in seconds {
            let severity = moment(court, principal, second, None).0.judged_by(rule);
            if let Some(verdict) = principal.verdicts.get_mut(place) {
                verdict.set(second, severity);
            }
        }
        renew_opening(court, principal, place, rule, after);
    }
}

fn judge_rule(court: Court<'_>, principal: &mut Principal, rule: &Rule, change: Change) -> bool {
    let second = change.second();
    if rule.counts() == Counts::Enablement && principal.enablements.is_empty() {
        return false;
    }
    let mut seconds = Vec::new();
    let (first, last) = reach(principal, rule, change);
    let unlikely = !moment(court, principal, second, None).0.possible(rule);
    if !unlikely {
        seconds = class_seconds(principal, rule.counts(), first, last);
    }
    let held = principal.verdicts.iter().filter(|verdict| *verdict.rule == *rule.id());
    seconds.extend(held.flat_map(|verdict| verdict.held_after(second.saturating_sub(1))));
    seconds.sort_unstable();
    seconds.dedup();
    judge_seconds(court, principal, rule, &seconds, second)
}

/// Judges a rule at each of `seconds`; `changed` is the second of what changed.
fn judge_seconds(court: Court<'_>, principal: &mut Principal, rule: &Rule, seconds: &[u32], changed: u32) -> bool {
    let mut touched = false;
    for &second in seconds {
        let window = invocation_window(rule);
        let known = window
            .filter(|_| second >= principal.newest)
            .map(|length| (length, principal.newest_window(second, length)));
        let (severity, peak, baseline) = {
            let (moment, _) = moment(court, principal, second, known);
            let peak = window.map(|length| moment.0.invocations(length));
            (moment.judged_by(rule), peak, moment.0.baseline.get())
        };
        principal.baseline = baseline.or(principal.baseline);
        let day = second / DAY_S;
        if let Some(invocations) = peak {
            principal.day_mut(day).peak.raise(invocations, second);
        }
        let place = principal.verdicts.iter().position(|verdict| verdict.day == day && *verdict.rule == *rule.id());
        let place = match (place, severity) {
            (Some(place), _) => place,
            (None, None) => continue,
            (None, Some(_)) => {
                principal.verdicts.push(Verdict::new(rule.id(), day));
                principal.verdicts.len().saturating_sub(1)
            }
        };
        touched = true;
        if let Some(verdict) = principal.verdicts.get_mut(place) {
            verdict.set(second, severity);
        }
        renew_opening(court, principal, place, rule, changed);
    }
    touched
}

/// A moment, and whether it is the newest; wrapped so that rules are asked in one place.
struct Asked<'a>(PrincipalMoment<'a>);

impl Asked<'_> {
    fn possible(&self, rule: &Rule) -> bool {
        rule.possible(&self.0)
    }

    fn judged_by(&self, rule: &Rule) -> Option<crate::alert::Severity> {
        // Of the newest second every answer is at hand; of others, an upper bound may spare the search.
        if self.0.second < self.0.principal.newest && !rule.possible(&self.0) {
            return None;
        }
        if !rule.floors().iter().all(|floor| self.0.reaches(floor)) {
            return None;
        }
        rule.matches_on_floors(&self.0)
    }
}

fn moment<'a>(
    court: Court<'a>,
    principal: &'a Principal,
    second: u32,
    known_window: Option<(u32, u32)>,
) -> (Asked<'a>, bool) {
    let newest = second >= principal.newest;
    let moment = PrincipalMoment {
        name: court.name,
        account: court.account,
        principal,
        models: court.models,
        settings: court.settings,
        second,
        known_window,
        baseline: Cell::new(None),
    };
    (Asked(moment), newest)
}

/// The window over all invocations that the rule asks for, if it does.
fn invocation_window(rule: &Rule) -> Option<u32> {
    rule.windows().iter().find(|(metric, _)| *metric == Metric::Invocations).map(|(_, seconds)| *seconds)
}

/// Whether a call of this kind, the newest there is, can change what a rule finds in its second.
fn can_matter(principal: &Principal, rule: &Rule, kind: CallKind) -> bool {
    match rule.counts() {
        Counts::Refusals => kind.outcome == Outcome::Refused || !rule.asks_for_refusals_only(),
        Counts::Throttled => {
            let throttled = Some(Outcome::Throttled);
            Some(kind.outcome) == throttled || outcomes_in(principal, principal.newest).contains(&throttled)
        }
        Counts::Enablement => !principal.enablements.is_empty(),
        Counts::Calls | Counts::Invocations | Counts::Matches | Counts::Usage => true,
    }
}

/// How the principal's calls in `second` ended, each outcome once.
fn outcomes_in(principal: &Principal, second: u32) -> [Option<Outcome>; 4] {
    let mut outcomes = [None; 4];
    for run in principal.accepted.at(second).iter().chain(principal.refused.at(second)) {
        if let Some(slot) = outcomes.get_mut(run.kind.outcome as usize) {
            *slot = Some(run.kind.outcome);
        }
    }
    outcomes
}

/// The seconds in `first..=last` with a call that the rule counts.
fn class_seconds(principal: &Principal, counts: Counts, first: u32, last: u32) -> Vec<u32> {
    let mut seconds: Vec<u32> = principal
        .accepted
        .between(first, last)
        .iter()
        .chain(principal.refused.between(first, last))
        .filter(|run| counted(counts, run.kind.outcome))
        .map(|run| run.second)
        .collect();
    seconds.sort_unstable();
    seconds.dedup();
    seconds
}

/// The seconds whose windows contain something that `change` changed.
fn reach(principal: &Principal, rule: &Rule, change: Change) -> (u32, u32) {
    let second = change.second();
    let mut last = second;
    for &(metric, seconds) in rule.windows() {
        let until = second.saturating_add(seconds.saturating_sub(1));
        let until = match (metric, change) {
            (Metric::Models | Metric::NewModels, Change::Call { kind, .. }) => {
                next_with(principal, second, until, |other| other.model == kind.model)
            }
            (Metric::Regions | Metric::NewRegions, Change::Call { kind, .. }) => {
                next_with(principal, second, until, |other| other.region == kind.region)
            }
            (Metric::SuccessesBefore, _) => until.saturating_add(1),
            _ => until,
        };
        last = last.max(until);
    }
    if rule.counts() == Counts::Enablement {
        last = last.max(second.saturating_add(HOUR_S));
    }
    (second, last)
}

/// The last second before the next call that brings the same thing into the window anyway, at most `until`.
fn next_with(principal: &Principal, second: u32, until: u32, same: impl Fn(&CallKind) -> bool) -> u32 {
    let next_in = |runs: &[Run]| runs.iter().find(|run| same(&run.kind)).map(|run| run.second);
    let after = second.saturating_add(1);
    let next = [next_in(principal.accepted.between(after, until)), next_in(principal.refused.between(after, until))];
    next.into_iter().flatten().min().map_or(until, |next| next.saturating_sub(1))
}

/// Notes what was known at the earliest second at which the rule holds, if that second is another one now or something
/// changed at or before it. Otherwise the note stays: the calls it was made from may have been forgotten since.
fn renew_opening(court: Court<'_>, principal: &mut Principal, place: usize, rule: &Rule, changed: u32) {
    let Some(verdict) = principal.verdicts.get(place) else { return };
    if !verdict.is_opening_unsettled() {
        return;
    }
    let Some(second) = verdict.first() else { return };
    if second == verdict.opening.second && changed > second {
        return;
    }
    let opening = opening(&moment(court, principal, second, None).0.0, rule);
    if let Some(verdict) = principal.verdicts.get_mut(place) {
        verdict.opening = opening;
    }
}

fn opening(moment: &PrincipalMoment<'_>, rule: &Rule) -> Opening {
    let mut opening = Opening { second: moment.second, ..Opening::default() };
    for &(metric, seconds) in rule.windows() {
        match metric {
            Metric::Models => opening.models = moment.models(seconds),
            Metric::NewModels => opening.new_models = moment.new_models(seconds),
            Metric::Regions => opening.regions = moment.regions(seconds),
            Metric::NewRegions => opening.new_regions = moment.new_regions(seconds),
            _ => {}
        }
    }
    if rule.counts() == Counts::Enablement {
        opening.enabled = moment
            .qualifying_enablements()
            .map(|enabled| (enabled.second, enabled.id.clone(), enabled.region, enabled.actor.clone()))
            .collect();
        opening.enabled.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
    }
    opening
}
