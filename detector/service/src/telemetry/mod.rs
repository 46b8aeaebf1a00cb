//! What the service tells about itself to machines: metrics, and traces of alerts.
//!
//! ```text
//! table of metrics -> Prometheus text (/metrics)
//!                  -> OTLP, every so often      \
//! stages, sinks    -> spans -> a bounded queue  -> one task of its own -> the receiver
//! ```
//!
//! None of it can disturb detection: recording is a few numbers or a try to put a span into a queue, and what finds no
//! room is counted and gone.
//!
//! Spans, identities, resources and OTLP's messages are those of OpenTelemetry's own crates. Deliberately without their
//! tracer, meters and exporters:
//!
//! - An alert's trace and the first span in it follow from the alert's id, and the tracer takes no ids.
//! - Metrics are read from one table, for Prometheus as well. The exporter of metrics takes only what instruments of the
//!   SDK have added up, so every duration would have to be recorded a second time, at several times the cost.
//! - The exporter of spans does not tell what a receiver refused, and puts headers of the environment before those of the
//!   configuration.
//!
//! Deliberately no logs over OTLP: standard error is the log.

mod collector;
pub mod histogram;
pub mod ids;
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

use std::sync::Arc;

pub use collector::Collector;
pub use histogram::Histogram;
pub use ids::trace_id;
pub use meters::{LOG_SUPPRESSED, Meters, Number, Sent};
pub use metric::{Gathered, Kind, Label, Metric, Point, Value};
pub use otlp::ClientError;
pub use outlet::{Outlet, Sending};
pub use reference::reference;
pub use spans::{Draft, Spans};
pub use table::METRICS;

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
