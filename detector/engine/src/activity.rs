//! One thing that happened, as the engine sees it: the typed, borrowed result of decoding a record.
//!
//! Everything here is already normalised (account, principal, credential). Raw JSON sections stay unparsed until a
//! rule or the world asks for them.

use std::borrow::Cow;

use crate::{bedrock::Credential, detector_observation::DetectorObservation, observation::Observation, time::Second};

/// A decoded record.
#[derive(Debug, Clone)]
pub enum Activity<'a> {
    /// An AWS API call (or service event, or sign-in) reported by CloudTrail.
    Call(Box<ApiCall<'a>>),
    /// Bedrock's own event about a customization or batch inference job; it does not come from CloudTrail.
    JobState(Box<JobStateChange<'a>>),
    /// What AWS answered when asked about its resources.
    Inventory(Box<Observation>),
    /// What the daemon noticed about its own protection.
    Detector(Box<DetectorObservation>),
    /// What a model invocation log says about one call, without its prompt and completion.
    InvocationLog(Box<InvocationLog<'a>>),
    /// A well-formed event that this product has no use for.
    Other(OtherEvent<'a>),
}

/// A CloudTrail record.
///
/// Field meanings: AWS CloudTrail user guide, "CloudTrail record contents".
#[derive(Debug, Clone)]
pub struct ApiCall<'a> {
    /// `eventID`: unique, the key for telling copies apart.
    pub event_id: Cow<'a, str>,
    /// `eventTime`, cut to the second.
    pub time: Second,
    /// `eventSource`, for example `bedrock.amazonaws.com`.
    pub source: Cow<'a, str>,
    /// `eventName`.
    pub name: Cow<'a, str>,
    /// `awsRegion`; for global services `us-east-1`.
    pub region: Cow<'a, str>,
    /// The account acted upon: `recipientAccountId`, else the envelope's `account`, else `userIdentity.accountId`,
    /// else empty.
    pub account: Cow<'a, str>,
    /// The normalised principal: one string for one actor, see `identity.rs`.
    pub principal: Cow<'a, str>,
    /// Who called.
    pub identity: Identity<'a>,
    /// `sourceIPAddress`; may be a service name.
    pub source_ip: Option<Cow<'a, str>>,
    /// `userAgent`.
    pub user_agent: Option<Cow<'a, str>>,
    /// `errorCode`; absent when the call succeeded.
    pub error_code: Option<Cow<'a, str>>,
    /// `errorMessage`.
    pub error_message: Option<Cow<'a, str>>,
    /// What kind of credential signed the call.
    pub credential: Credential,
    /// Whether a console session made the call (`sessionCredentialFromConsole`).
    pub from_console: bool,
    /// `requestParameters`, as JSON text; `None` when absent or null.
    pub request: Option<Cow<'a, str>>,
    /// `responseElements`, as JSON text; `None` when absent or null.
    pub response: Option<Cow<'a, str>>,
    /// `additionalEventData`, as JSON text; `None` when absent or null.
    pub additional: Option<Cow<'a, str>>,
    /// `resources`, as JSON text; `None` when absent or null.
    pub resources: Option<Cow<'a, str>>,
    /// The whole CloudTrail record (without an EventBridge envelope), as JSON text, for rules that name other fields.
    pub record: Cow<'a, str>,
}

/// `userIdentity`, as far as anything needs it.
#[derive(Debug, Clone, Default)]
pub struct Identity<'a> {
    /// `type`: `IAMUser`, `AssumedRole`, `Root`, `AWSService`, ...
    pub kind: Option<Cow<'a, str>>,
    /// `arn`.
    pub arn: Option<Cow<'a, str>>,
    /// `accountId`.
    pub account_id: Option<Cow<'a, str>>,
    /// `accessKeyId`.
    pub access_key_id: Option<Cow<'a, str>>,
    /// `principalId`; for an assumed role `ROLEID:SESSION`.
    pub principal_id: Option<Cow<'a, str>>,
    /// `userName`.
    pub user_name: Option<Cow<'a, str>>,
    /// `invokedBy`.
    pub invoked_by: Option<Cow<'a, str>>,
    /// `sessionContext.sessionIssuer.arn`: the role behind a session.
    pub issuer_arn: Option<Cow<'a, str>>,
    /// `onBehalfOf.userId`: an Identity Center user.
    pub on_behalf_of: Option<Cow<'a, str>>,
}

impl Identity<'_> {
    /// The session name of an assumed role: what follows the colon of `principalId`, else the ARN's last segment.
    #[must_use]
    pub fn session_name(&self) -> Option<&str> {
        if self.kind.as_deref() != Some("AssumedRole") {
            return None;
        }
        let of_id = self.principal_id.as_deref().and_then(|id| {
            let colon = memchr::memchr(b':', id.as_bytes())?;
            id.get(colon.saturating_add(1)..)
        });
        of_id.or_else(|| self.arn.as_deref().and_then(|arn| arn.rsplit_once('/')).map(|(_, session)| session))
    }
}

