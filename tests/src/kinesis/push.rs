//! The part of the double that pushes: enhanced fan-out, whose subscriptions end after a moment instead of five minutes.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::fake::{Fault, Refusal, Stream, text};

const STREAM_ARN: &str = "arn:aws:kinesis:eu-central-1:123456789012:stream/s";
/// Between two events, as the service spreads them; nothing is waited for by it.
const PAUSE: Duration = Duration::from_millis(10);
/// Events of one subscription.
const EVENTS: usize = 30;

/// A subscription to a shard.
#[derive(Debug)]
pub(super) struct Subscription {
    shard: String,
    index: usize,
    events: usize,
    last: String,
    is_over: bool,
}

/// The stream, where only its name is known.
pub(super) fn summary() -> Value {
    json!({"StreamDescriptionSummary": {
        "StreamName": "s", "StreamARN": STREAM_ARN, "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": 1_795_318_114.0, "EnhancedMonitoring": [], "OpenShardCount": 1,
    }})
}

/// The consumer; ready when it is asked for the second time.
pub(super) fn consumer(asked: &mut Option<u32>) -> Result<Value, Refusal> {
    let count = asked.as_mut().ok_or((400, "ResourceNotFoundException"))?;
    *count += 1;
    Ok(json!({"ConsumerDescription": described(if *count > 1 { "ACTIVE" } else { "CREATING" })}))
}

/// The consumer, new.
pub(super) fn registered(asked: &mut Option<u32>) -> Value {
    *asked = Some(0);
    json!({"Consumer": described("CREATING")})
}

fn described(status: &str) -> Value {
    json!({
        "ConsumerName": "w", "ConsumerARN": format!("{STREAM_ARN}/consumer/w:1"), "ConsumerStatus": status,
        "ConsumerCreationTimestamp": 1_795_318_114.0, "StreamARN": STREAM_ARN,
    })
}

/// Begins a subscription.
pub(super) fn begin(stream: &Stream, request: &Value) -> Result<Subscription, Refusal> {
    let start = request.get("StartingPosition").cloned().unwrap_or_default();
    let (shard, number) = (text(request, "ShardId"), text(&start, "SequenceNumber"));
    let index = stream.index(shard, text(&start, "Type"), number)?;
    Ok(Subscription { shard: shard.to_owned(), index, events: 0, last: number.to_owned(), is_over: false })
}

/// What a subscription pushes.
pub(super) fn pushed(stream: Arc<Mutex<Stream>>, subscription: Subscription) -> Response {
    let events = futures_util::stream::unfold((stream, subscription), async |(stream, mut subscription)| {
        let message = subscription.next(&stream)?;
        tokio::time::sleep(PAUSE).await;
        Some((message, (stream, subscription)))
    });
    ([("content-type", "application/vnd.amazon.eventstream")], Body::from_stream(events)).into_response()
}

impl Subscription {
    fn next(&mut self, stream: &Mutex<Stream>) -> Option<io::Result<Bytes>> {
        self.events += 1;
        if self.events == 1 {
            return Some(message("event", "initial-response", &json!({})));
        }
        if self.is_over || self.events > EVENTS {
            return None;
        }
        let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
        match stream.fault("an event") {
            Some(Fault::Error(_, code)) => {
                self.is_over = true;
                return Some(message("exception", code, &json!({"message": "says the double"})));
            }
            Some(_) => return Some(Err(io::Error::other("cut"))),
            None => {}
        }
        let given = stream.given(&self.shard, self.index).ok()?;
        self.index = given.next;
        self.is_over = given.is_over;
        if let Some(last) = given.records.last() {
            self.last = text(last, "SequenceNumber").to_owned();
        }
        // Where nothing was ever read, Kinesis gives a number of its own; at the end of a shard, none.
        let continues = if self.last.is_empty() { "1" } else { &self.last };
        let event = json!({
            "Records": given.records,
            "ContinuationSequenceNumber": (!given.is_over).then_some(continues),
            "MillisBehindLatest": given.behind_ms,
            "ChildShards": given.children,
        });
        Some(message("event", "SubscribeToShardEvent", &event))
    }
}

fn message(kind: &str, name: &str, payload: &Value) -> io::Result<Bytes> {
    let header = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let name_header = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let message = Message::new(payload.to_string())
        .add_header(header(":message-type", kind))
        .add_header(header(name_header, name))
        .add_header(header(":content-type", "application/json"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes.into())
}
