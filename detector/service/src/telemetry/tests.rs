//! The table against everything that follows from it: the reference, dashboards, rules of Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    metrics::v1::{AggregationTemporality, metric::Data},
    trace::v1::span::SpanKind,
};
use opentelemetry_sdk::Resource;
use regex::Regex;

use super::{
    Draft, Gathered, Kind, METRICS, Meters, Metric, Value,
    ids::{new_span, trace_of},
    otlp,
    prometheus::{self, series},
    reference,
};
use crate::{live_rules::Reloads, pipeline::Report, sink::SinkReport, store::Waiting};

/// Set to anything, it makes the test of the reference write it.
const WRITE: &str = "BEDROCK_WATCH_WRITE_DOCS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A service in which something has happened everywhere.
fn gathered() -> Gathered {
    let mut report = Report::default();
    report.stats.records = 12;
    report.service.shadow.insert("odd \"rule\"\\\n".to_owned(), 3);
    report.service.timings.event_lag.record(Duration::from_secs(7));
    let meters = Meters::default();
    meters.canary.record(Duration::from_secs(40));
    Gathered {
        now: Timestamp::UNIX_EPOCH,
        report,
        firing: BTreeMap::from([(bedrock_watch_engine::alert::Severity::High, 2)]),
        incidents_cut: 0,
        sinks: vec![SinkReport { name: "slack".to_owned(), kind: "slack", counted: Default::default() }],
        waiting: vec![("slack".to_owned(), Waiting::default())],
        reloads: Reloads::default(),
        lags: BTreeMap::from([("kinesis s/shardId-1".to_owned(), Duration::from_millis(1_500))]),
        ready: true,
        meters: Arc::new(meters),
    }
}

#[test]
fn names_and_units_are_those_of_opentelemetry() {
    let name = Regex::new(r"^bedrock_watch(\.[a-z]+(_[a-z]+)*)+$").unwrap();
    let unit = Regex::new(r"^(s|By|\{[a-z]+\}|)$").unwrap();
    let mut seen = BTreeSet::new();
    for metric in METRICS {
        assert!(name.is_match(metric.name), "{}", metric.name);
        assert!(unit.is_match(metric.unit), "{}: {}", metric.name, metric.unit);
        assert!(metric.kind != Kind::Histogram || metric.unit == "s", "{}", metric.name);
        assert!(metric.about.ends_with('.') && !metric.about.contains('|'), "{}", metric.name);
        for series in series(metric) {
            assert!(seen.insert(series.clone()), "{series} is there twice");
        }
    }
}

#[test]
fn points_have_the_labels_of_the_table_and_values_of_its_kind() {
    let gathered = gathered();
    for metric in METRICS {
        for point in (metric.read)(&gathered) {
            assert_eq!(point.labels.len(), metric.labels.len(), "{}", metric.name);
            let is_histogram = matches!(point.value, Value::Histogram(_));
            assert_eq!(is_histogram, metric.kind == Kind::Histogram, "{}", metric.name);
        }
    }
}

