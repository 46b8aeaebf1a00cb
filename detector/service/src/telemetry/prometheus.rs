//! Metrics as Prometheus' text format 0.0.4.

use std::fmt::Write as _;

use super::{
    Histogram,
    metric::{Gathered, Metric, Point, Value},
    table::METRICS,
};

/// Everything in the table, in its order. A metric without points has its description all the same.
#[must_use]
pub fn text(gathered: &Gathered) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let (name, kind) = (metric.prometheus_name(), metric.kind.as_str());
        let mut lines = Lines(&mut text);
        lines.line(format_args!("# HELP {name} {}", metric.about.replace('\\', "\\\\").replace('\n', "\\n")));
        lines.line(format_args!("# TYPE {name} {kind}"));
        for point in (metric.read)(gathered) {
            lines.point(metric, &name, &point);
        }
    }
    text
}

/// The series of a metric.
#[cfg(test)]
pub(super) fn series(metric: &Metric) -> Vec<String> {
    let name = metric.prometheus_name();
    match metric.kind {
        super::Kind::Histogram => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).to_vec(),
        _ => vec![name],
    }
}

struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.0, "{line}").unwrap_or_default();
    }

    fn point(&mut self, metric: &Metric, name: &str, point: &Point) {
        let labels = metric.labels.iter().zip(&point.labels);
        let labels: Vec<String> =
            labels.map(|(label, value)| format!("{}=\"{}\"", label.name, quoted(value))).collect();
        match &point.value {
            Value::Number(number) => self.line(format_args!("{name}{} {number}", in_braces(&labels))),
            Value::Measure(measure) => self.line(format_args!("{name}{} {measure}", in_braces(&labels))),
            Value::Histogram(histogram) => self.histogram(name, &labels, histogram),
        }
    }

    fn histogram(&mut self, name: &str, labels: &[String], histogram: &Histogram) {
        let bounds = histogram.bounds_s().map(|bound| bound.to_string()).chain(["+Inf".to_owned()]);
        let mut so_far = 0_u64;
        for (bound, count) in bounds.zip(histogram.buckets()) {
            so_far = so_far.saturating_add(count);
            let bound = format!("le=\"{bound}\"");
            let labels: Vec<String> = labels.iter().cloned().chain([bound]).collect();
            self.line(format_args!("{name}_bucket{} {so_far}", in_braces(&labels)));
        }
        let labels = in_braces(labels);
        self.line(format_args!("{name}_sum{labels} {}", histogram.sum_s()));
        self.line(format_args!("{name}_count{labels} {so_far}"));
    }
}

fn in_braces(labels: &[String]) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

/// A label's value as Prometheus wants it: a rule's id is a folder's name, which may be anything.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
