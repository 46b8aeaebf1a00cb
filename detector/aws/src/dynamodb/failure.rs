//! Why a call to DynamoDB or S3 failed, before it is known what it was for.
//!
//! The SDK itself tries again what is worth it; `Throttled` is what is left when that was not enough.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};
use aws_smithy_types::error::display::DisplayErrorContext;
use bedrock_watch_service::store::StoreError;

/// Why work failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work later; whether it was done is not known.
    Unclear(String),
    /// AWS wants to be asked less often, and did nothing.
    Throttled(String),
    /// AWS refused, and will refuse again until somebody mends it.
    Refused(String),
    /// A condition did not hold: somebody else wrote first.
    Conflict,
    /// A newer owner of the scope has written to it.
    Overtaken(String),
    /// A value is not what this program wrote.
    Damaged(String),
    /// The table is of another program or version.
    Foreign(String),
    /// A page was asked for by something that is no page token.
    Token,
}

/// Error codes that say: less often.
const THROTTLED: &[&str] = &[
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionInProgressException",
    "SlowDown",
    "LimitExceededException",
];

impl Failure {
    /// What the caller of the store is told.
    pub(super) fn at(self, action: &'static str, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Unclear(reason) | Self::Throttled(reason) | Self::Refused(reason) => {
                StoreError::Unavailable { action, place, reason }
            }
            Self::Conflict => {
                let reason = "others wrote the same items each time it was tried".to_owned();
                StoreError::Unavailable { action, place, reason }
            }
            Self::Overtaken(scope) => StoreError::Overtaken { place, scope },
            Self::Damaged(reason) => StoreError::Damaged { place, reason },
            Self::Foreign(reason) => StoreError::Foreign { place, reason },
            Self::Token => StoreError::Token(place),
        }
    }

    /// What an SDK error means.
    pub(super) fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let Some(code) = error.code() else {
            // Nothing was answered: a time limit, a broken connection, missing credentials.
            return Self::Unclear(DisplayErrorContext(error).to_string());
        };
        let reason = error.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
        if code == "ConditionalCheckFailedException" {
            Self::Conflict
        } else if THROTTLED.contains(&code) {
            Self::Throttled(reason)
        } else if matches!(code, "InternalServerError" | "InternalError" | "ServiceUnavailable") {
            Self::Unclear(reason)
        } else {
            Self::Refused(reason)
        }
    }

    /// What a cancelled transaction means: a condition that did not hold, or others in the way.
    pub(super) fn of_transaction<R: std::fmt::Debug>(error: &SdkError<TransactWriteItemsError, R>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Self::of(error);
        };
        let codes = || cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
        if codes().any(|code| code == "ConditionalCheckFailed") {
            return Self::Conflict;
        }
        let reason = cancelled.message().unwrap_or("a transaction was cancelled").to_owned();
        let passes = |code: &str| {
            matches!(code, "TransactionConflict" | "ProvisionedThroughputExceeded" | "ThrottlingError" | "None")
        };
        if codes().all(passes) { Self::Throttled(reason) } else { Self::Refused(reason) }
    }

    /// Whether trying again soon may help. What is unclear may have been done.
    pub(super) const fn passes(&self) -> bool {
        matches!(self, Self::Unclear(_) | Self::Throttled(_))
    }
}
