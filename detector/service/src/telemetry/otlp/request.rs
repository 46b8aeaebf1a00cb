//! The requests of OTLP: where in gRPC they go, and what their answers say.

use opentelemetry_proto::tonic::collector::{
    metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
};
use prost::Message;

/// Telemetry of one kind, ready to be sent.
pub(crate) trait Request: Message + Clone + 'static {
    /// What a receiver says to it.
    type Answer: Message + Default + 'static;
    /// What it is about, in the log.
    const SIGNAL: &'static str;
    /// The method of the receiver's gRPC service.
    const GRPC_PATH: &'static str;

    /// How many of its items the receiver did not take.
    fn rejected(answer: Self::Answer) -> i64;
}

impl Request for ExportTraceServiceRequest {
    type Answer = ExportTraceServiceResponse;
    const SIGNAL: &'static str = "traces";
    const GRPC_PATH: &'static str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    fn rejected(answer: Self::Answer) -> i64 {
        answer.partial_success.map_or(0, |partial| partial.rejected_spans)
    }
}

impl Request for ExportMetricsServiceRequest {
    type Answer = ExportMetricsServiceResponse;
    const SIGNAL: &'static str = "metrics";
    const GRPC_PATH: &'static str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

    fn rejected(answer: Self::Answer) -> i64 {
        answer.partial_success.map_or(0, |partial| partial.rejected_data_points)
    }
}
