//! Silences: for a time, sinks do not hear of some alerts. The alerts are stored all the same.
//!
//! Their JSON here is also the one over HTTP and on the command line.

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A silence.
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
    /// Which alerts.
    #[serde(flatten)]
    pub matcher: Matcher,
}

/// Which alerts a silence is about. What is left out matches everything; one that leaves out all would silence all and
/// is refused where silences are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
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
    #[serde(with = "severity_name")]
    pub severity_max: Option<Severity>,
}

/// A severity by the name it has in alerts. Its own form is that of the engine's memory.
mod severity_name {
    use bedrock_watch_engine::alert::Severity;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(severity: &Option<Severity>, serializer: S) -> Result<S::Ok, S::Error> {
        severity.map(Severity::as_str).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Severity>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let found = Severity::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(&name));
        found.map(Some).ok_or_else(|| D::Error::custom(format!("`{name}` is no severity")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_object_with_the_names_of_the_contract() {
        let text = r#"{"id":"s-1","starts_at":"2026-11-22T10:00:00Z","ends_at":"2026-11-22T11:00:00Z","author":"ada","reason":"known","alert":null,"rule":"invocation-*","account":null,"region":null,"principal":null,"subject":null,"severity_max":"high"}"#;
        let silence: Silence = serde_json::from_str(text).unwrap();
        assert_eq!(silence.matcher.severity_max, Some(Severity::High));
        assert_eq!(serde_json::to_string(&silence).unwrap(), text);
        let refused = serde_json::from_str::<Silence>(&text.replace("high", "dire")).unwrap_err().to_string();
        assert!(refused.contains("`dire` is no severity"), "{refused}");
    }
}
