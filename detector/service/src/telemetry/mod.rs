//! What the service tells about itself to machines: metrics, and traces of alerts.
//!
//! ```text
//! table of metrics -> Prometheus text (/metrics)
//!                  -> OTLP, every so often      \
//! stages, sinks    -> spans -> a bounded queue  -> one task of its own -> the receiver
//! ```
//!
//! None of it can disturb detection: recording is a few numbers or a try to put a span into a queue, and what finds no
//! room is counted and gone. Deliberately no OpenTelemetry SDK: an alert's trace follows from its id, spans are written
//! after the fact, and metrics live in one table; what would be left of the SDK is the encoding. Deliberately no logs
//! over OTLP: standard error is the log.

mod collector;
pub mod histogram;
mod meters;
mod metric;
pub mod otlp;
mod outlet;
pub mod prometheus;
mod reference;
mod spans;
mod table;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

pub use collector::Collector;
pub use histogram::Histogram;
pub use meters::{LOG_SUPPRESSED, Meters, Number, Sent};
pub use metric::{Gathered, Kind, Label, Metric, Point, Value};
pub use otlp::ClientError;
pub use outlet::{Outlet, Sending};
pub use reference::reference;
pub use spans::{Draft, Spans};
pub use table::METRICS;
pub use trace::{SpanContext, SpanId, TraceId, trace_id};

/// Where parts of the service put what they measure. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Numbers.
    pub meters: Arc<Meters>,
    /// Spans.
    pub spans: Spans,
}

impl Telemetry {
    /// Sends a span, if it can be without waiting.
    pub fn trace(&self, span: Draft) {
        self.spans.put(&self.meters, span.done());
    }
}
