//! A case file as it is written, and where in the file each part stands.

use bedrock_watch_engine::rule::Problem;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A case file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    /// One sentence: what happens, and what must come of it.
    pub(super) title: String,
    /// The time that offsets count from.
    #[serde(default)]
    pub(super) start: Option<Spanned<String>>,
    /// What happens.
    pub(super) steps: Vec<Spanned<StepFile>>,
    /// What the engine was taught before.
    #[serde(default)]
    pub(super) teach: Vec<Spanned<StepFile>>,
    /// The rule's alerts at the end, exactly these.
    pub(super) expect: Vec<Spanned<ExpectedFile>>,
}

/// One record, or a run of similar ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    /// Offset of the event time.
    pub(super) at: Spanned<String>,
    /// Name of a sample record.
    pub(super) event: Spanned<String>,
    /// Values to put into the record, by dotted path.
    #[serde(default)]
    pub(super) set: Map<String, Value>,
    /// Dotted paths to take out of the record.
    #[serde(default)]
    pub(super) remove: Vec<String>,
    /// Names the event: the same name is the same eventID.
    #[serde(default, rename = "as")]
    pub(super) name: Option<String>,
    /// How many events of this kind.
    #[serde(default)]
    pub(super) count: Option<Spanned<u32>>,
    /// The time between them.
    #[serde(default)]
    pub(super) every: Option<Spanned<String>>,
    /// Offset of the delivery, if it is not the event time.
    #[serde(default)]
    pub(super) arrives: Option<Spanned<String>>,
    /// How often each event is delivered.
    #[serde(default)]
    pub(super) copies: Option<Spanned<u32>>,
}

/// What an alert must be; what is not given is free.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedFile {
    pub(super) status: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) account: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) region: Option<Option<String>>,
    pub(super) subject: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) principal: Option<Option<String>>,
    pub(super) summary: Option<String>,
    pub(super) first_event_time: Option<String>,
    pub(super) last_event_time: Option<String>,
    pub(super) event_count: Option<u64>,
    #[serde(default)]
    pub(super) facts: Map<String, Value>,
}

/// Tells a value that is given as null from one that is not given.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Parses a case file.
pub(super) fn parse(shown: &str, bytes: &[u8]) -> Result<CaseFile, Problem> {
    // `on`, `off`, `yes` and `no` are strings here, as in YAML 1.2.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| {
        let location = error.location();
        let line = location.map_or(1, |at| at.line());
        let column = location.map_or(1, |at| at.column());
        let mut message = error.without_snippet().to_string();
        // The position stands in front of the message already.
        if let Some(at) = message.rfind(" at line ") {
            message.truncate(at);
        }
        problem(shown, line, column, message)
    })
}

/// A problem at the place of `part`.
pub(super) fn problem_at<T>(shown: &str, part: &Spanned<T>, message: String) -> Problem {
    problem(shown, part.referenced.line(), part.referenced.column(), message)
}

fn problem(shown: &str, line: u64, column: u64, message: String) -> Problem {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Problem { file: shown.to_owned(), line: number(line), column: number(column), message }
}
