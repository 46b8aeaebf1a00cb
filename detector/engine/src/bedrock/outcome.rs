//! How a call ended, as far as it says something about the caller.

/// The four ends of an inference call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Outcome {
    /// No `errorCode`.
    Success,
    /// Refused because of its rate: the `errorCode` contains `hrottl`.
    Throttled,
    /// The service's own failure, which says nothing about the caller.
    ServiceFailure,
    /// Refused for what the caller did or is: denied, invalid, not found.
    Refused,
}

impl Outcome {
    /// Judges an `errorCode`.
    #[must_use]
    pub fn of(error_code: Option<&str>) -> Self {
        const SERVICE_FAILURE_PREFIXES: [&str; 8] = [
            "InternalServer",
            "InternalFailure",
            "ServiceUnavailable",
            "ModelTimeout",
            "ModelNotReady",
            "ModelError",
            "ModelStreamError",
            "ServiceQuotaExceeded",
        ];
        let Some(code) = error_code else { return Self::Success };
        if code.contains("hrottl") {
            return Self::Throttled;
        }
        if SERVICE_FAILURE_PREFIXES.iter().any(|prefix| code.starts_with(prefix)) {
            return Self::ServiceFailure;
        }
        Self::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn judges_error_codes() {
        let check = |code: Option<&str>, expected| assert_eq!(Outcome::of(code), expected, "{code:?}");
        check(None, Outcome::Success);
        check(Some("ThrottlingException"), Outcome::Throttled);
        check(Some("Throttled"), Outcome::Throttled);
        check(Some("ModelNotReadyException"), Outcome::ServiceFailure);
        check(Some("ServiceQuotaExceededException"), Outcome::ServiceFailure);
        check(Some("AccessDenied"), Outcome::Refused);
        check(Some("ValidationException"), Outcome::Refused);
    }
}
