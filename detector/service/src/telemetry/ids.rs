//! Who a span is.
//!
//! An alert's trace follows from its id, which follows from what happened. So after a crash, and on whatever worker goes
//! on with it, the same alert is the same trace; nothing has to be handed over, and whoever knows an alert's id knows
//! where to look. Everything else about identities is OpenTelemetry's.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator as _, RandomIdGenerator},
};
use sha2::{Digest, Sha256};

/// The trace of an alert: its id, which has as many bits as a trace's.
#[must_use]
pub fn trace_of(alert: &str) -> TraceId {
    let is_ours = alert.len() == 32 && alert.bytes().all(|byte| byte.is_ascii_hexdigit());
    let own = TraceId::from_hex(alert).ok().filter(|id| is_ours && *id != TraceId::INVALID);
    let hashed = || Sha256::digest(alert.as_bytes()).first_chunk().copied().unwrap_or([1; 16]);
    own.unwrap_or_else(|| TraceId::from_bytes(hashed()))
}

/// The trace of an alert, as logs and alerts show it.
#[must_use]
pub fn trace_id(alert: &str) -> String {
    trace_of(alert).to_string()
}

/// The first span of an alert's trace, of which all others are part.
#[must_use]
pub fn root_of(trace: TraceId) -> SpanId {
    SpanId::from(trace.to_bytes().last_chunk().copied().map_or(1, u64::from_be_bytes).max(1))
}

/// A new trace.
#[must_use]
pub fn new_trace() -> TraceId {
    RandomIdGenerator::default().new_trace_id()
}

/// A new span of a trace, and whether somebody keeps it.
#[must_use]
pub fn new_span(trace: TraceId, sampled: bool) -> SpanContext {
    span(trace, RandomIdGenerator::default().new_span_id(), sampled)
}

/// A span in its trace, and whether somebody keeps it.
#[must_use]
pub fn span(trace: TraceId, span: SpanId, sampled: bool) -> SpanContext {
    SpanContext::new(trace, span, TraceFlags::default().with_sampled(sampled), false, TraceState::NONE)
}

/// The header that passes a span on (W3C Trace Context).
#[must_use]
pub fn traceparent(span: &SpanContext) -> String {
    let mut headers = HashMap::new();
    let around = Context::new().with_remote_span_context(span.clone());
    TraceContextPropagator::new().inject_context(&around, &mut headers);
    headers.remove("traceparent").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_its_trace() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(trace_id(id), id);
        assert_eq!(root_of(trace_of(id)).to_string(), "0123456789abcdef");
        assert_eq!(root_of(TraceId::from(1 << 64)).to_string(), "0000000000000001");
        // Ids that are not ours, as in tests and in stores of other versions, have one as well.
        for odd in ["", "a", "0123456789abcdef0123456789abcdeX", &"0".repeat(32), "+123456789abcdef0123456789abcdef"] {
            assert_eq!(trace_id(odd), trace_id(odd));
            assert_eq!(trace_id(odd).len(), 32, "{odd}");
            assert_ne!(trace_id(odd), "0".repeat(32), "{odd}");
        }
        assert_ne!(trace_id("a"), trace_id("b"));
    }

    #[test]
    fn the_header_is_that_of_the_standard() {
        let (trace, id) = (TraceId::from(0xff), SpanId::from(0x0001_0203_0405_0607));
        let check = |sampled: bool, flags: &str| {
            let expected = format!("00-000000000000000000000000000000ff-0001020304050607-{flags}");
            assert_eq!(traceparent(&span(trace, id, sampled)), expected);
        };
        check(true, "01");
        check(false, "00");
    }
}
