//! What Bedrock is, as far as CloudTrail shows it: which calls are inference, how a call ended, which model it named.
//!
//! Deliberately no state: these are facts about one record.

mod model;
mod operation;
mod outcome;

pub(crate) use model::after_last_slash;
pub use model::normalise_model;
pub use operation::{BEDROCK, ENABLING_OPERATIONS, INFERENCE_OPERATIONS, is_bedrock, is_enabling, is_inference};
pub use outcome::Outcome;
use serde::{Deserialize, Serialize};

/// What kind of credential signed a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Credential {
    /// An access key that does not expire (`AKIA...`).
    LongTermKey,
    /// A Bedrock API key, sent as bearer token (`callWithBearerToken`).
    BedrockApiKey,
    /// A session key (`ASIA...`).
    Temporary,
    /// None, or one of another kind.
    Other,
}

impl Credential {
    /// The name rules use: `watch.credential`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LongTermKey => "long_term_key",
            Self::BedrockApiKey => "bedrock_api_key",
            Self::Temporary => "temporary",
            Self::Other => "other",
        }
    }

    /// Whether it works until somebody revokes it.
    #[must_use]
    pub const fn is_long_lived(self) -> bool {
        matches!(self, Self::LongTermKey | Self::BedrockApiKey)
    }
}
