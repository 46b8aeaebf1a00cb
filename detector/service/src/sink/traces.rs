//! What attempts to tell a sink say of themselves in traces, in metrics and around lines of the log.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Fault, Messaging, Sink, SinkError, Telling, Told};
use crate::telemetry::{
    Draft, Telemetry,
    ids::{new_span, root_of, trace_of},
    trace_id,
};

/// Gives an attempt its span, in the trace of its first alert.
pub(super) fn begun(telemetry: &Telemetry, telling: Telling) -> Telling {
    let first = telling.claims.first();
    let span = first.map(|claim| new_span(trace_of(&claim.alert.alert.id), telemetry.spans.is_on()));
    Telling { span, ..telling }
}

/// What stands around every line that is logged during an attempt.
pub(super) fn log_span(sink: &str, telling: &Telling) -> tracing::Span {
    let alert = telling.claims.first().map(|claim| claim.alert.alert.id.as_str()).unwrap_or_default();
    tracing::info_span!("tell", sink, alert, trace_id = trace_id(alert))
}

/// Why an attempt failed: one of few words.
pub(super) const fn kind(error: &SinkError) -> &'static str {
    match error.fault {
        Fault::Permanent => "permanent",
        Fault::Temporary { retry_after: Some(_), .. } => "throttled",
        Fault::Temporary { .. } => "temporary",
    }
}

/// An attempt that is being made.
#[derive(Debug)]
pub(super) struct Tell<'a> {
    telemetry: &'a Telemetry,
    sink: &'a dyn Sink,
    telling: &'a Telling,
    began: Timestamp,
    since: Instant,
}

impl<'a> Tell<'a> {
    /// It begins now.
    pub(super) fn begin(telemetry: &'a Telemetry, sink: &'a dyn Sink, telling: &'a Telling) -> Self {
        Self { telemetry, sink, telling, began: Timestamp::now(), since: Instant::now() }
    }

    /// Whether it took at least so long.
    pub(super) fn took(&self, limit: Duration) -> bool {
        self.since.elapsed() >= limit
    }

    /// The sink has acknowledged it.
    pub(super) fn worked(&self) {
        self.end(|_, span| span);
    }

    /// It was in vain.
    pub(super) fn failed(&self, kind: &str, message: &str) {
        self.end(|_, span| span.failed(kind, message));
    }

    /// It went for each alert as these say, in their order.
    pub(super) fn went(&self, outcomes: &[Result<Told, SinkError>]) {
        self.end(|place, span| match outcomes.get(place) {
            Some(Err(error)) => span.failed(kind(error), &error.message),
            _ => span,
        });
    }

    /// What kind of request it is; of what is a message queue, by the conventions for messaging.
    fn of_its_kind(&self, span: Draft) -> Draft {
        let Some(Messaging { system, operation, destination }) = self.sink.messaging() else { return span.client() };
        span.producer()
            .text("messaging.system", system)
            .text("messaging.operation.name", operation)
            .text("messaging.operation.type", "send")
            .text("messaging.destination.name", destination)
    }

    /// Each alert of a telling has the attempt in its trace.
    fn end(&self, finish: impl Fn(usize, Draft) -> Draft) {
        self.telemetry.meters.stage_tell.record(self.since.elapsed());
        if !self.telemetry.spans.is_on() {
            return;
        }
        let times = (self.began, Timestamp::now());
        for (place, claim) in self.telling.claims.iter().enumerate() {
            let alert = &claim.alert.alert;
            let trace = trace_of(&alert.id);
            let own = self.telling.span.as_ref().filter(|span| span.trace_id() == trace);
            let context = own.cloned().unwrap_or_else(|| new_span(trace, true));
            let span = Draft::new(format!("tell {}", self.sink.kind()), context, times)
                .within(root_of(trace))
                .text("bedrock_watch.sink", self.sink.name())
                .text("bedrock_watch.sink.kind", self.sink.kind())
                .number("bedrock_watch.sink.alerts", self.telling.claims.len() as u64)
                .text("bedrock_watch.alert.id", &alert.id)
                .text("bedrock_watch.alert.rule", &alert.rule)
                .number("bedrock_watch.alert.revision", u64::from(claim.alert.revision))
                .number("bedrock_watch.attempt", u64::from(claim.attempts).saturating_add(1));
            self.telemetry.trace(finish(place, self.of_its_kind(span)));
        }
    }
}
