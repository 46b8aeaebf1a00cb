//! Silences: which alerts they keep from being told, and which silences are refused.
//!
//! Making one is the same wherever it is asked for, over HTTP or on the command line. Deliberately no silence without
//! an end, an author and a reason, and none that would keep everything quiet.

use bedrock_watch_engine::alert::{Alert, Severity};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::pattern::{glob, is_any};
use crate::store::{Matcher, Silence};

/// The longest silence, in days.
pub const SILENCE_DAYS_MAX: i64 = 90;
/// The longest text in a silence, in characters.
pub const SILENCE_TEXT_CHARACTERS_MAX: usize = 1_024;
/// Letters of an id after `s-`.
const ID_LETTERS: usize = 12;

/// What somebody wants silenced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// From when on; `None` is now.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Option<Timestamp>,
    /// Who asks for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Which alerts.
    #[serde(flatten)]
    pub matcher: Matcher,
}

impl Wish {
    /// The silence that is wished for.
    ///
    /// # Errors
    /// With everything that is wrong with it, one sentence each.
    pub fn grant(self, now: Timestamp) -> Result<Silence, Vec<String>> {
        let starts_at = self.starts_at.unwrap_or(now).max(now);
        let mut problems = self.problems(now);
        let Some(ends_at) = self.ends_at else {
            problems.push(format!("a silence ends: say when, at most {SILENCE_DAYS_MAX} days ahead"));
            return Err(problems);
        };
        if ends_at <= starts_at {
            problems.push("it would end before it begins".to_owned());
        } else if ends_at > latest_end(now) {
            problems.push(format!("a silence ends within {SILENCE_DAYS_MAX} days"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut silence = Silence {
            id: String::new(),
            starts_at,
            ends_at,
            author: self.author,
            reason: self.reason,
            matcher: self.matcher,
        };
        silence.id = id_of(&silence, now);
        Ok(silence)
    }

    fn problems(&self, now: Timestamp) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, text) in [("author", &self.author), ("reason", &self.reason)] {
            if text.trim().is_empty() {
                problems.push(format!("`{name}` is missing"));
            }
        }
        let texts_of_matcher = texts(&self.matcher);
        for (name, text) in texts_of_matcher {
            if text.is_some_and(|text| text.trim().is_empty()) {
                problems.push(format!("`{name}` is empty; leave it out to match any"));
            }
        }
        let texts = texts_of_matcher.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let texts = texts.chain([("author", self.author.as_str()), ("reason", &self.reason)]);
        for (name, text) in texts {
            if text.chars().count() > SILENCE_TEXT_CHARACTERS_MAX {
                problems.push(format!("`{name}` is longer than {SILENCE_TEXT_CHARACTERS_MAX} characters"));
            }
        }
        let says_something = texts_of_matcher.into_iter().any(|(_, text)| text.is_some_and(|text| !is_any(text)));
        let has_severity = self.matcher.severity_max.is_some_and(|severity| severity < Severity::Critical);
        if !says_something && !has_severity {
            problems.push("it would silence every alert: name a rule, an account, a principal or another".to_owned());
        }
        if self.starts_at.is_some_and(|starts_at| starts_at > latest_end(now)) {
            problems.push(format!("a silence begins within {SILENCE_DAYS_MAX} days"));
        }
        problems
    }
}

fn texts(matcher: &Matcher) -> [(&'static str, Option<&str>); 6] {
    [
        ("alert", matcher.alert.as_deref()),
        ("rule", matcher.rule.as_deref()),
        ("account", matcher.account.as_deref()),
        ("region", matcher.region.as_deref()),
        ("principal", matcher.principal.as_deref()),
        ("subject", matcher.subject.as_deref()),
    ]
}

fn latest_end(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24 * SILENCE_DAYS_MAX)).unwrap_or(Timestamp::MAX)
}

/// Names the silence by what it is and when it was made: two different ones never share an id, and no source of
/// randomness is needed.
fn id_of(silence: &Silence, now: Timestamp) -> String {
    let text = format!("{now} {silence:?}");
    let digest = Sha256::digest(text.as_bytes());
    let letters: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("s-{}", letters.chars().take(ID_LETTERS).collect::<String>())
}

/// Whether the silence holds at `now` and covers the alert, whose severity counts as `severity`.
pub(super) fn covers(silence: &Silence, alert: &Alert, severity: Severity, now: Timestamp) -> bool {
    let exact = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| found.is_some_and(|found| wanted == found))
    };
    let pattern = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| found.is_some_and(|found| glob(wanted, found)))
    };
    let matcher = &silence.matcher;
    silence.starts_at <= now
        && now < silence.ends_at
        && exact(&matcher.alert, Some(&alert.id))
        && pattern(&matcher.rule, Some(&alert.rule))
        && exact(&matcher.account, Some(&alert.account))
        && exact(&matcher.region, alert.region.as_deref())
        && pattern(&matcher.principal, alert.principal.as_deref())
        && pattern(&matcher.subject, Some(&alert.subject_id))
        && matcher.severity_max.is_none_or(|most| severity <= most)
}
