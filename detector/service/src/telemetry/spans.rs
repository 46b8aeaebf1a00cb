//! Spans on their way out: a queue with a limit, into which nobody ever waits to put one.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Meters, SpanContext, SpanId,
    otlp::{
        messages::{KeyValue, Link, Span, SpanKind, SpanStatus},
        nanoseconds,
    },
};

/// Spans that may wait to be sent: about a thousand alerts.
pub(super) const WAITING_MAX: usize = 8_192;
/// Links of one span.
const LINKS_MAX: usize = 32;
/// The code of a span that failed.
const FAILED: i32 = 2;
/// Of as many batches the configuration says how many are traced.
const MILLION: u32 = 1_000_000;

/// The end of the queue that the service holds; without one, nothing is traced. Clones are the same.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<Queue>>);

struct Queue {
    waiting: mpsc::Sender<Span>,
    sampled_per_million: u32,
}

impl fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Spans").field(&self.is_on()).finish()
    }
}

impl Spans {
    /// A queue, and its other end.
    pub(super) fn queue(sampled_per_million: u32) -> (Self, mpsc::Receiver<Span>) {
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
    pub(super) fn put(&self, meters: &Meters, span: Span) {
        let Some(queue) = &self.0 else { return };
        if queue.waiting.try_send(span).is_err() {
            meters.spans.dropped.add(1);
        }
    }
}

/// A span that is being made.
#[derive(Debug, Clone)]
pub struct Draft(Span);

impl Draft {
    /// A span of this name that took from one moment to another.
    #[must_use]
    pub fn new(name: &str, at: SpanContext, (from, to): (Timestamp, Timestamp)) -> Self {
        let start = nanoseconds(from);
        Self(Span {
            trace_id: at.trace.bytes(),
            span_id: at.span.bytes(),
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: start,
            // Clocks are set back now and then; a span never ends before it began.
            end_time_unix_nano: nanoseconds(to).max(start),
            flags: at.flags(),
            ..Span::default()
        })
    }

    /// It is part of another span of its trace.
    #[must_use]
    pub fn within(mut self, parent: SpanId) -> Self {
        self.0.parent_span_id = parent.bytes();
        self
    }

    /// It works on messages of others.
    #[must_use]
    pub fn consumer(mut self) -> Self {
        self.0.kind = SpanKind::Consumer.into();
        self
    }

    /// It makes a request.
    #[must_use]
    pub fn client(mut self) -> Self {
        self.0.kind = SpanKind::Client.into();
        self
    }

    /// A text that is known of it.
    #[must_use]
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.0.attributes.push(KeyValue::text(key, value));
        self
    }

    /// The same if there is one.
    #[must_use]
    pub fn maybe_text(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// A number that is known of it.
    #[must_use]
    pub fn number(mut self, key: &str, value: u64) -> Self {
        self.0.attributes.push(KeyValue::number(key, value));
        self
    }

    /// It has to do with spans of other traces; those beyond the limit are counted.
    #[must_use]
    pub fn linked(mut self, links: impl IntoIterator<Item = (SpanContext, &'static str)>) -> Self {
        for (to, why) in links {
            if self.0.links.len() >= LINKS_MAX {
                self.0.dropped_links_count = self.0.dropped_links_count.saturating_add(1);
                continue;
            }
            let attributes = vec![KeyValue::text("bedrock_watch.link", why)];
            let (trace_id, span_id) = (to.trace.bytes(), to.span.bytes());
            self.0.links.push(Link { trace_id, span_id, attributes, flags: to.flags() });
        }
        self
    }

    /// It failed: one of few kinds, and what was said.
    #[must_use]
    pub fn failed(mut self, kind: &str, message: &str) -> Self {
        self.0.attributes.push(KeyValue::text("error.type", kind));
        self.0.status = Some(SpanStatus { message: message.to_owned(), code: FAILED });
        self
    }

    pub(crate) fn done(self) -> Span {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft::new("x", SpanContext::of_alert("a", true), (Timestamp::MAX, Timestamp::UNIX_EPOCH))
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
        let other = SpanContext::of_alert("b", false);
        let span = draft().linked((0..LINKS_MAX + 2).map(|_| (other, "batch"))).done();
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        assert_eq!((span.links.len(), span.dropped_links_count), (LINKS_MAX, 2));
    }
}
