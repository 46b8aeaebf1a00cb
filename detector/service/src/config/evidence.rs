//! Where evidence is archived, and what a configuration is called in it.

use std::{collections::BTreeMap, path::PathBuf};

use super::Config;
use crate::evidence::chain::sha256;

/// The evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceConfig {
    /// Where it is archived; `None` keeps it in the store alone.
    pub archived: Option<Archived>,
    /// How often, in seconds.
    pub interval_s: u64,
}

/// A place in which evidence is archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archived {
    /// A folder.
    Folder(PathBuf),
    /// An S3 bucket.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What keys begin with.
        prefix: String,
    },
}

impl Config {
    /// The SHA-256 of what is configured, in hexadecimal: that of what it came to, so that defaults and environment
    /// variables count and comments do not. No secret has a part in it. Comparable within one version of the program.
    #[must_use]
    pub fn digest(&self) -> String {
        let said = Self { warnings: Vec::new(), mentions: Vec::new(), tuned: BTreeMap::new(), ..self.clone() };
        // Secrets show as `***` here.
        sha256(format!("{said:?}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str, secret: &str) -> String {
        Config::load("c.toml", text, &|_| Some(secret.to_owned())).unwrap().digest()
    }

    #[test]
    fn a_digest_is_of_what_is_configured_and_of_no_secret() {
        const KEY: &str = "[[api_key]]\nname = \"a\"\nkey = \"${KEY}\"\n";
        let first = digest(KEY, "correct-horse-battery");
        assert_eq!(first, digest(KEY, "another-one-altogether"));
        assert_eq!(first, digest(&format!("# why\n\n{KEY}"), "correct-horse-battery"));
        assert_ne!(first, digest(&format!("{KEY}[engine]\nquiet_s = 61\n"), "correct-horse-battery"));
        assert_eq!(digest("", ""), Config::standard().digest());
    }
}
