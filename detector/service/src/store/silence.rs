//! Silences: for a time, sinks do not hear of some alerts. The alerts are stored all the same.

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A silence. What is left out of the matcher matches everything; one that leaves out all would silence all and is
/// refused where silences are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Made by the service.
    pub id: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Only this alert.
    pub alert: Option<String>,
    /// Only this rule; `*` stands for any text.
    pub rule: Option<String>,
    /// Only this account.
    pub account: Option<String>,
    /// Only this region.
    pub region: Option<String>,
    /// Only this principal; `*` stands for any text.
    pub principal: Option<String>,
    /// Only this subject (a group id, for example); `*` stands for any text.
    pub subject: Option<String>,
    /// Only alerts of at most this severity.
    pub severity_max: Option<Severity>,
}
