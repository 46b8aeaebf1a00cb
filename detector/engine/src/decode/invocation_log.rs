//! Model invocation logs: one record of what a call read and wrote, in numbers.
//!
//! Bedrock writes them to S3 and CloudWatch Logs with the whole prompt and the whole completion inside (Amazon Bedrock
//! user guide, "Monitor model invocation using CloudWatch Logs and Amazon S3"). Only the metadata are read here: the
//! bodies are passed over by the parser without being copied, and no error says anything that stood in the record.
//! [`without_content`] rewrites a record to its metadata, so that whoever takes records in can let go of the rest
//! before anything is kept.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{DecodeError, identity};
use crate::{
    activity::{Identity, InvocationLog},
    time::Second,
};

/// What `schemaType` says.
const SCHEMA: &str = "ModelInvocationLog";
static SCHEMA_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(SCHEMA));
static CLOUDTRAIL_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("via CloudTrail"));

/// Where an envelope of CloudTrail says what it is.
const ENVELOPE_HEAD_BYTES: usize = 200;

/// What stands for a log record that cannot be read.
const UNREADABLE: &[u8] = br#"{"schemaType":"ModelInvocationLog"}"#;

/// A string that borrows where it has no escapes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A record, as far as it is read. What is not named here is passed over.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    schema_type: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    account_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    identity: Option<WireIdentity<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    region: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    operation: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    model_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error_code: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<WireInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<WireOutput>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    inference_region: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct WireIdentity<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    arn: Option<Text<'a>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireInput {
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_input_token_count: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_image_height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_image_width: Option<u64>,
}

/// What shows whether an object is a log record, or an event around one.
#[derive(Debug, Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "schemaType")]
    schema_type: Option<Text<'a>>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// Rewrites a log record to its metadata; `None` for any other record, which stays as it is.
///
/// A record that says it is one and cannot be read becomes one that [`super::decode`] rejects without a word of it.
#[must_use]
pub fn without_content(bytes: &[u8]) -> Option<Vec<u8>> {
    if !may_be_log(bytes) {
        return None;
    }
    let read = std::str::from_utf8(bytes).ok().map(|text| find(text.trim_start_matches('\u{feff}')));
    match read {
        Some(Found::Log(text)) => {
            let wire: Option<Wire<'_>> = serde_json::from_str(text).ok();
            let has_time = |wire: &Wire<'_>| wire.timestamp.as_ref().is_some_and(|at| Second::parse(&at.0).is_some());
            let reduced = wire.filter(has_time).and_then(|wire| serde_json::to_vec(&wire).ok());
            Some(reduced.unwrap_or_else(|| UNREADABLE.to_vec()))
        }
        Some(Found::Other) => None,
        Some(Found::Broken) | None => begins_as_log(bytes).then(|| UNREADABLE.to_vec()),
    }
}

/// Decodes a log record, bare or in an event; `None` when it is something else.
pub(super) fn decode(text: &str) -> Option<Result<InvocationLog<'_>, DecodeError>> {
    if !may_be_log(text.as_bytes()) {
        return None;
    }
    match find(text) {
        Found::Log(text) => Some(read(text)),
        Found::Other => None,
        Found::Broken => {
            begins_as_log(text.as_bytes()).then_some(Err(DecodeError::InvocationLog { what: "it is no valid JSON" }))
        }
    }
}

/// Whether it is worth a closer look. Nearly all records are CloudTrail's and are told by their beginning.
fn may_be_log(bytes: &[u8]) -> bool {
    if bytes.starts_with(br#"{"schemaType""#) {
        return true;
    }
    if bytes.starts_with(br#"{"eventVersion""#) {
        return false;
    }
    let head = bytes.get(..ENVELOPE_HEAD_BYTES).unwrap_or(bytes);
    CLOUDTRAIL_FINDER.find(head).is_none() && SCHEMA_FINDER.find(bytes).is_some()
}

