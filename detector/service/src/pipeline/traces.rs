//! What the loop says of batches and alerts in traces.
//!
//! A batch is a trace of its own; it is sent when it changed an alert, or by chance. An alert's trace begins with the
//! batch that raised it, and every later change is a span in it; both lead to the batches that the alert rests on by
//! links. Nothing is remembered or made when nothing is traced.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock},
};

use bedrock_watch_engine::alert::ChangeKind;
use jiff::Timestamp;
use memchr::memmem;
use opentelemetry::trace::SpanContext;

use crate::{
    source::{Kept, Outcome},
    store::{Change, Recorded},
    telemetry::{
        Draft, Telemetry,
        ids::{new_span, new_trace, root_of, span, trace_of},
    },
};

/// Events of which it is remembered in which batch they came: those of the last minutes, in about four megabytes.
const EVENTS_MAX: usize = 16_384;
/// The longest event id that is remembered, in bytes; CloudTrail's have 36.
const EVENT_ID_BYTES_MAX: usize = 64;

/// In which batch events came.
#[derive(Debug, Default)]
pub(super) struct BatchesOfEvents {
    batches: HashMap<Arc<str>, SpanContext>,
    oldest_first: VecDeque<Arc<str>>,
}

impl BatchesOfEvents {
    /// A record was judged that came in a batch.
    pub(super) fn note(&mut self, record: &[u8], batch: &SpanContext) {
        let Some(id) = event_id(record) else { return };
        if self.batches.contains_key(id) {
            // A copy: what counts is the first.
            return;
        }
        if self.oldest_first.len() >= EVENTS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.batches.remove(&oldest);
        }
        let id: Arc<str> = Arc::from(id);
        self.oldest_first.push_back(Arc::clone(&id));
        self.batches.insert(id, batch.clone());
    }

    /// The batches of these events, each once, in the order of the events.
    pub(super) fn of(&self, events: &[String]) -> Vec<SpanContext> {
        let mut found = Vec::new();
        for batch in events.iter().filter_map(|event| self.batches.get(event.as_str())) {
            if !found.contains(batch) {
                found.push(batch.clone());
            }
        }
        found
    }
}

/// The `eventID` of a record, as it stands there.
fn event_id(record: &[u8]) -> Option<&str> {
    static NAME: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("\"eventID\""));
    let at = NAME.find(record)?.saturating_add(NAME.needle().len());
    let rest = record.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().take(EVENT_ID_BYTES_MAX.saturating_add(1)).position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

/// A batch, or the passing of time, on its way through the loop.
#[derive(Debug)]
pub(super) struct Trace {
    /// The batch's own; of the passing of time there is none.
    batch: Option<BatchTrace>,
    received: Timestamp,
    began: Timestamp,
    judged: Timestamp,
    /// For each change, the batches it rests on beside this one.
    rests_on: Vec<Vec<SpanContext>>,
}

#[derive(Debug)]
struct BatchTrace {
    context: SpanContext,
    source: Arc<str>,
    position: Option<String>,
    records: u64,
    bytes: u64,
    outcome: Outcome,
}

/// A batch that is being judged, while something is traced.
#[derive(Debug)]
pub(super) struct Tracing {
    /// The batch's span.
    pub(super) context: SpanContext,
    source: Arc<str>,
    position: Option<String>,
    records: u64,
    bytes: u64,
    received: Timestamp,
}

impl Tracing {
    /// A batch begins to be judged.
    pub(super) fn of(telemetry: &Telemetry, batch: &crate::source::Batch) -> Option<Self> {
        if !telemetry.spans.is_on() {
            return None;
        }
        Some(Self {
            context: new_span(new_trace(), telemetry.spans.samples()),
            source: Arc::clone(&batch.source),
            position: match &batch.kept {
                Kept::At(position) => Some(position.clone()),
                Kept::Journal | Kept::Nowhere => None,
            },
            records: batch.records.len().try_into().unwrap_or(u64::MAX),
            bytes: batch.records.bytes().try_into().unwrap_or(u64::MAX),
            received: batch.received,
        })
    }

