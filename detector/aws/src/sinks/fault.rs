//! From a call that failed to what the sink's worker does about it.

use std::time::Duration;

use bedrock_watch_service::sink::SinkError;

use crate::failure::{Failure, Kind};

/// How long a service that throttles is left alone at least.
const THROTTLED: Duration = Duration::from_secs(1);

/// The error. What a person can mend, such as a missing right or topic, is tried again: by the time it is mended, the
/// alert should still be told.
pub(super) fn fault(failure: &Failure, what: &str, needs: &str) -> SinkError {
    let message = format!("{what}: {failure}");
    match failure.kind {
        Kind::Throttled => SinkError::throttled(&message, Some(THROTTLED)),
        Kind::Invalid => SinkError::permanent(&message),
        Kind::Denied => SinkError::sink(&format!("{message}; the role needs {needs}"), false),
        Kind::Missing => SinkError::sink(&format!("{message}; is it there, in this region?"), false),
        Kind::Unreachable | Kind::Service => SinkError::sink(&message, failure.may_have_happened),
    }
}
