//! Asks the rules about tokens and cost again where a log record may have changed the answer.
//!
//! In order, that is one second. A late record changes the windows of the seconds after it, too. The baseline never
//! changes for a second that was judged: it ends before the allowed lateness.

use super::{ledger::Ledger, moment::UsageMoment};
use crate::{
    principals::{Principal, Verdict},
    rule::{Rule, RuleSet},
    settings::Settings,
    time::DAY_S,
};

/// What judging needs besides the principal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UsageCourt<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) settings: &'a Settings,
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
}

/// Judges every rule about usage where a record of `second` may matter. Returns whether any verdict was touched.
pub(crate) fn judge_usage(court: UsageCourt<'_>, ledger: &Ledger, principal: &mut Principal, second: u32) -> bool {
    let mut touched = false;
    for &index in court.rules.usage_rules() {
        let rule = court.rules.get(index);
        let last = second.saturating_add(rule.usage_reach_s());
        for judged in ledger.seconds_between(second, last) {
            touched |= judge_second(court, ledger, principal, rule, judged);
        }
    }
    touched
}

fn judge_second(court: UsageCourt<'_>, ledger: &Ledger, principal: &mut Principal, rule: &Rule, second: u32) -> bool {
    let UsageCourt { settings, account, name, .. } = court;
    let moment = UsageMoment { name, account, ledger, settings, second };
    let severity = if rule.possible(&moment) { rule.matches(&moment) } else { None };
    let day = second / DAY_S;
    let place = principal.verdicts.iter().position(|verdict| verdict.day == day && *verdict.rule == *rule.id());
    let place = match (place, severity) {
        (Some(place), _) => place,
        (None, None) => return false,
        (None, Some(_)) => {
            principal.verdicts.push(Verdict::new(rule.id(), day));
            principal.verdicts.len().saturating_sub(1)
        }
    };
    if let Some(verdict) = principal.verdicts.get_mut(place) {
        verdict.set(second, severity);
    }
    true
}
