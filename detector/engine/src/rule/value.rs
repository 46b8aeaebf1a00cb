//! What a rule may ask of an event, and what the event answers.

use std::borrow::Cow;

use crate::time::Second;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// The event has no such field.
    Missing,
    /// The field is null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array; a test holds when it holds for an element.
    List(Vec<Self>),
    /// An object: it exists, and equals nothing.
    Object,
}

/// A field, resolved when the rule is compiled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// A field of the CloudTrail record that is decoded for every record.
    Record(RecordField),
    /// Any other field of the record: the path through its JSON.
    Path(Vec<String>),
    /// A computed field of the vocabulary, without its `watch.` prefix.
    Watch(&'static str),
    /// A computed count over a sliding window that ends with the judged second.
    Window {
        /// What is counted.
        metric: Metric,
        /// The window's length in seconds.
        seconds: u32,
    },
}

/// The fields of a CloudTrail record that are decoded for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordField {
    /// `eventSource`
    EventSource,
    /// `eventName`
    EventName,
    /// `eventID`
    EventId,
    /// `awsRegion`
    AwsRegion,
    /// `sourceIPAddress`
    SourceIpAddress,
    /// `userAgent`
    UserAgent,
    /// `errorCode`
    ErrorCode,
    /// `errorMessage`
    ErrorMessage,
    /// `userIdentity.type`
    IdentityType,
    /// `userIdentity.arn`
    IdentityArn,
    /// `userIdentity.accountId`
    IdentityAccountId,
    /// `userIdentity.accessKeyId`
    IdentityAccessKeyId,
    /// `userIdentity.principalId`
    IdentityPrincipalId,
    /// `userIdentity.userName`
    IdentityUserName,
    /// `userIdentity.invokedBy`
    IdentityInvokedBy,
    /// `userIdentity.sessionContext.sessionIssuer.arn`
    IdentityIssuerArn,
}

/// What `watch.principal.<metric>_<duration>` counts, of one principal in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Inference calls that were not throttled.
    Invocations,
    /// Inference calls of every outcome.
    Calls,
    /// Successful inference calls.
    Successes,
    /// Inference calls refused for what the caller did or is (neither throttled nor the service's failure).
    Refusals,
    /// Distinct models called.
    Models,
    /// Distinct models called that nobody in the account had called in the 30 days before the window.
    NewModels,
    /// Distinct regions called.
    Regions,
    /// Distinct regions called that the principal had not called in the 30 days before the window.
    NewRegions,
    /// Distinct models among the refused calls.
    RefusedModels,
    /// Distinct regions among the refused calls.
    RefusedRegions,
    /// Refused calls signed with a long-term key or a Bedrock API key.
    LongLivedRefusals,
    /// Calls refused with a validation error about `max_tokens`: the probe that proves access without paying.
    LimitProbes,
    /// Throttled inference calls.
    Throttled,
    /// Successful inference calls in the seconds before the judged second, which itself does not count.
    SuccessesBefore,
    /// Models enabled (PutFoundationModelEntitlement, CreateFoundationModelAgreement), successfully.
    Enablements,
    /// Tokens read, from the model invocation log.
    InputTokens,
    /// Tokens written, from the model invocation log.
    OutputTokens,
    /// Estimated cost in USD, from the model invocation log and the price table.
    CostUsd,
    /// Log records with an errorCode for what the caller did or is.
    LogErrors,
}

impl Metric {
    /// Whether it counts model invocation logs and not CloudTrail's records.
    #[must_use]
    pub const fn is_of_usage(self) -> bool {
        matches!(self, Self::InputTokens | Self::OutputTokens | Self::CostUsd | Self::LogErrors)
    }
}

/// Answers what a rule asks.
pub trait Fields {
    /// The value of `field`, [`Value::Missing`] if this kind of event has none.
    fn value(&self, field: &Field) -> Value<'_>;

    /// When the event happened, where it has a time.
    fn time(&self) -> Option<Second> {
        None
    }

    /// A number that `field` cannot exceed, if one is known more cheaply than the value.
    fn upper_bound(&self, field: &Field) -> Option<i64> {
        let _ = field;
        None
    }

    /// Calls `found` with the strings in the event until it returns true; for keyword searches.
    fn any_text(&self, _found: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }
}
