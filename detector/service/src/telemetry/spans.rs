//! Spans on their way out: a queue with a limit, into which nobody ever waits to put one.

use std::{borrow::Cow, fmt, sync::Arc, time::SystemTime};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    trace::{Link, SpanContext, SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::sync::mpsc;

use super::{Meters, otlp};

/// Spans that may wait to be sent: about a thousand alerts.
pub(super) const WAITING_MAX: usize = 8_192;
/// Links of one span.
const LINKS_MAX: usize = 32;
/// Of as many batches the configuration says how many are traced.
const MILLION: u32 = 1_000_000;

/// The end of the queue that the service holds; without one, nothing is traced. Clones are the same.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<Queue>>);

struct Queue {
    waiting: mpsc::Sender<SpanData>,
    sampled_per_million: u32,
}

impl fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Spans").field(&self.is_on()).finish()
    }
}

impl Spans {
    /// A queue, and its other end.
    pub(super) fn queue(sampled_per_million: u32) -> (Self, mpsc::Receiver<SpanData>) {
        let (waiting, spans) = mpsc::channel(WAITING_MAX);
        (Self(Some(Arc::new(Queue { waiting, sampled_per_million }))), spans)
    }

    /// Whether anything is traced.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether to trace a batch that changes no alert.
    #[must_use]
    pub fn samples(&self) -> bool {
        self.0.as_ref().is_some_and(|queue| fastrand::u32(..MILLION) < queue.sampled_per_million)
    }

    /// Puts a span into the queue, or counts that there was no room.
    pub(super) fn put(&self, meters: &Meters, span: SpanData) {
        let Some(queue) = &self.0 else { return };
        if queue.waiting.try_send(span).is_err() {
            meters.spans.dropped.add(1);
        }
    }
}

/// A span that is being made, of something that is over.
#[derive(Debug, Clone)]
pub struct Draft(SpanData);

impl Draft {
    /// A span of this name that took from one moment to another.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, at: SpanContext, (from, to): (Timestamp, Timestamp)) -> Self {
        let start_time = SystemTime::from(from);
        Self(SpanData {
            span_context: at,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            // Clocks are set back now and then; a span never ends before it began.
            end_time: SystemTime::from(to).max(start_time),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: otlp::scope(),
        })
    }

    /// It is part of another span of its trace.
    #[must_use]
    pub fn within(mut self, parent: SpanId) -> Self {
        self.0.parent_span_id = parent;
        self
    }

    /// It works on messages of others.
    #[must_use]
    pub fn consumer(mut self) -> Self {
        self.0.span_kind = SpanKind::Consumer;
        self
    }

    /// It sends a message to others, who may read it later.
    #[must_use]
    pub fn producer(mut self) -> Self {
        self.0.span_kind = SpanKind::Producer;
        self
    }

    /// It makes a request.
    #[must_use]
    pub fn client(mut self) -> Self {
        self.0.span_kind = SpanKind::Client;
        self
    }

    /// A text that is known of it.
    #[must_use]
    pub fn text(mut self, key: &'static str, value: &str) -> Self {
        self.0.attributes.push(KeyValue::new(key, value.to_owned()));
        self
    }

    /// The same if there is one.
    #[must_use]
    pub fn maybe_text(self, key: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// A number that is known of it.
    #[must_use]
    pub fn number(mut self, key: &'static str, value: u64) -> Self {
        self.0.attributes.push(KeyValue::new(key, i64::try_from(value).unwrap_or(i64::MAX)));
        self
    }

    /// It has to do with spans of other traces; those beyond the limit are counted.
    #[must_use]
    pub fn linked(mut self, links: impl IntoIterator<Item = (SpanContext, &'static str)>) -> Self {
        let own = &mut self.0.links;
        for (to, why) in links {
            if own.links.len() < LINKS_MAX {
                own.links.push(Link::new(to, vec![KeyValue::new("bedrock_watch.link", why)], 0));
            } else {
                own.dropped_count = own.dropped_count.saturating_add(1);
            }
        }
        self
    }

    /// It failed: one of few kinds, and what was said.
    #[must_use]
    pub fn failed(mut self, kind: &str, message: &str) -> Self {
        self.0.status = Status::error(message.to_owned());
        self.text("error.type", kind)
    }

    pub(crate) fn done(self) -> SpanData {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::ids::{new_span, trace_of},
        *,
    };

    fn draft() -> Draft {
        Draft::new("x", new_span(trace_of("a"), true), (Timestamp::MAX, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn what_finds_no_room_is_counted_and_gone() {
        let (spans, waiting) = Spans::queue(0);
        let meters = Meters::default();
        for _ in 0..WAITING_MAX + 3 {
            spans.put(&meters, draft().done());
        }
        assert_eq!((waiting.len(), meters.spans.dropped.read()), (WAITING_MAX, 3));
        assert!(!spans.samples());
        assert!(Spans::queue(MILLION).0.samples());
        let off = Spans::default();
        off.put(&meters, draft().done());
        assert!(!off.is_on() && !off.samples() && meters.spans.dropped.read() == 3);
    }

    #[test]
    fn spans_have_an_end_and_a_limit_of_links() {
        let other = new_span(trace_of("b"), false);
        let span = draft().linked((0..LINKS_MAX + 2).map(|_| (other.clone(), "batch"))).done();
        assert!(span.end_time >= span.start_time);
        assert_eq!((span.links.len(), span.links.dropped_count), (LINKS_MAX, 2));
    }
}
