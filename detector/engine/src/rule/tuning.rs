//! What a user changes about rules without editing them: mode, level, thresholds and exceptions.
//!
//! A tuned set is a set like any other; how a rule came by its numbers is remembered only to be shown. Deliberately no
//! way to add a condition that makes a rule match more than its author meant: thresholds move, exceptions take away.

use std::collections::BTreeMap;

use super::{
    correlation::CorrelationRule,
    definition::Rule,
    exclusion::{self, Exclusion},
    problem::{listed, nearest},
    set::RuleSet,
    threshold::{self, Threshold},
};
use crate::alert::Severity;

/// Whether a rule's alerts are raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is left out.
    Off,
    /// It is judged, and what it would have raised is counted and told to nobody.
    Shadow,
    /// It raises alerts.
    #[default]
    On,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Off, Self::Shadow, Self::On];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::On => "on",
        }
    }
}

/// What is changed about one rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleTuning {
    /// Whether its alerts are raised.
    pub mode: Mode,
    /// The level of a match, instead of the rule's own; searches under `levels` still raise it.
    pub level: Option<Severity>,
    /// New numbers for its numeric tests, by name; see [`Rule::thresholds`].
    pub thresholds: BTreeMap<String, f64>,
    /// What never matches.
    pub exclusions: Vec<Exclusion>,
}

/// What is changed about rules, by their id.
pub type Tuning = BTreeMap<String, RuleTuning>;

/// Something in a tuning that does not fit the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TuningProblem {
    /// The rule's id.
    pub rule: String,
    /// The key of the rule's section.
    pub key: &'static str,
    /// Which of the exceptions, from 0, if it is about one.
    pub exclusion: Option<usize>,
    /// What is wrong, and what would be valid.
    pub message: String,
}

impl RuleSet {
    /// The set with everything in `tuning` applied. Rules of it that are not in the set are passed over: they are
    /// switched off, or somebody else reports them.
    ///
    /// # Errors
    /// With everything that does not fit its rule.
    pub fn tuned(self, tuning: &Tuning) -> Result<Self, Vec<TuningProblem>> {
        if tuning.is_empty() {
            return Ok(self);
        }
        let mut found = Vec::new();
        let prices = self.prices().clone();
        let (mut rules, mut correlations) = self.into_parts();
        for rule in &mut rules {
            if let Some(wanted) = tuning.get(&rule.about.id) {
                tune(rule, wanted, &mut found);
            }
        }
        for correlation in &mut correlations {
            if let Some(wanted) = tuning.get(&correlation.about.id) {
                tune_correlation(correlation, wanted, &mut found);
            }
        }
        if found.is_empty() { Ok(Self::new(rules, correlations).with_prices(prices)) } else { Err(found) }
    }

    /// How alerts of this rule or correlation are treated; [`Mode::Off`] when there is no such rule.
    #[must_use]
    pub fn mode(&self, id: &str) -> Mode {
        let of_rule = self.by_id(id).map(Rule::about);
        let about = of_rule.or_else(|| self.correlations().iter().map(CorrelationRule::about).find(|a| a.id == id));
        about.map_or(Mode::Off, |about| about.mode)
    }
}

fn tune(rule: &mut Rule, wanted: &RuleTuning, found: &mut Vec<TuningProblem>) {
    rule.about.mode = wanted.mode;
    rule.about.severity = wanted.level.unwrap_or(rule.about.severity);
    for (name, value) in &wanted.thresholds {
        if let Err(message) = threshold::set(rule, name, *value) {
            found.push(TuningProblem { rule: rule.about.id.clone(), key: "thresholds", exclusion: None, message });
        }
    }
    for (place, exclusion) in wanted.exclusions.iter().enumerate() {
        match exclusion::compile(exclusion, rule.domain) {
            Ok(compiled) => rule.exclusions.push(compiled),
            Err((key, message)) => {
                found.push(TuningProblem { rule: rule.about.id.clone(), key, exclusion: Some(place), message });
            }
        }
    }
}

fn tune_correlation(correlation: &mut CorrelationRule, wanted: &RuleTuning, found: &mut Vec<TuningProblem>) {
    correlation.about.mode = wanted.mode;
    correlation.about.severity = wanted.level.unwrap_or(correlation.about.severity);
    let id = correlation.about.id.clone();
    for (name, value) in &wanted.thresholds {
        if let Err(message) = correlation.set_threshold(name, *value) {
            found.push(TuningProblem { rule: id.clone(), key: "thresholds", exclusion: None, message });
        }
    }
    if !wanted.exclusions.is_empty() {
        let message = "a correlation counts what its rules match; put the exception on those".to_owned();
        found.push(TuningProblem { rule: id, key: "exclude", exclusion: Some(0), message });
    }
}

/// The message about a threshold that is not there.
pub(super) fn unknown_threshold(name: &str, known: &[Threshold]) -> String {
    if known.is_empty() {
        return format!("there is no threshold `{name}`; this rule compares no number");
    }
    let names: Vec<&str> = known.iter().map(|threshold| threshold.name.as_str()).collect();
    let hint = nearest(name, names.iter().copied()).first().map(|near| format!("; did you mean `{near}`?"));
    format!("there is no threshold `{name}`{} valid: {}", hint.unwrap_or_else(|| ";".to_owned()), listed(names))
}