/// Bedrock's event `Model Customization Job State Change` or `Batch Inference Job State Change` (Amazon Bedrock user
/// guide, "Monitor ... using EventBridge").
#[derive(Debug, Clone)]
pub struct JobStateChange<'a> {
    /// Whether it is about a batch inference job; otherwise it is about a customization job.
    pub batch: bool,
    /// The envelope's `id`.
    pub envelope_id: Cow<'a, str>,
    /// The envelope's `time`.
    pub time: Second,
    /// The envelope's `account`.
    pub account: Cow<'a, str>,
    /// The envelope's `region`.
    pub region: Cow<'a, str>,
    /// `detail.jobArn` or `detail.batchJobArn`, else the first of `resources`.
    pub job_arn: Cow<'a, str>,
    /// `detail.jobName` or `detail.batchJobName`.
    pub job_name: Option<Cow<'a, str>>,
    /// `detail.jobStatus`: `InProgress`, `Completed`, `Failed`, `Stopping`, `Stopped`; of a batch job `detail.status`,
    /// which knows `Submitted`, `Validating`, `Scheduled`, `PartiallyCompleted` and `Expired` as well.
    pub status: Cow<'a, str>,
    /// `detail.creationTime`.
    pub created_at: Option<Second>,
    /// `detail.lastModifiedTime`.
    pub modified_at: Option<Second>,
    /// `detail.endTime`.
    pub ended_at: Option<Second>,
    /// `detail`, as JSON text: role, base model and S3 locations are read from it when they are needed.
    pub detail: Cow<'a, str>,
}

/// The metadata of a model invocation log record (Amazon Bedrock user guide, "Model invocation logging").
///
/// There is deliberately no place here for what was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationLog<'a> {
    /// `requestId`: that of the CloudTrail record of the same call; the key for telling copies apart.
    pub request_id: Cow<'a, str>,
    /// `timestamp`, cut to the second.
    pub time: Second,
    /// `accountId`.
    pub account: Cow<'a, str>,
    /// The normalised principal, in which a role has no path, because the ARN of a session has none.
    pub principal: Cow<'a, str>,
    /// `identity.arn`.
    pub arn: Option<Cow<'a, str>>,
    /// `region`.
    pub region: Cow<'a, str>,
    /// `operation`: `InvokeModel`, `Converse`, ...
    pub operation: Cow<'a, str>,
    /// `modelId`.
    pub model_id: Option<Cow<'a, str>>,
    /// `errorCode`; absent when the call succeeded.
    pub error_code: Option<Cow<'a, str>>,
    /// `inferenceRegion`: where a cross-region profile sent the call.
    pub inference_region: Option<Cow<'a, str>>,
    /// `input.inputTokenCount`, in tokens.
    pub input_tokens: u64,
    /// `input.cacheReadInputTokenCount`, in tokens.
    pub cache_read_tokens: u64,
    /// `input.cacheWriteInputTokenCount`, in tokens.
    pub cache_write_tokens: u64,
    /// `output.outputTokenCount`, in tokens.
    pub output_tokens: u64,
    /// Images made: 1 when the output has a size in pixels.
    pub images: u64,
}

/// An EventBridge event that is neither CloudTrail's nor one the engine knows.
#[derive(Debug, Clone)]
pub struct OtherEvent<'a> {
    /// The envelope's `time`.
    pub time: Second,
    /// The envelope's `account`.
    pub account: Cow<'a, str>,
    /// The envelope's `detail-type`.
    pub detail_type: Cow<'a, str>,
}

impl Activity<'_> {
    /// When it happened, in event time.
    #[must_use]
    pub fn time(&self) -> Second {
        match self {
            Self::Call(call) => call.time,
            Self::JobState(change) => change.time,
            Self::Inventory(observation) => observation.at,
            Self::Detector(observation) => observation.at,
            Self::InvocationLog(log) => log.time,
            Self::Other(other) => other.time,
        }
    }

    /// The account it happened in; empty if the record does not say.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Call(call) => &call.account,
            Self::JobState(change) => &change.account,
            Self::Inventory(observation) => &observation.account,
            Self::Detector(observation) => &observation.account,
            Self::InvocationLog(log) => &log.account,
            Self::Other(other) => &other.account,
        }
    }
}