    /// It is judged.
    pub(super) fn judged(
        self,
        (began, judged): (Timestamp, Timestamp),
        outcome: Outcome,
        rests_on: Vec<Vec<SpanContext>>,
    ) -> Trace {
        let Self { context, source, position, records, bytes, received } = self;
        // What an alert leads to is there.
        let sampled = context.is_sampled() || !rests_on.is_empty();
        let context = span(context.trace_id(), context.span_id(), sampled);
        let batch = Some(BatchTrace { context, source, position, records, bytes, outcome });
        Trace { batch, received, began, judged, rests_on }
    }
}

impl Trace {
    /// Time passed.
    pub(super) fn of_time(telemetry: &Telemetry, began: Timestamp, rests_on: Vec<Vec<SpanContext>>) -> Option<Self> {
        let judged = Timestamp::now();
        let is_traced = telemetry.spans.is_on() && !rests_on.is_empty();
        is_traced.then_some(Self { batch: None, received: began, began, judged, rests_on })
    }

    /// How many changes it caused.
    pub(super) const fn changes(&self) -> usize {
        self.rests_on.len()
    }

    /// Everything it caused is stored: says so, of the batch and of each alert.
    pub(super) fn stored<'a>(
        &self,
        telemetry: &Telemetry,
        changes: impl Iterator<Item = (&'a Change, &'a Recorded)>,
        stored: Timestamp,
    ) {
        if let Some(batch) = self.batch.as_ref().filter(|batch| batch.context.is_sampled()) {
            telemetry.trace(batch.span((self.received, stored)));
            self.stages(telemetry, &batch.context, stored);
        }
        for ((change, recorded), rests_on) in changes.zip(&self.rests_on) {
            if let Recorded::Revision(revision) = recorded {
                self.alert(telemetry, (change, *revision), rests_on, stored);
            }
        }
    }

    /// The spans of a change within its alert's trace.
    fn alert(
        &self,
        telemetry: &Telemetry,
        (change, revision): (&Change, u32),
        rests_on: &[SpanContext],
        stored: Timestamp,
    ) {
        let alert = &change.alert;
        let trace = trace_of(&alert.id);
        let root = root_of(trace);
        let is_first = revision == 1;
        let context = if is_first { span(trace, root, true) } else { new_span(trace, true) };
        let own = self.batch.as_ref().map(|batch| &batch.context);
        let others = rests_on.iter().filter(|other| own.is_none_or(|own| own.span_id() != other.span_id()));
        let links = own.into_iter().map(|own| (own, "came with")).chain(others.map(|other| (other, "rests on")));
        let draft = Draft::new(name(change.kind), context.clone(), (self.received, stored))
            .text("bedrock_watch.alert.id", &alert.id)
            .text("bedrock_watch.alert.rule", &alert.rule)
            .text("bedrock_watch.alert.severity", alert.severity.as_str())
            .text("bedrock_watch.alert.status", alert.status.as_str())
            .number("bedrock_watch.alert.revision", u64::from(revision))
            .number("bedrock_watch.alert.events", alert.event_count)
            .text("cloud.provider", "aws")
            .text("cloud.account.id", &alert.account)
            .maybe_text("cloud.region", alert.region.as_deref())
            .linked(links.map(|(to, why)| (to.clone(), why)));
        telemetry.trace(if is_first { draft } else { draft.within(root) });
        self.stages(telemetry, &context, stored);
    }

    /// The stages as parts of a span.
    fn stages(&self, telemetry: &Telemetry, parent: &SpanContext, stored: Timestamp) {
        let stage = |name: &'static str, from, to| {
            let at = new_span(parent.trace_id(), parent.is_sampled());
            Draft::new(name, at, (from, to)).within(parent.span_id())
        };
        if let Some(batch) = &self.batch {
            let receive = stage("receive", self.received, self.began).consumer();
            telemetry.trace(batch.described(receive, "receive"));
        }
        telemetry.trace(stage("judge", self.began, self.judged));
        telemetry.trace(stage("store", self.judged, stored));
    }
}

impl BatchTrace {
    fn span(&self, times: (Timestamp, Timestamp)) -> Draft {
        let span = Draft::new("process batch", self.context.clone(), times).consumer();
        self.described(span, "process")
            .number("bedrock_watch.batch.accepted", self.outcome.accepted)
            .number("bedrock_watch.batch.rejected", self.outcome.rejected)
    }

