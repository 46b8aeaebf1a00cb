//! What the daemon noticed about its own protection, as an input of the engine: that it is blind, that something is not
//! watched, and that this is over.
//!
//! The same observations can be written as events (EventBridge `source` `bedrock-watch`, `detail-type` `Detector
//! Observation`, this structure as `detail`), which is how rule cases state them.

use serde::{Deserialize, Serialize};

use crate::time::Second;

/// One thing noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectorObservation {
    /// Names the observation among others of the same second; the envelope's `id` when it came as an event.
    #[serde(default)]
    pub id: String,
    /// When it was noticed; the envelope's `time` when it came as an event.
    #[serde(default)]
    pub at: Second,
    /// The account that is not watched, or the daemon's own.
    #[serde(default)]
    pub account: String,
    /// The region that is not watched, or the daemon's own.
    #[serde(default)]
    pub region: String,
    /// What is the matter.
    pub state: DetectorState,
    /// Which part of the protection: `canary`, `trail`, `rule`. Parts begin and end by themselves.
    pub part: String,
    /// Whether it is over rather than there.
    #[serde(default)]
    pub over: bool,
    /// Why, in words.
    #[serde(default)]
    pub reason: String,
    /// Numbers and names that the alert shows besides.
    #[serde(default)]
    pub facts: serde_json::Map<String, serde_json::Value>,
}

/// What can be the matter with the protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorState {
    /// Events do not reach the service.
    DetectorBlind,
    /// An account or region has nothing that forwards its events.
    CoverageGap,
}

impl DetectorState {
    /// `watch.event` of the state event.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::DetectorBlind => "DetectorBlind",
            Self::CoverageGap => "CoverageGap",
        }
    }
}
