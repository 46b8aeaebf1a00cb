//! From spans and the table of metrics to OTLP's messages.

use jiff::Timestamp;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::{
    tonic::{
        Attributes,
        collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
        common::v1::KeyValue,
        metrics::v1::{
            self, AggregationTemporality, Gauge, Histogram, HistogramDataPoint, NumberDataPoint, ResourceMetrics,
            ScopeMetrics, Sum, metric::Data, number_data_point,
        },
    },
    transform::trace::tonic::group_spans_by_resource_and_scope,
};
use opentelemetry_sdk::{Resource, trace::SpanData};

use super::super::{
    METRICS,
    metric::{Gathered, Kind, Metric, Point, Value},
};

/// What made the telemetry.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("bedrock-watch").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// A request with these spans.
pub(crate) fn traces(resource: &Resource, spans: Vec<SpanData>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans, &resource.into()) }
}

/// A request with everything in the table; counters count since `start`.
pub(crate) fn metrics(resource: &Resource, gathered: &Gathered, start: Timestamp) -> ExportMetricsServiceRequest {
    let times = Times { start: nanoseconds(start), now: nanoseconds(gathered.now) };
    let metrics = METRICS.iter().filter_map(|metric| times.metric(metric, (metric.read)(gathered))).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some((scope(), None).into()), metrics, ..ScopeMetrics::default() }];
    let resource = Some(resource.into());
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// A moment in nanoseconds since 1970.
fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

struct Times {
    start: u64,
    now: u64,
}

impl Times {
    /// A metric; none without points, which some receivers refuse.
    fn metric(&self, metric: &Metric, points: Vec<Point>) -> Option<v1::Metric> {
        if points.is_empty() {
            return None;
        }
        // Values since the start, not since they were sent last: what one reader has lost, the next one still has.
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let numbers = |start: u64| points.iter().filter_map(move |point| self.number(metric, point, start)).collect();
        let data = match metric.kind {
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(0) }),
            Kind::Counter => {
                Data::Sum(Sum { data_points: numbers(self.start), aggregation_temporality, is_monotonic: true })
            }
            Kind::Histogram => {
                let data_points = points.iter().filter_map(|point| self.histogram(metric, point)).collect();
                Data::Histogram(Histogram { data_points, aggregation_temporality })
            }
        };
        Some(v1::Metric {
            name: metric.name.to_owned(),
            description: metric.about.to_owned(),
            unit: metric.unit.to_owned(),
            data: Some(data),
            ..v1::Metric::default()
        })
    }

    fn number(&self, metric: &Metric, point: &Point, start: u64) -> Option<NumberDataPoint> {
        let value = match point.value {
            Value::Number(number) => number_data_point::Value::AsInt(i64::try_from(number).unwrap_or(i64::MAX)),
            Value::Measure(measure) => number_data_point::Value::AsDouble(measure),
            Value::Histogram(_) => return None,
        };
        Some(NumberDataPoint {
            attributes: attributes(metric, point),
            start_time_unix_nano: start,
            time_unix_nano: self.now,
            value: Some(value),
            ..NumberDataPoint::default()
        })
    }

    fn histogram(&self, metric: &Metric, point: &Point) -> Option<HistogramDataPoint> {
        let Value::Histogram(histogram) = &point.value else { return None };
        Some(HistogramDataPoint {
            attributes: attributes(metric, point),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            count: histogram.count(),
            sum: Some(histogram.sum_s()),
            bucket_counts: histogram.buckets().collect(),
            explicit_bounds: histogram.bounds_s().collect(),
            ..HistogramDataPoint::default()
        })
    }
}

fn attributes(metric: &Metric, point: &Point) -> Vec<KeyValue> {
    let labels = metric.labels.iter().zip(&point.labels);
    Attributes::from(labels.map(|(label, value)| opentelemetry::KeyValue::new(label.name, value.clone()))).0
}