/// Whether the first field says that it is a log record.
fn begins_as_log(bytes: &[u8]) -> bool {
    let head = bytes.get(..ENVELOPE_HEAD_BYTES).unwrap_or(bytes);
    let key = memmem::find(head, br#""schemaType""#);
    let first_quote = memchr::memchr(b'"', head);
    key.is_some() && key == first_quote && SCHEMA_FINDER.find(head).is_some()
}

/// What a text is.
enum Found<'a> {
    /// A log record: its own text.
    Log(&'a str),
    Other,
    Broken,
}

fn find(text: &str) -> Found<'_> {
    let is_schema = |head: &Head<'_>| head.schema_type.as_ref().is_some_and(|schema| schema.0 == SCHEMA);
    let Ok(head) = serde_json::from_str::<Head<'_>>(text) else { return Found::Broken };
    if is_schema(&head) {
        return Found::Log(text);
    }
    let Some(detail) = head.detail.map(RawValue::get) else { return Found::Other };
    let inner = serde_json::from_str::<Head<'_>>(detail);
    if inner.is_ok_and(|inner| is_schema(&inner)) { Found::Log(detail) } else { Found::Other }
}

fn read(text: &str) -> Result<InvocationLog<'_>, DecodeError> {
    let unreadable = |what| DecodeError::InvocationLog { what };
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|_| unreadable("a field has the wrong type"))?;
    let timestamp = wire.timestamp.ok_or_else(|| unreadable("timestamp is missing"))?;
    let time = Second::parse(&timestamp.0).ok_or_else(|| unreadable("timestamp is no time"))?;
    let inner = |field: Option<Text<'_>>| field.map(|text| text.0.into_owned()).filter(|text| !text.is_empty());
    let text_of = |field: Option<Text<'_>>| inner(field).unwrap_or_default();
    let account = text_of(wire.account_id);
    let arn = inner(wire.identity.and_then(|identity| identity.arn));
    let principal = principal_of(arn.as_deref(), &account);
    let (input, output) = (wire.input.unwrap_or_default(), wire.output.unwrap_or_default());
    let mut log = InvocationLog {
        request_id: Cow::Borrowed(""),
        time,
        account: Cow::Owned(account),
        principal: Cow::Owned(principal),
        arn: arn.map(Cow::Owned),
        region: Cow::Owned(text_of(wire.region)),
        operation: Cow::Owned(text_of(wire.operation)),
        model_id: inner(wire.model_id).map(Cow::Owned),
        error_code: inner(wire.error_code).map(Cow::Owned),
        inference_region: inner(wire.inference_region).map(Cow::Owned),
        input_tokens: input.input_token_count.unwrap_or(0),
        cache_read_tokens: input.cache_read_input_token_count.unwrap_or(0),
        cache_write_tokens: input.cache_write_input_token_count.unwrap_or(0),
        output_tokens: output.output_token_count.unwrap_or(0),
        images: u64::from(output.output_image_height.or(output.output_image_width).is_some_and(|size| size > 0)),
    };
    log.request_id = Cow::Owned(inner(wire.request_id).unwrap_or_else(|| stand_in_id(&log)));
    Ok(log)
}

/// The principal as CloudTrail's records give it, but for a role's path, which the ARN of a session does not have.
fn principal_of(arn: Option<&str>, account: &str) -> String {
    let is_session = arn.is_some_and(|arn| arn.contains(":assumed-role/"));
    let who = Identity {
        kind: is_session.then_some(Cow::Borrowed("AssumedRole")),
        arn: arn.map(Cow::Borrowed),
        ..Identity::default()
    };
    identity::principal(&who, account).into_owned()
}

