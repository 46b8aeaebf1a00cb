//! The shape of a CloudTrail record on the wire: the fields the engine reads for every record, borrowed, and the
//! sections it reads only when asked, unparsed.
//!
//! Unknown fields are ignored, null is absence, a field of another type than CloudTrail writes is an error, and of
//! repeated keys the last counts, as it does in `serde_json::Value` and in most other readers.

use std::borrow::Cow;

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};

use super::compact::{Compact, NotCompact, Read};

/// A string that borrows where it has no escapes.
///
/// A newtype because `Option<Cow<str>>` never borrows under `#[serde(borrow)]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    pub(super) const fn borrowed(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn into_inner(self) -> Cow<'a, str> {
        self.0
    }
}

/// The text behind an optional field.
pub(super) fn text(field: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    field.map(Text::into_inner)
}

/// A JSON value that was checked and not parsed.
pub(super) trait Raw<'a>: Sized {
    /// Its JSON text.
    fn into_text(self) -> Cow<'a, str>;
}

impl<'a> Raw<'a> for sonic_rs::LazyValue<'a> {
    fn into_text(self) -> Cow<'a, str> {
        self.as_raw_cow()
    }
}

impl<'a> Raw<'a> for &'a serde_json::value::RawValue {
    fn into_text(self) -> Cow<'a, str> {
        Cow::Borrowed(self.get())
    }
}

/// Declares a struct of optional fields read from a JSON object in which the last of repeated keys counts: by serde's
/// parsers, and by the one for compact JSON.
macro_rules! wire_struct {
    (
        $(#[$about:meta])*
        $name:ident, $keys:ident, $a:lifetime $(, $raw:ident)? {
            $($variant:ident $key:literal => $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(super) struct $name<$a $(, $raw)?> {
            $(pub(super) $field: Option<$type>,)+
            _input: std::marker::PhantomData<&$a ()>,
        }

        impl<$a $(, $raw)?> Default for $name<$a $(, $raw)?> {
            fn default() -> Self {
                Self { $($field: None,)+ _input: std::marker::PhantomData }
            }
        }

        #[derive(Deserialize)]
        #[serde(field_identifier)]
        enum $keys {
            $(#[serde(rename = $key)] $variant,)+
            #[serde(other)]
            Unknown,
        }

        impl<$a $(, $raw: Read<$a>)?> Read<$a> for $name<$a $(, $raw)?> {
            fn read(parser: &mut Compact<$a>, slot: &mut Option<Self>) -> Result<(), NotCompact> {
                let read = slot.insert(Self::default());
                parser.object(|parser, key| {
                    $(if key == $key.as_bytes() {
                        return parser.optional(&mut read.$field);
                    })+
                    parser.skip_value()
                })
            }
        }

        impl<$a $(, $raw: Deserialize<$a>)?> Deserialize<$a> for $name<$a $(, $raw)?> {
            fn deserialize<D: Deserializer<$a>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields<$a $(, $raw)?>(std::marker::PhantomData<$name<$a $(, $raw)?>>);

                impl<$a $(, $raw: Deserialize<$a>)?> Visitor<$a> for Fields<$a $(, $raw)?> {
                    type Value = $name<$a $(, $raw)?>;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<M: MapAccess<$a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                        let mut read = $name::default();
                        while let Some(key) = map.next_key()? {
                            match key {
                                $($keys::$variant => read.$field = map.next_value()?,)+
                                $keys::Unknown => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Fields(std::marker::PhantomData))
            }
        }
    };
}

wire_struct! {
    /// A CloudTrail record; `detail` is there to notice an EventBridge envelope in the same pass.
    Record, RecordKey, 'a, R {
        EventTime "eventTime" => event_time: Text<'a>,
        EventSource "eventSource" => event_source: Text<'a>,
        EventName "eventName" => event_name: Text<'a>,
        EventId "eventID" => event_id: Text<'a>,
        EventType "eventType" => event_type: Text<'a>,
        AwsRegion "awsRegion" => aws_region: Text<'a>,
        SourceIpAddress "sourceIPAddress" => source_ip: Text<'a>,
        UserAgent "userAgent" => user_agent: Text<'a>,
        ErrorCode "errorCode" => error_code: Text<'a>,
        ErrorMessage "errorMessage" => error_message: Text<'a>,
        RequestId "requestID" => request_id: Text<'a>,
        RecipientAccountId "recipientAccountId" => recipient_account_id: Text<'a>,
        UserIdentity "userIdentity" => user_identity: UserIdentity<'a>,
        SessionCredentialFromConsole "sessionCredentialFromConsole" => from_console: R,
        RequestParameters "requestParameters" => request: R,
        ResponseElements "responseElements" => response: R,
        AdditionalEventData "additionalEventData" => additional: R,
        Resources "resources" => resources: R,
        Detail "detail" => detail: R,
    }
}

wire_struct! {
    /// `userIdentity`.
    UserIdentity, UserIdentityKey, 'a {
        Type "type" => kind: Text<'a>,
        Arn "arn" => arn: Text<'a>,
        AccountId "accountId" => account_id: Text<'a>,
        AccessKeyId "accessKeyId" => access_key_id: Text<'a>,
        PrincipalId "principalId" => principal_id: Text<'a>,
        UserName "userName" => user_name: Text<'a>,
        InvokedBy "invokedBy" => invoked_by: Text<'a>,
        SessionContext "sessionContext" => session_context: SessionContext<'a>,
        OnBehalfOf "onBehalfOf" => on_behalf_of: OnBehalfOf<'a>,
    }
}

wire_struct! {
    /// `userIdentity.sessionContext`.
    SessionContext, SessionContextKey, 'a {
        SessionIssuer "sessionIssuer" => issuer: SessionIssuer<'a>,
    }
}

wire_struct! {
    /// `userIdentity.sessionContext.sessionIssuer`.
    SessionIssuer, SessionIssuerKey, 'a {
        Arn "arn" => arn: Text<'a>,
    }
}

wire_struct! {
    /// `userIdentity.onBehalfOf`.
    OnBehalfOf, OnBehalfOfKey, 'a {
        UserId "userId" => user_id: Text<'a>,
    }
}

