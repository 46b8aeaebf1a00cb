//! What tells whether the store has an alert just so.

use bedrock_watch_engine::alert::Alert;
use sha2::{Digest as _, Sha256};

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

/// A digest of everything an alert says. Equal alerts have equal digests, on every machine.
#[must_use]
pub fn digest(alert: &Alert) -> [u8; DIGEST_BYTES] {
    // Maps in an alert are sorted, so the same alert is always the same text.
    Sha256::digest(serde_json::to_vec(alert).unwrap_or_default()).into()
}
