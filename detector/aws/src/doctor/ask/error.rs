//! Why AWS gave no answer, in the checks' words.

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::doctor::facts::{NotAsked, Why};

/// The failure of a call that needs `action`.
pub(crate) fn refused<E>(action: &str, error: &SdkError<E, Response>) -> NotAsked
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or_default();
    let message = match error.message() {
        Some(message) if !message.is_empty() => format!("{code}: {message}"),
        _ if !code.is_empty() => code.to_owned(),
        _ => match error.raw_response() {
            Some(response) => format!("HTTP {} without a reason", response.status().as_u16()),
            None => chain(error),
        },
    };
    NotAsked { action: action.to_owned(), why: why(code), message }
}

/// What went wrong, down to the cause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn why(code: &str) -> Why {
    let denied = ["AccessDenied", "Unauthorized", "NotAuthorized", "UnrecognizedClient", "AuthFailure"];
    let absent = ["NotFound", "NoSuchEntity", "NonExistentQueue", "QueueDoesNotExist", "NoSuch"];
    if denied.iter().any(|part| code.contains(part)) {
        Why::Denied
    } else if absent.iter().any(|part| code.contains(part)) {
        Why::NotFound
    } else {
        Why::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_service() {
        let check = |code: &str, expected: Why| assert_eq!(why(code), expected, "{code}");
        check("AccessDeniedException", Why::Denied);
        check("UnauthorizedOperation", Why::Denied);
        check("NoSuchEntity", Why::NotFound);
        check("ResourceNotFoundException", Why::NotFound);
        check("AWS.SimpleQueueService.NonExistentQueue", Why::NotFound);
        check("ThrottlingException", Why::Failed);
        check("", Why::Failed);
    }
}