wire_struct! {
    /// An EventBridge envelope. Which event it is, is told by `detail` first.
    Envelope, EnvelopeKey, 'a, R {
        Id "id" => id: Text<'a>,
        DetailType "detail-type" => detail_type: Text<'a>,
        Source "source" => source: Text<'a>,
        Account "account" => account: Text<'a>,
        Time "time" => time: Text<'a>,
        Region "region" => region: Text<'a>,
        Resources "resources" => resources: R,
        Detail "detail" => detail: R,
    }
}

wire_struct! {
    /// An envelope, and what would show that it is more than an envelope.
    Head, HeadKey, 'a, R {
        Detail "detail" => detail: R,
        EventName "eventName" => event_name: serde::de::IgnoredAny,
    }
}

/// An envelope around a CloudTrail record, both read in one pass; an error unless `detail` is its last field and stands
/// there once, and nothing else of a record stands beside it.
#[derive(Debug)]
pub(super) struct Enveloped<'a, R> {
    pub(super) account: Option<Text<'a>>,
    pub(super) record: Option<Record<'a, R>>,
    /// The record's own text.
    pub(super) detail: &'a str,
}

impl<'a, R: Read<'a>> Read<'a> for Enveloped<'a, R> {
    fn read(parser: &mut Compact<'a>, slot: &mut Option<Self>) -> Result<(), NotCompact> {
        let read = slot.insert(Self { account: None, record: None, detail: "" });
        parser.object(|parser, key| {
            if !read.detail.is_empty() {
                return Err(NotCompact);
            }
            match key {
                b"account" => parser.optional(&mut read.account),
                b"id" | b"detail-type" | b"source" | b"time" | b"region" => parser.optional(&mut None::<Text<'_>>),
                b"eventName" | b"eventSource" | b"eventTime" => Err(NotCompact),
                b"detail" => {
                    let start = parser.at();
                    parser.optional(&mut read.record)?;
                    read.detail = parser.text_from(start)?;
                    Ok(())
                }
                _ => parser.skip_value(),
            }
        })
    }
}

wire_struct! {
    /// `detail` of a job state change.
    JobDetail, JobDetailKey, 'a, R {
        JobArn "jobArn" => job_arn: Text<'a>,
        JobName "jobName" => job_name: Text<'a>,
        JobStatus "jobStatus" => job_status: Text<'a>,
        BatchJobArn "batchJobArn" => batch_job_arn: Text<'a>,
        BatchJobName "batchJobName" => batch_job_name: Text<'a>,
        Status "status" => status: Text<'a>,
        CreationTime "creationTime" => creation_time: R,
        LastModifiedTime "lastModifiedTime" => last_modified_time: R,
        EndTime "endTime" => end_time: R,
    }
}
