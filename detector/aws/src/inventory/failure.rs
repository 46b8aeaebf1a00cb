//! Why AWS did not answer, and what to do about it.
//!
//! A place that fails is named and left out; it never stops the others.

use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};

use super::places::Target;

/// The longest text of an error that is kept, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// What kind of failure it is, because each asks for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The credentials may not make this call.
    Denied,
    /// The account's role cannot be assumed, or there are no credentials.
    Credentials,
    /// The account has not enabled the region.
    NotEnabled,
    /// Too many calls.
    Throttled,
    /// The service has no address in the region.
    NoEndpoint,
    /// No answer in time, or no connection.
    Unreachable,
    /// What was asked for does not exist.
    NotFound,
    /// Anything else.
    Other,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) target: Target,
    /// `service:Operation`, as in a policy.
    pub(crate) call: &'static str,
    pub(crate) cause: Cause,
    text: String,
}

impl Failure {
    /// What an SDK says of a call.
    pub(crate) fn of<E, R>(target: &Target, call: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug,
    {
        let text = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        let cause = cause(error.code(), matches!(error, SdkError::TimeoutError(_)), &text);
        Self::new(target, call, cause, &text)
    }

    /// Something else that went wrong.
    pub(crate) fn new(target: &Target, call: &'static str, cause: Cause, text: &str) -> Self {
        let text = bedrock_watch_service::format::visible(text).chars().take(TEXT_CHARS_MAX).collect();
        Self { target: target.clone(), call, cause, text }
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> String {
        let Target { account, region, .. } = &self.target;
        match self.cause {
            Cause::Denied => format!("allow {} to the role that asks in account {account}", self.call),
            Cause::Credentials => format!(
                "check role_arn and external_id of account {account}, and that its role trusts the one that asks"
            ),
            Cause::NotEnabled => format!("enable {region} in account {account}, or leave it out of `regions`"),
            Cause::Throttled => "lower calls_per_s in [aws], or ask less often".to_owned(),
            Cause::NoEndpoint => format!("leave {region} out of `regions`: the service has no address there"),
            Cause::Unreachable => "check the network, proxies and VPC endpoints on the way to AWS".to_owned(),
            Cause::NotFound | Cause::Other => "it is tried again with the next inventory".to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} failed: {}; {}", self.target, self.call, self.text, self.advice())
    }
}

fn cause(code: Option<&str>, timed_out: bool, text: &str) -> Cause {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized") => Cause::Denied,
        Some("AuthFailure" | "UnrecognizedClientException" | "InvalidClientTokenId" | "OptInRequired") => {
            Cause::NotEnabled
        }
        Some("ExpiredToken" | "ExpiredTokenException" | "InvalidSignatureException" | "SignatureDoesNotMatch") => {
            Cause::Credentials
        }
        Some("ResourceNotFoundException") => Cause::NotFound,
        Some(code)
            if code.contains("hrottl") || code == "RequestLimitExceeded" || code == "TooManyRequestsException" =>
        {
            Cause::Throttled
        }
        Some(_) => Cause::Other,
        None if has(&["AssumeRole", "assume role", "credentials", "Credentials"]) => Cause::Credentials,
        None if has(&["dns error", "failed to lookup address"]) => Cause::NoEndpoint,
        None if timed_out || has(&["dispatch failure", "timeout", "connect"]) => Cause::Unreachable,
        None => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, cause};

    #[test]
    fn tells_failures_apart() {
        let check = |code: Option<&str>, text: &str, expected: Cause| {
            assert_eq!(cause(code, false, text), expected, "{code:?} {text}");
        };
        check(Some("AccessDeniedException"), "", Cause::Denied);
        check(Some("UnauthorizedOperation"), "", Cause::Denied);
        check(Some("AuthFailure"), "", Cause::NotEnabled);
        check(Some("ThrottlingException"), "", Cause::Throttled);
        check(Some("RequestLimitExceeded"), "", Cause::Throttled);
        check(Some("ValidationException"), "credentials", Cause::Other);
        check(None, "dispatch failure: could not load credentials: AssumeRole: AccessDenied", Cause::Credentials);
        check(None, "dispatch failure: io error: dns error: no such host", Cause::NoEndpoint);
        check(None, "dispatch failure: io error: connection refused", Cause::Unreachable);
        assert_eq!(cause(None, true, "x"), Cause::Unreachable);
    }
}
