//! Bytes of one record in, an [`Activity`] out.

use crate::activity::Activity;

/// Why bytes are no valid event.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    /// What is wrong, as a lowercase fragment.
    pub reason: String,
}

/// Decodes one record.
///
/// # Errors
/// When the bytes are no valid event.
pub fn decode(bytes: &[u8]) -> Result<Activity<'_>, DecodeError> {
    let _ = bytes;
    Err(DecodeError { reason: "not decoded yet".to_owned() })
}