    /// Where the batch came from; of what is a message queue, by the conventions for messaging.
    fn described(&self, span: Draft, operation: &str) -> Draft {
        let span = span
            .text("bedrock_watch.source", &self.source)
            .number("bedrock_watch.batch.records", self.records)
            .number("bedrock_watch.batch.bytes", self.bytes)
            .maybe_text("bedrock_watch.batch.position", self.position.as_deref());
        let Some((kind, place)) = self.source.split_once(' ') else { return span };
        let (system, destination, partition) = match (kind, place.rsplit_once('/')) {
            ("kinesis", Some((stream, shard))) => ("aws_kinesis", stream, Some(shard)),
            ("kinesis", None) => ("aws_kinesis", place, None),
            ("sqs" | "s3", _) => ("aws_sqs", place, None),
            _ => return span,
        };
        span.text("messaging.system", system)
            .text("messaging.operation.name", operation)
            .text("messaging.operation.type", operation)
            .text("messaging.destination.name", destination)
            .maybe_text("messaging.destination.partition.id", partition)
            .number("messaging.batch.message_count", self.records)
    }
}

const fn name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Fired => "alert fired",
        ChangeKind::Updated => "alert updated",
        ChangeKind::Resolved => "alert resolved",
        ChangeKind::Withdrawn => "alert withdrawn",
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::Value;

    use super::*;

    #[test]
    fn finds_event_ids() {
        let check =
            |record: &str, expected: Option<&str>| assert_eq!(event_id(record.as_bytes()), expected, "{record}");
        check(r#"{"eventID":"e-1","x":1}"#, Some("e-1"));
        check("{\"detail\":{\"eventID\" :\n \"e-2\"}}", Some("e-2"));
        check(r#"{"eventID":7}"#, None);
        check(r#"{"eventID":"no end"#, None);
        check(r#"{}"#, None);
        check(&format!(r#"{{"eventID":"{}"}}"#, "x".repeat(EVENT_ID_BYTES_MAX + 1)), None);
    }

    #[test]
    fn says_where_batches_come_from() {
        let check = |source: &str, expected: &[(&str, &str)]| {
            let batch = BatchTrace {
                context: new_span(new_trace(), true),
                source: Arc::from(source),
                position: None,
                records: 3,
                bytes: 4,
                outcome: Outcome::default(),
            };
            let span = batch.span((Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)).done();
            let texts = span.attributes.iter().filter_map(|attribute| match &attribute.value {
                Value::String(text) => Some((attribute.key.as_str(), text.as_str())),
                _ => None,
            });
            let messaging: Vec<_> = texts.filter(|(key, _)| key.starts_with("messaging.")).collect();
            assert_eq!(messaging, expected, "{source}");
        };
        let kinesis = ("messaging.system", "aws_kinesis");
        let (name, process) = (("messaging.operation.name", "process"), ("messaging.operation.type", "process"));
        let shard = ("messaging.destination.partition.id", "shardId-1");
        check("kinesis s/shardId-1", &[kinesis, name, process, ("messaging.destination.name", "s"), shard]);
        check("sqs q", &[("messaging.system", "aws_sqs"), name, process, ("messaging.destination.name", "q")]);
        check("http", &[]);
        check("file /var/log/a.jsonl", &[]);
    }

    #[test]
    fn remembers_the_first_batch_of_the_last_events() {
        let mut batches = BatchesOfEvents::default();
        let context = |number: usize| new_span(trace_of(&number.to_string()), false);
        let record = |number: usize| format!(r#"{{"eventID":"{number}"}}"#).into_bytes();
        for number in 0..EVENTS_MAX + 2 {
            batches.note(&record(number), &context(number));
        }
        let last = context(7);
        batches.note(&record(EVENTS_MAX + 2), &last);
        batches.note(&record(EVENTS_MAX + 2), &context(8));
        batches.note(&record(EVENTS_MAX + 3), &last);
        assert!(batches.batches.len() == EVENTS_MAX && batches.oldest_first.len() == EVENTS_MAX);
        let ids = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(batches.of(&ids(&[0, 1])), []);
        assert_eq!(batches.of(&ids(&[EVENTS_MAX + 3, EVENTS_MAX + 2])), [last]);
    }
}
