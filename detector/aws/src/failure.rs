//! What a call that AWS did not answer well means: of what kind the failure is, and what a person can do about it.

use std::{error::Error, fmt, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bedrock_watch_service::format::visible;

/// The longest message of AWS that is passed on, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 300;
/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Of what kind a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Too much was asked in too short a time.
    Throttled,
    /// The credentials are missing, expired or may not do this.
    Denied,
    /// What was asked for is not there.
    Missing,
    /// The request itself is wrong and will stay so.
    Invalid,
    /// AWS could not be reached, or did not answer in time.
    Unreachable,
    /// AWS failed.
    Service,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Of what kind.
    pub(crate) kind: Kind,
    /// AWS's word for it, where it gave one.
    pub(crate) code: String,
    /// What AWS or the network said.
    pub(crate) message: String,
    /// Whether AWS may have done what it was asked nevertheless.
    pub(crate) may_have_happened: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.is_empty(), self.message.is_empty()) {
            (true, _) => formatter.write_str(&self.message),
            (false, true) => formatter.write_str(&self.code),
            (false, false) => write!(formatter, "{}: {}", self.code, self.message),
        }
    }
}

impl Failure {
    /// What an error of the SDK is.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(service) => {
                let (code, message) = (service.err().code(), service.err().message());
                Self::answered(service.raw().status().as_u16(), code.unwrap_or_default(), message.unwrap_or_default())
            }
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                let message = format!("the answer {status} cannot be read: {}", innermost(error));
                Self { may_have_happened: true, ..Self::answered(status, "", &message) }
            }
            SdkError::TimeoutError(_) => Self::unreachable("no answer in time", true),
            SdkError::ConstructionFailure(_) => Self {
                kind: Kind::Invalid,
                code: String::new(),
                message: cut(&format!("the request cannot be made: {}", innermost(error))),
                may_have_happened: false,
            },
            // The SDK finds out here that it has no credentials.
            SdkError::DispatchFailure(failure) if failure.is_other() || failure.is_user() => Self {
                kind: Kind::Denied,
                ..Self::unreachable(&format!("the request was not sent: {}", innermost(error)), false)
            },
            other => Self::unreachable(&innermost(other), true),
        }
    }

    /// What an answer with this status, code and message is.
    pub(crate) fn answered(status: u16, code: &str, message: &str) -> Self {
        // Some services put a namespace before the code.
        let code = code.rsplit('#').next().unwrap_or(code);
        let said = if code.is_empty() { format!("status {status}") } else { code.to_owned() };
        let kind = kind(status, code);
        let may_have_happened = kind == Kind::Service;
        Self { kind, code: cut(&said), message: cut(message), may_have_happened }
    }

    /// No answer.
    pub(crate) fn unreachable(message: &str, may_have_happened: bool) -> Self {
        Self { kind: Kind::Unreachable, code: String::new(), message: cut(message), may_have_happened }
    }
}

fn kind(status: u16, code: &str) -> Kind {
    let holds = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if status == 429
        || holds(&["hrottl", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded", "SlowDown", "OverLimit"])
    {
        return Kind::Throttled;
    }
    if holds(&["NoSuch", "NotFound", "NonExistent", "DoesNotExist"]) || status == 404 {
        return Kind::Missing;
    }
    let denied = ["AccessDenied", "Unauthorized", "NotAuthorized", "AuthorizationError", "ExpiredToken", "Signature"];
    let unknown =
        ["InvalidClientTokenId", "UnrecognizedClient", "InvalidAccess", "MissingAuthentication", "OptInRequired"];
    if status == 401 || status == 403 || holds(&denied) || holds(&unknown) {
        return Kind::Denied;
    }
    match status {
        // A bucket of another region answers so.
        300..=399 => Kind::Missing,
        500..=599 => Kind::Service,
        // AWS lets clocks, and requests that took too long to arrive, be tried again.
        _ if holds(&["RequestTimeout", "RequestExpired", "InternalFailure", "InternalError", "ServiceUnavailable"]) => {
            Kind::Service
        }
        _ => Kind::Invalid,
    }
}

fn cut(message: &str) -> String {
    visible(message).chars().take(MESSAGE_CHARACTERS_MAX).collect()
}

/// The innermost reason, which is the one people can act on.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The pauses after one failure after the other: they double, and are spread so that many do not come at once.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// It works again.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// How often it failed in a row.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// It failed: how long to wait.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_code_and_status() {
        let check = |status: u16, code: &str, expected: Kind| {
            let failure = Failure::answered(status, code, "");
            assert_eq!(failure.kind, expected, "{status} {code}");
        };
        check(400, "ThrottlingException", Kind::Throttled);
        check(400, "com.amazonaws.sqs#RequestThrottled", Kind::Throttled);
        check(503, "SlowDown", Kind::Throttled);
        check(429, "", Kind::Throttled);
        check(400, "AWS.SimpleQueueService.NonExistentQueue", Kind::Missing);
        check(400, "QueueDoesNotExist", Kind::Missing);
        check(404, "NoSuchKey", Kind::Missing);
        check(301, "PermanentRedirect", Kind::Missing);
        check(400, "ResourceNotFoundException", Kind::Missing);
        check(403, "AccessDenied", Kind::Denied);
        check(400, "AccessDeniedException", Kind::Denied);
        check(400, "ExpiredTokenException", Kind::Denied);
        check(400, "UnrecognizedClientException", Kind::Denied);
        check(403, "SignatureDoesNotMatch", Kind::Denied);
        check(400, "ValidationException", Kind::Invalid);
        check(413, "", Kind::Invalid);
        check(500, "InternalFailure", Kind::Service);
        check(400, "RequestTimeout", Kind::Service);
    }

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew() {
        let mut pauses = Pauses::default();
        for failures in 0..40_u32 {
            let most = PAUSE_MIN.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
            let pause = pauses.next();
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        pauses.reset();
        assert!(pauses.next() <= PAUSE_MIN);
    }
}
