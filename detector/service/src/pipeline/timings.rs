//! What the loop measures: how long it takes, how old events are, and what rules do.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use jiff::Timestamp;

use crate::telemetry::{
    Histogram,
    histogram::{LAG, WORK},
};

/// Durations, measured since the service started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// How old events were when they were judged.
    pub event_lag: Histogram,
    /// How long batches waited for the loop.
    pub input: Histogram,
    /// How long judging a batch took.
    pub judge: Histogram,
}

impl Default for Timings {
    fn default() -> Self {
        Self { event_lag: Histogram::new(&LAG), input: Histogram::new(&WORK), judge: Histogram::new(&WORK) }
    }
}

impl Timings {
    /// Adds what another loop measured.
    pub(super) fn add(&mut self, other: &Self) {
        let Self { event_lag, input, judge } = self;
        event_lag.add(&other.event_lag);
        input.add(&other.input);
        judge.add(&other.judge);
    }
}

/// How long it is from one moment to another; nothing if the clock was set back meanwhile.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// What each rule did. It is copied after every batch and changes seldom, so copies share it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByRule(Arc<BTreeMap<String, Done>>);

/// What a rule did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Done {
    matched: u64,
    fired: BTreeMap<Severity, u64>,
}

impl ByRule {
    /// Takes note of a change of an alert.
    pub(super) fn note(&mut self, kind: ChangeKind, alert: &Alert) {
        if !matches!(kind, ChangeKind::Fired | ChangeKind::Updated) {
            return;
        }
        let rules = Arc::make_mut(&mut self.0);
        let done = rules.entry(alert.rule.clone()).or_default();
        done.matched = done.matched.saturating_add(1);
        if kind == ChangeKind::Fired {
            let fired = done.fired.entry(alert.severity).or_default();
            *fired = fired.saturating_add(1);
        }
    }

    /// Adds what another loop counted.
    pub(super) fn add(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let rules = Arc::make_mut(&mut self.0);
        for (rule, done) in other.0.iter() {
            let sum = rules.entry(rule.clone()).or_default();
            sum.matched = sum.matched.saturating_add(done.matched);
            for (severity, fired) in &done.fired {
                let sum = sum.fired.entry(*severity).or_default();
                *sum = sum.saturating_add(*fired);
            }
        }
    }

    /// Changes of alerts that each rule's matches caused.
    pub fn matched(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(rule, done)| (rule.as_str(), done.matched))
    }

    /// Alerts that fired, by rule and severity.
    pub fn fired(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.0.iter().flat_map(|(rule, done)| {
            done.fired.iter().map(move |(severity, fired)| (rule.as_str(), severity.as_str(), *fired))
        })
    }
}
