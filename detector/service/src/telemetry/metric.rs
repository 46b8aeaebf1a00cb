//! What a metric is, and what it reads at one moment.

use std::{collections::BTreeMap, sync::Arc};

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;

use super::{Histogram, Meters};
use crate::{live_rules::Reloads, pipeline::Report, sink::SinkReport, store::Waiting};

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows while the service runs.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often which durations occurred.
    Histogram,
}

impl Kind {
    /// The word for it in Prometheus, and in the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values there are, and what limits their number.
    pub values: &'static str,
}

/// A metric: one line of the table.
#[derive(Debug)]
pub struct Metric {
    /// OpenTelemetry's name, with dots.
    pub name: &'static str,
    /// The unit in UCUM, or what is counted in braces; empty for a yes or no.
    pub unit: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says, as a sentence.
    pub about: &'static str,
    /// What tells its points apart.
    pub labels: &'static [Label],
    /// Where it is found.
    pub(super) read: fn(&Gathered) -> Vec<Point>,
}

impl Metric {
    /// The name in Prometheus, as OpenTelemetry's own rules make it: dots become underscores, the unit is a word at the
    /// end, and a counter ends in `_total`.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        name.push_str(match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        });
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }
}

/// What a metric reads for one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The labels' values, in the order of the metric's labels.
    pub labels: Vec<String>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// Seconds, and other measures.
    Measure(f64),
    /// A histogram.
    Histogram(Histogram),
}

impl Point {
    /// A number without labels.
    pub(super) fn one(value: u64) -> Vec<Self> {
        vec![Self { labels: Vec::new(), value: Value::Number(value) }]
    }

    /// A number with one label.
    pub(super) fn labelled(label: &str, value: u64) -> Self {
        Self { labels: vec![label.to_owned()], value: Value::Number(value) }
    }

    /// A histogram without labels.
    pub(super) fn histogram(histogram: Histogram) -> Vec<Self> {
        vec![Self { labels: Vec::new(), value: Value::Histogram(histogram) }]
    }

    /// A histogram with one label.
    pub(super) fn histogram_of(label: &str, histogram: Histogram) -> Self {
        Self { labels: vec![label.to_owned()], value: Value::Histogram(histogram) }
    }
}

/// Everything from which metrics are read, at one moment.
#[derive(Debug)]
pub struct Gathered {
    pub(super) now: Timestamp,
    pub(super) report: Report,
    pub(super) firing: BTreeMap<Severity, u64>,
    pub(super) incidents_cut: u64,
    pub(super) sinks: Vec<SinkReport>,
    pub(super) waiting: Vec<(String, Waiting)>,
    pub(super) reloads: Reloads,
    pub(super) lags: BTreeMap<String, std::time::Duration>,
    pub(super) ready: bool,
    pub(super) meters: Arc<Meters>,
}