/// The id of a record without `requestId`: a hash of what tells one call from another.
fn stand_in_id(log: &InvocationLog<'_>) -> String {
    let numbers = [log.input_tokens, log.cache_read_tokens, log.cache_write_tokens, log.output_tokens];
    let parts = (&log.principal, &log.region, &log.operation, &log.model_id, &log.error_code);
    let text = format!("{}{numbers:?}{parts:?}", log.time.0);
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activity, decode::decode};

    const CANARY: &str = "the-canary-sings";

    fn record(more: &str) -> String {
        format!(
            r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-11-20T10:00:00Z","accountId":"111122223333","identity":{{"arn":"arn:aws:sts::111122223333:assumed-role/app/i-1"}},"region":"us-east-1","requestId":"8b2e1f0a-0c6d-4a2e-9d57-0a1b2c3d4e5f","operation":"Converse","modelId":"us.anthropic.claude-3-haiku-20240307-v1:0","input":{{"inputContentType":"application/json","inputBodyJson":{{"eventName":"{CANARY}","messages":[{{"text":"{CANARY} \"ModelInvocationLog\""}}]}},"inputTokenCount":12,"cacheReadInputTokenCount":7}},"output":{{"outputBodyJson":"{CANARY}","outputTokenCount":34}},"requestMetadata":{{"note":"{CANARY}"}}{more}}}"#
        )
    }

    fn log(bytes: &[u8]) -> InvocationLog<'_> {
        match decode(bytes) {
            Ok(Activity::InvocationLog(log)) => *log,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn reads_the_numbers_and_nothing_else() {
        let check = |text: &str| {
            let whole = log(text.as_bytes());
            assert_eq!((whole.input_tokens, whole.cache_read_tokens, whole.output_tokens), (12, 7, 34), "{text}");
            assert_eq!(whole.principal, "arn:aws:iam::111122223333:role/app");
            assert!(!format!("{whole:?}").contains(CANARY));
            let reduced = without_content(text.as_bytes()).expect("a log record");
            assert!(!String::from_utf8_lossy(&reduced).contains(CANARY));
            assert_eq!(log(&reduced), whole);
            assert_eq!(without_content(&reduced).as_ref(), Some(&reduced), "a fixed point");
        };
        let bare = record("");
        check(&bare);
        check(&bare.replace(r#"{"schemaType""#, "{\n  \"schemaType\""));
        check(&bare.replacen(r#""schemaType":"ModelInvocationLog","#, "", 1).replacen(
            r#""region""#,
            r#""schemaType":"ModelInvocationLog","region""#,
            1,
        ));
        check(&format!(r#"{{"version":"0","id":"e","source":"custom","detail-type":"x","detail":{bare}}}"#));
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        check(&bare.replacen(r#""messages""#, &format!(r#""deep":{deep},"messages""#), 1));
    }

    #[test]
    fn leaves_other_records_alone() {
        let check = |text: &str| assert_eq!(without_content(text.as_bytes()), None, "{text}");
        check(r#"{"eventVersion":"1.11","userAgent":"ModelInvocationLog"}"#);
        check(r#"{"userAgent":"ModelInvocationLog","eventName":"x"}"#);
        check(r#"{"detail":{"userAgent":"ModelInvocationLog"}}"#);
        check("ModelInvocationLog");
        check("{}");
    }

    #[test]
    fn rejects_without_a_word_of_it() {
        let check = |text: &str, expected: &str| {
            let reduced = without_content(text.as_bytes()).expect("a log record");
            for bytes in [text.as_bytes(), &reduced] {
                let error = decode(bytes).expect_err("it is broken").to_string();
                assert!(!error.contains(CANARY) && error.contains("invocation log"), "{error}");
            }
            assert!(!String::from_utf8_lossy(&reduced).contains(CANARY), "{expected}");
            assert!(decode(text.as_bytes()).expect_err("broken").to_string().contains(expected), "{text}");
        };
        let with = |from: &str, to: &str| record("").replacen(from, to, 1);
        check(&with("2026-11-20T10:00:00Z", CANARY), "no time");
        check(&with(r#""timestamp":"2026-11-20T10:00:00Z","#, ""), "missing");
        check(&with(":12,", &format!(":\"{CANARY}\",")), "wrong type");
        check(&with(r#""modelId":"us"#, &format!(r#""modelId":{{"{CANARY}":1}},"x":"us"#)), "wrong type");
        let whole = record("");
        check(whole.get(..whole.len() - 60).expect("long enough"), "no valid JSON");
    }
}
