//! A text that must never be shown.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A secret: printing, logging or serialising it yields `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length in bytes, to refuse secrets that are too short.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The secret itself, for the one request it is meant for. Whoever takes it answers for it not being shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the secret. Digests are compared, so the time taken tells nothing about the secret.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(given)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn never_shows_itself() {
        let secret = Secret::new("hunter2-hunter2".to_owned());
        for shown in [format!("{secret}"), format!("{secret:?}"), serde_json::to_string(&secret).unwrap()] {
            assert_eq!(shown.trim_matches('"'), "***");
        }
        assert!(secret.matches(b"hunter2-hunter2"));
        assert!(!secret.matches(b"hunter2-hunter"));
    }
}
