//! From spans and the table of metrics to OTLP's messages.

use jiff::Timestamp;

use super::{
    super::metric::{Gathered, Kind, Metric, Point, Value},
    messages::{
        self, Data, Figure, Gauge, HistogramData, HistogramPoint, KeyValue, Metrics, NumberPoint, Resource,
        ResourceMetrics, ResourceSpans, Scope, ScopeMetrics, ScopeSpans, Span, Sum, Traces,
    },
};

/// Values since the start, not since they were sent last: what one reader has lost, the next one still has.
const CUMULATIVE: i32 = 2;

/// A moment in nanoseconds since 1970.
pub(crate) fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

fn scope() -> Option<Scope> {
    Some(Scope { name: "bedrock-watch".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// A request with these spans.
pub(crate) fn traces(resource: &Resource, spans: Vec<Span>) -> Traces {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans }];
    Traces { resource_spans: vec![ResourceSpans { resource: Some(resource.clone()), scope_spans }] }
}

/// A request with everything in the table; counters count since `start`.
pub(crate) fn metrics(resource: &Resource, gathered: &Gathered, start: Timestamp) -> Metrics {
    let times = Times { start: nanoseconds(start), now: nanoseconds(gathered.now) };
    let metrics = super::super::METRICS.iter().filter_map(|metric| times.metric(metric, (metric.read)(gathered)));
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics: metrics.collect() }];
    Metrics { resource_metrics: vec![ResourceMetrics { resource: Some(resource.clone()), scope_metrics }] }
}

struct Times {
    start: u64,
    now: u64,
}

impl Times {
    /// A metric; none without points, which some receivers refuse.
    fn metric(&self, metric: &Metric, points: Vec<Point>) -> Option<messages::Metric> {
        if points.is_empty() {
            return None;
        }
        let numbers = |start: u64| points.iter().filter_map(move |point| self.number(metric, point, start)).collect();
        let data = match metric.kind {
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(0) }),
            Kind::Counter => Data::Sum(Sum {
                data_points: numbers(self.start),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            Kind::Histogram => Data::Histogram(HistogramData {
                data_points: points.iter().filter_map(|point| self.histogram(metric, point)).collect(),
                aggregation_temporality: CUMULATIVE,
            }),
        };
        let (name, description, unit) = (metric.name.to_owned(), metric.about.to_owned(), metric.unit.to_owned());
        Some(messages::Metric { name, description, unit, data: Some(data) })
    }

    fn number(&self, metric: &Metric, point: &Point, start: u64) -> Option<NumberPoint> {
        let value = match point.value {
            Value::Number(number) => Figure::Whole(i64::try_from(number).unwrap_or(i64::MAX)),
            Value::Measure(measure) => Figure::Measure(measure),
            Value::Histogram(_) => return None,
        };
        let attributes = attributes(metric, point);
        Some(NumberPoint { start_time_unix_nano: start, time_unix_nano: self.now, value: Some(value), attributes })
    }

    fn histogram(&self, metric: &Metric, point: &Point) -> Option<HistogramPoint> {
        let Value::Histogram(histogram) = &point.value else { return None };
        Some(HistogramPoint {
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            count: histogram.count(),
            sum: Some(histogram.sum_s()),
            bucket_counts: histogram.buckets().collect(),
            explicit_bounds: histogram.bounds_s().collect(),
            attributes: attributes(metric, point),
        })
    }
}

fn attributes(metric: &Metric, point: &Point) -> Vec<KeyValue> {
    metric.labels.iter().zip(&point.labels).map(|(label, value)| KeyValue::text(label.name, value)).collect()
}