#[test]
fn text_is_as_prometheus_wants_it() {
    let text = prometheus::text(&gathered());
    for line in [
        "# HELP bedrock_watch_records_total Records given to the engine.",
        "# TYPE bedrock_watch_records_total counter",
        "bedrock_watch_records_total 12",
        "bedrock_watch_alerts_firing{severity=\"high\"} 2",
        "bedrock_watch_shadow_alerts_total{rule=\"odd \\\"rule\\\"\\\\\\n\"} 3",
        "bedrock_watch_stream_lag_seconds{shard=\"kinesis s/shardId-1\"} 1.5",
        "bedrock_watch_event_lag_seconds_bucket{le=\"5\"} 0",
        "bedrock_watch_event_lag_seconds_bucket{le=\"10\"} 1",
        "bedrock_watch_event_lag_seconds_bucket{le=\"+Inf\"} 1",
        "bedrock_watch_event_lag_seconds_sum 7",
        "bedrock_watch_event_lag_seconds_count 1",
        "bedrock_watch_stage_duration_seconds_bucket{stage=\"tell\",le=\"0.0001\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn metrics_over_otlp_are_those_of_the_table() {
    let request = otlp::metrics(&Resource::builder_empty().build(), &gathered(), Timestamp::from_second(-1).unwrap());
    let sent = &request.resource_metrics[0].scope_metrics[0].metrics;
    let read: Vec<&Metric> = METRICS.iter().filter(|metric| !(metric.read)(&gathered()).is_empty()).collect();
    assert_eq!(read.len(), sent.len());
    for (metric, sent) in read.into_iter().zip(sent) {
        assert_eq!((metric.name, metric.unit, metric.about), (&*sent.name, &*sent.unit, &*sent.description));
        match (metric.kind, sent.data.as_ref().unwrap()) {
            (Kind::Counter, Data::Sum(sum)) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
            }
            (Kind::Gauge, Data::Gauge(gauge)) => assert!(!gauge.data_points.is_empty()),
            (Kind::Histogram, Data::Histogram(histogram)) => {
                assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
                let point = &histogram.data_points[0];
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
            }
            (kind, data) => panic!("{}: {kind:?} is {data:?}", metric.name),
        }
    }
    let lag = sent.iter().find(|metric| metric.name == "bedrock_watch.event.lag").unwrap();
    let Some(Data::Histogram(lag)) = &lag.data else { panic!("{lag:?}") };
    assert_eq!((lag.data_points[0].count, lag.data_points[0].sum), (1, Some(7.0)));
}

#[test]
fn spans_over_otlp_are_those_that_were_made() {
    let (root, part) = (new_span(trace_of("a"), true), new_span(trace_of("a"), true));
    let times = (Timestamp::UNIX_EPOCH, Timestamp::from_second(2).unwrap());
    let drafts = [
        Draft::new("whole", root.clone(), times).linked([(new_span(trace_of("b"), false), "rests on")]),
        Draft::new("part", part.clone(), times)
            .within(root.span_id())
            .client()
            .number("n", 3)
            .failed("timeout", "late"),
    ];
    let spans = drafts.into_iter().map(Draft::done).collect();
    let resource = Resource::builder_empty().with_service_name("x").build();
    let request = otlp::traces(&resource, spans);
    let [sent] = &request.resource_spans[..] else { panic!("{request:?}") };
    assert_eq!(sent.resource.as_ref().unwrap().attributes[0].key, "service.name");
    let [whole, rest] = &sent.scope_spans[0].spans[..] else { panic!("{sent:?}") };
    assert_eq!((&*whole.trace_id, &*whole.span_id), (&root.trace_id().to_bytes()[..], &root.span_id().to_bytes()[..]));
    assert_eq!((&*whole.parent_span_id, whole.end_time_unix_nano), (&[][..], 2_000_000_000));
    let link = &whole.links[0];
    assert_eq!((&*link.trace_id, link.flags & 1), (&trace_of("b").to_bytes()[..], 0));
    assert_eq!((&rest.parent_span_id, &rest.trace_id, rest.flags & 1), (&whole.span_id, &whole.trace_id, 1));
    assert_eq!((rest.kind(), rest.status.as_ref().unwrap().message.as_str()), (SpanKind::Client, "late"));
    let keys: Vec<&str> = rest.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["n", "error.type"]);
}

#[test]
fn the_reference_is_that_of_the_table() {
    let file = root().join("docs/metrics.md");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, reference()).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == reference(),
        "docs/metrics.md is not what the table says; write it with \
         {WRITE}=1 cargo test -p bedrock-watch-service --lib telemetry"
    );
}

#[test]
fn dashboards_and_rules_use_metrics_that_exist() {
    let series: BTreeSet<String> = METRICS.iter().flat_map(series).collect();
    let name = Regex::new(r"\bbedrock_watch_\w+").unwrap();
    for file in ["grafana.json", "prometheus-rules.yml", "prometheus-rules.test.yml"] {
        let text = fs::read_to_string(root().join("infra/dashboards").join(file)).unwrap();
        let used: BTreeSet<&str> = name.find_iter(&text).map(|found| found.as_str()).collect();
        assert!(used.len() > 5, "{file}: {used:?}");
        for metric in used {
            assert!(series.contains(metric), "{file} uses {metric}, which is not in the table");
        }
    }
}
