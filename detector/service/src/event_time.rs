//! When a record says that it happened, found as cheaply as possible.

use bedrock_watch_engine::{Second, decode::decode, prefilter::peek};

/// The record's event time; `None` when it is no valid event.
pub(crate) fn event_time(record: &[u8]) -> Option<Second> {
    match peek(record) {
        Some(peeked) => Some(peeked.time),
        None => decode(record).ok().map(|activity| activity.time()),
    }
}
