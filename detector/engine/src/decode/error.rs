//! Why bytes are no valid event, said so that a person can find the place.

use std::fmt;

/// Why bytes are no valid event.
///
/// Every message is a lowercase fragment that names what is wrong and where; values are shown shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing but white space.
    #[error("empty: no JSON value")]
    Empty,
    /// Not text.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that is not part of a character, counted from 0.
        at: usize,
    },
    /// The text stops in the middle of the value.
    #[error("truncated: the JSON ends after {length} bytes in the middle of a value")]
    Truncated {
        /// How many bytes there were.
        length: usize,
    },
    /// Not JSON.
    #[error("not JSON at line {line}, column {column} (byte {offset}): {what}")]
    NotJson {
        /// The line inside the record, from 1.
        line: usize,
        /// The column inside the line, in bytes from 1.
        column: usize,
        /// The byte, from 0.
        offset: usize,
        /// What the parser says.
        what: String,
    },
    /// Nested deeper than any event is.
    #[error("nested deeper than {} levels", super::NESTING_MAX)]
    TooDeep,
    /// JSON, but a field the engine reads is of another type than CloudTrail writes.
    #[error("not an event: a field has the wrong type at line {line}, column {column} (byte {offset}): {what}")]
    WrongType {
        /// The line inside the record, from 1.
        line: usize,
        /// The column inside the line, in bytes from 1.
        column: usize,
        /// The byte, from 0.
        offset: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// JSON, but neither a CloudTrail record nor an EventBridge event.
    #[error("not an event: {} missing", Names(.missing))]
    NotAnEvent {
        /// The fields that an event of the kind it resembles must have.
        missing: Vec<&'static str>,
    },
    /// The time cannot be read.
    #[error("{field} is no time: {value:?} (expected for example 2026-11-22T05:39:00Z, between 1970 and 2106)")]
    Time {
        /// `eventTime`, or `time` of an envelope.
        field: &'static str,
        /// What was there, shortened.
        value: String,
    },
    /// A model invocation log that cannot be read. Deliberately nothing of the record: it holds prompts.
    #[error("not a model invocation log: {what}")]
    InvocationLog {
        /// What is wrong.
        what: &'static str,
    },
    /// An observation of this product's own that is not one.
    #[error("not an observation of bedrock-watch: {what}")]
    Observation {
        /// What the parser says.
        what: String,
    },
}

/// The longest part of a value that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// The beginning of `value`, for messages.
pub(super) fn shorten(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < value.len() {
        shown.push_str("...");
    }
    shown
}

struct Names<'n>(&'n [&'static str]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}
