//! Takes the record out of an event of a CloudWatch Logs subscription message.

use std::borrow::Cow;

use serde::Deserialize;

/// One of `logEvents`.
#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Puts the `message` of a log event into `into`.
pub(super) fn unwrap(event: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
    let event: LogEvent<'_> =
        serde_json::from_slice(event).map_err(|error| format!("not a log event with a message: {error}"))?;
    let message = event.message.trim();
    if !message.starts_with('{') {
        return Err("the log event's message is no JSON object".to_owned());
    }
    into.clear();
    into.extend_from_slice(message.as_bytes());
    Ok(())
}
