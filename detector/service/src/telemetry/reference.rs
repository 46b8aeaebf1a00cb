//! `docs/metrics.md`, from the table.

use std::fmt::Write as _;

use super::{
    histogram::{LAG, Scale, WORK},
    metric::{Kind, Metric},
    table::METRICS,
};

const HEAD: &str = "\
# Metrics

Made from the table in `detector/service/src/telemetry/table.rs`; a test compares, and writes it when it is told to.

Prometheus reads them from `/metrics` (a key with the right `read` is needed beyond loopback). With an endpoint in \
`[telemetry]` they are also sent over OTLP, under OpenTelemetry's names and with cumulative temporality. Both say the \
same at the same moment. While the store does not answer, what it alone knows (`alerts.firing`, `sink.waiting`, \
`sink.waiting.alerts`, `sink.dead_letters`) is left out. Names, units, kinds and labels are kept between versions; a metric that is renamed or removed \
is in the change log.

Labels never hold anything that a record contains: each has a fixed set of values, or as many as the configuration and \
the rules have. Counters begin at 0 with the process. With several workers, add up counters and histograms over all of \
them; gauges about the shared store (`alerts.firing`, `sink.waiting`, `sink.dead_letters`) are the same on each, so take \
the greatest.

| Prometheus | OpenTelemetry | kind | unit | labels | meaning |
|---|---|---|---|---|---|
";

/// The reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut labels: Vec<(&str, &str)> = Vec::new();
    for metric in METRICS {
        row(&mut text, metric);
        labels.extend(metric.labels.iter().map(|label| (label.name, label.values)));
    }
    labels.sort_unstable();
    labels.dedup();
    text.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    for (name, values) in labels {
        line(&mut text, format_args!("| `{name}` | {values} |"));
    }
    text.push_str("\n## Buckets\n\n");
    let lag = bounds(&LAG);
    line(&mut text, format_args!("`event.lag` and `canary.round_trip`, in seconds: {lag}."));
    text.push('\n');
    line(&mut text, format_args!("`stage.duration` and `store.duration`, in seconds: {}.", bounds(&WORK)));
    text
}

fn row(text: &mut String, metric: &Metric) {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
    let (name, prometheus) = (metric.name, metric.prometheus_name());
    let series =
        if metric.kind == Kind::Histogram { format!("{prometheus}_bucket`, `_sum`, `_count") } else { prometheus };
    let (kind, unit, labels, about) = (metric.kind.as_str(), metric.unit, labels.join(", "), metric.about);
    line(text, format_args!("| `{series}` | `{name}` | {kind} | {unit} | {labels} | {about} |"));
}

fn bounds(scale: &'static Scale) -> String {
    let bounds = super::Histogram::bounds_of(scale).map(|bound| bound.to_string());
    bounds.collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}
