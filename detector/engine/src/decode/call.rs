//! From the wire shape of a CloudTrail record to an [`ApiCall`].

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{
    DecodeError,
    error::shorten,
    identity,
    section::is_true,
    wire::{Raw, Record, UserIdentity, text},
};
use crate::{
    activity::{ApiCall, Identity},
    time::Second,
};

/// Whether this is a CloudTrail record of a call, and not merely something with some of the same fields.
pub(super) fn is_call<R>(record: &Record<'_, R>) -> bool {
    record.event_name.is_some() && record.event_source.is_some() && record.event_time.is_some()
}

/// What a CloudTrail record must have and this one lacks.
pub(super) fn missing<R>(record: &Record<'_, R>) -> Vec<&'static str> {
    let required = [
        ("eventSource", record.event_source.is_none()),
        ("eventName", record.event_name.is_none()),
        ("eventTime", record.event_time.is_none()),
    ];
    required.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect()
}

/// Normalises a record. `json` is its own JSON text and `envelope_account` the account of the envelope around it.
pub(super) fn call<'a, R: Raw<'a>>(
    record: Record<'a, R>,
    json: &'a str,
    envelope_account: Option<Cow<'a, str>>,
) -> Result<Box<ApiCall<'a>>, DecodeError> {
    let (Some(source), Some(name), Some(time_text)) =
        (text(record.event_source), text(record.event_name), text(record.event_time))
    else {
        return Err(DecodeError::NotAnEvent { missing: vec!["eventSource", "eventName", "eventTime"] });
    };
    let time = Second::parse(&time_text)
        .ok_or_else(|| DecodeError::Time { field: "eventTime", value: shorten(&time_text) })?;
    let identity = record.user_identity.map(identity_of).unwrap_or_default();
    let account = identity::account(text(record.recipient_account_id), envelope_account, &identity);
    let principal = identity::principal(&identity, &account);
    let request = record.request.map(Raw::into_text);
    let additional = record.additional.map(Raw::into_text);
    let credential = identity::credential(&identity, [additional.as_deref(), request.as_deref()]);
    // Boxed where it is made, because it is large.
    let mut call = Box::new(ApiCall {
        event_id: Cow::Borrowed(""),
        time,
        source,
        name,
        region: text(record.aws_region).unwrap_or(Cow::Borrowed("")),
        account,
        principal,
        identity,
        source_ip: text(record.source_ip),
        user_agent: text(record.user_agent),
        error_code: text(record.error_code),
        error_message: text(record.error_message),
        credential,
        from_console: record.from_console.is_some_and(|raw| is_true(&raw.into_text())),
        request,
        response: record.response.map(Raw::into_text),
        additional,
        resources: record.resources.map(Raw::into_text),
        record: Cow::Borrowed(json),
    });
    call.event_id = match text(record.event_id) {
        Some(id) if !id.is_empty() => id,
        _ => Cow::Owned(stand_in_id(&call, &text(record.request_id).unwrap_or_default())),
    };
    Ok(call)
}

fn identity_of(wire: UserIdentity<'_>) -> Identity<'_> {
    Identity {
        kind: text(wire.kind),
        arn: text(wire.arn),
        account_id: text(wire.account_id),
        access_key_id: text(wire.access_key_id),
        principal_id: text(wire.principal_id),
        user_name: text(wire.user_name),
        invoked_by: text(wire.invoked_by),
        issuer_arn: wire.session_context.and_then(|context| context.issuer).and_then(|issuer| text(issuer.arn)),
        on_behalf_of: wire.on_behalf_of.and_then(|user| text(user.user_id)),
    }
}

/// The id of a record without eventID: a hash of what tells one call from another, so that copies of the record are
/// still recognised, whatever container each came in.
fn stand_in_id(call: &ApiCall<'_>, request_id: &str) -> String {
    let mut hash = Sha256::new();
    let time = call.time.0.to_be_bytes();
    let optional = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or_default().as_bytes().to_vec();
    let parts: [&[u8]; 11] = [
        call.source.as_bytes(),
        call.name.as_bytes(),
        &time,
        request_id.as_bytes(),
        call.region.as_bytes(),
        call.account.as_bytes(),
        call.principal.as_bytes(),
        &optional(&call.identity.access_key_id),
        &optional(&call.source_ip),
        &optional(&call.error_code),
        &optional(&call.request),
    ];
    for part in parts {
        // The length keeps neighbouring parts apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}
