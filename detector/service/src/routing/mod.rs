//! Which sinks should hear of an alert: severities by group of accounts, suppressions, silences and routes.
//!
//! Pure: the configuration, the alert, the silences and the time in, an answer out. Deliberately no memory of what was
//! told before; that a resolution follows its alert to wherever it went is the store's business.

mod active;
mod counters;
mod pattern;
mod silences;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use jiff::{SignedDuration, Timestamp};

pub use active::ActiveSilences;
pub use counters::RoutingCounters;
pub use pattern::glob;
use pattern::{fits, fits_some};
pub use silences::{SILENCE_DAYS_MAX, SILENCE_TEXT_CHARACTERS_MAX, Wish};

use crate::{
    config::{Route, RoutingConfig, SinkConfig, SinkKind, Suppression},
    store::{Destination, Silence},
};

/// The rule for which PagerDuty waits: a tool that replaces the logging configuration deletes it first.
const LOGGING_DISABLED: &str = "invocation-logging-disabled";
/// How long it waits, in seconds.
const LOGGING_DISABLED_WAIT_S: i64 = 60;

/// Answers which sinks should hear of an alert.
#[derive(Debug, Clone)]
pub struct Router {
    config: RoutingConfig,
    sinks: Vec<String>,
    /// The sinks that wake people.
    pagers: BTreeSet<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// How bad the alert is for its group of accounts.
    pub severity: Severity,
    /// The sinks that should hear of it, each once.
    pub destinations: Vec<Destination>,
    /// The silence that keeps them from hearing of it.
    pub silence: Option<String>,
    /// Why nobody ever hears of it.
    pub suppressed: Option<String>,
    /// Whether a pager was left out because the alert's facts are still learning.
    pub learning: bool,
    /// Whether no route wanted it.
    pub unrouted: bool,
}

impl Router {
    /// A router for these sinks.
    #[must_use]
    pub fn new(config: &RoutingConfig, sinks: &[SinkConfig]) -> Self {
        let pagers = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::PagerDuty { .. }));
        Self {
            config: config.clone(),
            sinks: sinks.iter().map(|sink| sink.name.clone()).collect(),
            pagers: pagers.map(|sink| sink.name.clone()).collect(),
        }
    }

    /// Who should hear of a change of `alert`, under these silences, at `now`.
    ///
    /// Resolutions and withdrawals have no destinations of their own: the store tells them to every sink that has
    /// heard of the alert, or is about to, also under a silence.
    #[must_use]
    pub fn route(&self, alert: &Alert, kind: ChangeKind, silences: &[Silence], now: Timestamp) -> Routed {
        let mut routed = Routed {
            severity: self.severity(alert),
            destinations: Vec::new(),
            silence: None,
            suppressed: None,
            learning: false,
            unrouted: false,
        };
        if let Some(suppression) = self.config.suppressions.iter().find(|suppression| suppresses(suppression, alert)) {
            routed.suppressed = Some(suppression.reason.clone());
            return routed;
        }
        let covering = silences.iter().find(|silence| silences::covers(silence, alert, routed.severity, now));
        routed.silence = covering.map(|silence| silence.id.clone());
        let is_over = matches!(kind, ChangeKind::Resolved | ChangeKind::Withdrawn);
        if !is_over && routed.silence.is_none() {
            self.by_routes(alert, now, &mut routed);
            routed.unrouted = routed.destinations.is_empty();
        }
        routed
    }

    /// How bad it is: the rule's severity, shifted and capped as the account's group says.
    fn severity(&self, alert: &Alert) -> Severity {
        let group = self.group(&alert.account).and_then(|group| self.config.groups.get(group));
        let Some(group) = group else { return alert.severity };
        let position = Severity::ALL.iter().position(|severity| *severity == alert.severity).unwrap_or_default();
        let shifted = position.saturating_add_signed(isize::from(group.severity_shift));
        let shifted = Severity::ALL.get(shifted).copied().unwrap_or(Severity::Critical);
        group.severity_max.map_or(shifted, |most| shifted.min(most))
    }

    fn group(&self, account: &str) -> Option<&str> {
        self.config.accounts.get(account)?.group.as_deref()
    }

    fn by_routes(&self, alert: &Alert, now: Timestamp, routed: &mut Routed) {
        let is_learning = alert.facts.get("learning").and_then(serde_json::Value::as_bool) == Some(true);
        let default = [Route { sinks: self.sinks.clone(), ..Route::default() }];
        let routes = if self.config.routes.is_empty() { &default[..] } else { &self.config.routes };
        let mut told: BTreeMap<&str, Destination> = BTreeMap::new();
        for route in routes {
            if !self.matches(route, alert, routed.severity) || (is_learning && route.learning == Some(false)) {
                continue;
            }
            let (mut is_left_out, mut takes) = (false, false);
            for sink in &route.sinks {
                if is_learning && route.learning.is_none() && self.pagers.contains(sink) {
                    is_left_out = true;
                    continue;
                }
                takes = true;
                // The first route that names a sink decides how it is told.
                told.entry(sink).or_insert_with(|| self.destination(sink, route, alert, routed.severity, now));
            }
            routed.learning |= is_left_out;
            // A route that had nothing but pagers for an alert that is not paged leaves it to those after it.
            if takes && !route.r#continue {
                break;
            }
        }
        routed.destinations = told.into_values().collect();
    }

    fn matches(&self, route: &Route, alert: &Alert, severity: Severity) -> bool {
        route.severity_min.is_none_or(|least| severity >= least)
            && fits(&route.rules, &alert.rule)
            && fits(&route.accounts, &alert.account)
            && fits_some(&route.groups, self.group(&alert.account))
            && fits_some(&route.regions, alert.region.as_deref())
            && fits_some(&route.principals, alert.principal.as_deref())
    }

    fn destination(&self, sink: &str, route: &Route, alert: &Alert, severity: Severity, now: Timestamp) -> Destination {
        let is_restorable = alert.rule == LOGGING_DISABLED && self.pagers.contains(sink) && !was_invoked(alert);
        let group_wait_s =
            if severity == Severity::Critical { 0 } else { i64::try_from(route.group_wait_s).unwrap_or(0) };
        let wait_s = if is_restorable { group_wait_s.max(LOGGING_DISABLED_WAIT_S) } else { group_wait_s };
        let later = now.checked_add(SignedDuration::from_secs(wait_s)).unwrap_or(Timestamp::MAX);
        Destination {
            sink: sink.to_owned(),
            not_before: (wait_s > 0).then_some(later),
            group: group_key(route, alert),
            skip_if_undone: is_restorable,
        }
    }
}

fn suppresses(suppression: &Suppression, alert: &Alert) -> bool {
    fits(&suppression.rules, &alert.rule)
        && fits_some(&suppression.principals, alert.principal.as_deref())
        && fits(&suppression.accounts, &alert.account)
}

fn was_invoked(alert: &Alert) -> bool {
    alert.facts.get("blind_invocations").and_then(serde_json::Value::as_u64).is_some_and(|calls| calls > 0)
}

/// What the alert has in common with others of its group, such as `account=111122223333 rule=invocation-burst`.
fn group_key(route: &Route, alert: &Alert) -> Option<String> {
    let mut key = Vec::new();
    for by in &route.group_by {
        let value = match by.as_str() {
            "rule" => Some(alert.rule.as_str()),
            "account" => Some(alert.account.as_str()),
            "region" => alert.region.as_deref(),
            "principal" => alert.principal.as_deref(),
            _ => continue,
        };
        key.push(format!("{by}={}", value.unwrap_or("-")));
    }
    (!key.is_empty()).then(|| key.join(" "))
}
