//! Bytes of one record in, an [`Activity`] out.
//!
//! The forms are told apart by what they contain: a bare CloudTrail record, an EventBridge envelope around one,
//! Bedrock's own job event, a model invocation log, this product's inventory observation, any other EventBridge event. Containers of several
//! records (`{"Records": [...]}`, CloudWatch Logs messages, JSON arrays, gzip) are not records: the service's `input`
//! takes them apart.
//!
//! One typed, borrowed parse of about twenty fields; everything else stays raw until somebody asks for it.

mod call;
mod compact;
mod error;
mod event;
mod fields;
mod identity;
mod invocation_log;
mod json;
pub mod section;
mod wire;
mod workload;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use error::DecodeError;
pub use fields::CallFields;
pub(crate) use identity::{names_provider, role_name, source_identity};
pub use identity::{via, workload};
pub use invocation_log::without_content;
pub use json::NESTING_MAX;
pub(crate) use workload::{Signs, workload as workload_of};

use crate::activity::{Activity, OtherEvent};
use json::{Json, SerdeJson, Sonic};
use wire::{Envelope, Enveloped, Head, Raw, Record};

/// Decodes one record.
///
/// # Errors
/// When the bytes are no valid event. A record without eventID is valid: its id is then `sha256:` and a hash of what
/// tells one call from another.
pub fn decode(bytes: &[u8]) -> Result<Activity<'_>, DecodeError> {
    let text = checked_text(bytes)?;
    if let Some(activity) = enveloped_call(text).or_else(|| bare_call(text)) {
        return Ok(activity);
    }
    // Before the limit of depth: prompts may nest as they like, because nobody parses them.
    if let Some(log) = invocation_log::decode(text) {
        return log.map(|log| Activity::InvocationLog(Box::new(log)));
    }
    let text = not_too_deep(text)?;
    decode_with::<Sonic>(text).or_else(|_| decode_with::<SerdeJson>(text))
}

/// The same without sonic-rs and without short cuts: what the tests hold [`decode`] against.
#[doc(hidden)]
pub fn decode_by_the_book(bytes: &[u8]) -> Result<Activity<'_>, DecodeError> {
    let text = checked_text(bytes)?;
    if let Some(log) = invocation_log::decode(text) {
        return log.map(|log| Activity::InvocationLog(Box::new(log)));
    }
    decode_with::<SerdeJson>(not_too_deep(text)?)
}

fn checked_text(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| DecodeError::NotUtf8 { at: error.valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_trimmed = text.starts_with('{') && text.ends_with('}');
    let text = if is_trimmed { text } else { text.trim_matches([' ', '\t', '\r', '\n']) };
    if text.is_empty() {
        return Err(DecodeError::Empty);
    }
    Ok(text)
}

/// The text, if it nests no deeper than the general parsers may recurse; the compact one counts for itself.
fn not_too_deep(text: &str) -> Result<&str, DecodeError> {
    if json::is_too_deep(text) { Err(DecodeError::TooDeep) } else { Ok(text) }
}

/// Decodes whatever it is, in up to three passes.
fn decode_with<P: Json>(text: &str) -> Result<Activity<'_>, DecodeError> {
    let record: Record<'_, P::Raw<'_>> = match P::parse(text) {
        Ok(record) => record,
        // An envelope is not rejected for a field that only a CloudTrail record must have in a certain type.
        Err(_) if is_envelope::<P>(text) => return enveloped::<P>(text),
        Err(error) => return Err(error),
    };
    if call::is_call(&record) {
        return Ok(Activity::Call(call::call(record, text, None)?));
    }
    match (&record.detail, &record.event_name) {
        (Some(_), None) => enveloped::<P>(text),
        _ => insight(&record).ok_or_else(|| DecodeError::NotAnEvent { missing: call::missing(&record) }),
    }
}

fn is_envelope<P: Json>(text: &str) -> bool {
    P::parse::<Head<'_, P::Raw<'_>>>(text).is_ok_and(|head| head.event_name.is_none() && head.detail.is_some())
}

/// Decodes an EventBridge envelope.
fn enveloped<P: Json>(text: &str) -> Result<Activity<'_>, DecodeError> {
    let mut envelope: Envelope<'_, P::Raw<'_>> = P::parse(text)?;
    let Some(Cow::Borrowed(detail)) = envelope.detail.take().map(Raw::into_text) else {
        return Err(DecodeError::NotAnEvent { missing: vec!["detail"] });
    };
    let by_cloudtrail = envelope.detail_type.as_ref().is_some_and(|kind| kind.as_str().ends_with("via CloudTrail"));
    let record = P::parse::<Record<'_, P::Raw<'_>>>(detail);
    match record {
        Ok(record) if call::is_call(&record) => {
            Ok(Activity::Call(call::call(record, detail, wire::text(envelope.account))?))
        }
        Ok(record) if by_cloudtrail => match insight(&record) {
            Some(insight) => Ok(insight),
            None => Err(DecodeError::NotAnEvent { missing: call::missing(&record) }),
        },
        Err(error) if by_cloudtrail => Err(error),
        // Events of other services may use the same field names for other things; they are none of our business.
        Ok(_) | Err(_) => event::event::<P>(envelope, detail),
    }
}

/// CloudTrail's own events about unusual rates, which are delivered beside the records and name no call.
fn insight<'a, R>(record: &Record<'a, R>) -> Option<Activity<'a>> {
    const INSIGHT: &str = "AwsCloudTrailInsight";
    let is_insight = record.event_type.as_ref().is_some_and(|kind| kind.as_str() == INSIGHT);
    let time = event::parse_time(record.event_time.as_ref()?.as_str())?;
    let account = wire::text(record.recipient_account_id.clone()).unwrap_or_default();
    is_insight.then_some(Activity::Other(OtherEvent { time, account, detail_type: Cow::Borrowed(INSIGHT) }))
}

/// Decodes a bare record as CloudTrail writes it.
fn bare_call(text: &str) -> Option<Activity<'_>> {
    let mut read: Option<Record<'_, compact::RawText<'_>>> = None;
    compact::parse(text, &mut read).ok()?;
    let record = read.filter(call::is_call)?;
    call::call(record, text, None).ok().map(Activity::Call)
}

/// Decodes an envelope whose last field is `detail`, as EventBridge writes it, in one pass. In any doubt the answer is
/// `None`, and the long way decides.
fn enveloped_call(text: &str) -> Option<Activity<'_>> {
    if text.starts_with(r#"{"eventVersion""#) {
        return None;
    }
    let mut read: Option<Enveloped<'_, compact::RawText<'_>>> = None;
    compact::parse(text, &mut read).ok()?;
    let Enveloped { account, record: Some(record), detail } = read? else { return None };
    if !call::is_call(&record) {
        return None;
    }
    call::call(record, detail, wire::text(account)).ok().map(Activity::Call)
}
