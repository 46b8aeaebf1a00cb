//! What went wrong with a call to Kinesis, and what that means for a reader.
//!
//! The SDK's own retries are switched off for reading: a reader has to know of every refusal, to slow down, to count
//! it and to say it.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Characters of an explanation that are kept; answers of a proxy may be long.
const EXPLANATION_MAX: usize = 300;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {explanation}{}", self.advice())]
pub struct Failure {
    /// The operation.
    pub call: &'static str,
    /// What it means.
    pub meaning: Meaning,
    /// AWS's code for it; empty where no answer came.
    pub code: String,
    /// What AWS or the connection said.
    pub explanation: String,
}

/// What a failure means for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Too much was asked; less will do.
    Throttled,
    /// The iterator is too old; a new one will do.
    Expired,
    /// The position asked for is not one of this shard, or no longer.
    Unusable,
    /// It may pass by itself: no connection, no answer in time, a fault on AWS's side.
    Passing,
    /// Somebody has to change something.
    Denied,
    /// There is no such stream, shard or consumer.
    Missing,
    /// Another call has changed it or holds it.
    InUse,
}

impl Failure {
    /// From the SDK's error for `call`.
    pub(crate) fn new<E, R>(call: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let explanation = match (error.message(), error) {
            (Some(message), _) => format!("{code}: {message}"),
            (None, SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
            (None, _) => chain(error),
        };
        let explanation = explanation.chars().take(EXPLANATION_MAX).collect();
        Self { call, meaning: meaning(&code), code, explanation }
    }

    /// Not one of the SDK's: what came cannot be used.
    pub(crate) fn passing(call: &'static str, explanation: &str) -> Self {
        Self { call, meaning: Meaning::Passing, code: String::new(), explanation: explanation.to_owned() }
    }

    /// What to do about it, as the end of a sentence; empty where waiting is all.
    fn advice(&self) -> String {
        let advice = match self.meaning {
            Meaning::Missing => "check `stream`, `region` and `consumer` in the configuration",
            Meaning::Denied if self.code.starts_with("KMS") => {
                "the key that encrypts the stream must be enabled, and the task role allowed kms:Decrypt with it"
            }
            Meaning::Denied if self.code.starts_with("AccessDenied") => {
                return format!("; allow kinesis:{} to the task role, for this stream", self.call);
            }
            Meaning::Denied => "check the credentials of the task role and the clock of the machine",
            _ => return String::new(),
        };
        format!("; {advice}")
    }
}

/// An error and its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

fn meaning(code: &str) -> Meaning {
    match code {
        "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "KMSThrottlingException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded" => Meaning::Throttled,
        "ExpiredIteratorException" | "ExpiredNextTokenException" => Meaning::Expired,
        "InvalidArgumentException" | "ValidationException" => Meaning::Unusable,
        "ResourceNotFoundException" => Meaning::Missing,
        "ResourceInUseException" => Meaning::InUse,
        "AccessDeniedException"
        | "AccessDenied"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSOptInRequired"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "OptInRequired" => Meaning::Denied,
        _ => Meaning::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Meaning, meaning};

    #[test]
    fn says_what_to_do() {
        let check = |call, code: &str, means, said: &str| {
            assert_eq!(meaning(code), means, "{code}");
            let failure = Failure { call, meaning: means, code: code.to_owned(), explanation: code.to_owned() };
            assert!(failure.to_string().contains(said), "{failure}");
        };
        check("GetRecords", "AccessDeniedException", Meaning::Denied, "allow kinesis:GetRecords");
        check("GetRecords", "KMSDisabledException", Meaning::Denied, "kms:Decrypt");
        check("GetRecords", "ExpiredTokenException", Meaning::Denied, "credentials");
        check("ListShards", "ResourceNotFoundException", Meaning::Missing, "`stream`");
        check("GetRecords", "KMSThrottlingException", Meaning::Throttled, "GetRecords: KMSThrottling");
        check("GetRecords", "", Meaning::Passing, "GetRecords: ");
        check("GetRecords", "InternalFailure", Meaning::Passing, "GetRecords: ");
    }
}
