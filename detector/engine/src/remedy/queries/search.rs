//! A search of a log, before it is written in a language: which records, and what is shown of them.
//!
//! Deliberately small: only what every one of the three languages can say, so that none of them shows less.

use crate::time::Second;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// CloudTrail.
    Trail,
    /// The model invocation log of Amazon Bedrock.
    Invocations,
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    Hour,
    Name,
    Source,
    Region,
    /// Whose account it concerns.
    Account,
    /// The caller's ARN, with the session's name.
    Caller,
    /// The ARN of the role behind a session.
    Issuer,
    AccessKey,
    PrincipalId,
    CallerAccount,
    IdentityCenterUser,
    /// The service that calls.
    InvokedBy,
    Ip,
    Agent,
    Error,
    EventId,
    Request,
    Response,
    /// The first resource that a record lists.
    Resource,
    Model,
    Operation,
}

/// A number over many records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The time of the first.
    First,
    /// The time of the last.
    Last,
    SourceIps,
    InputTokens,
    OutputTokens,
}

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Is(Column, String),
    OneOf(Column, Vec<String>),
    Begins(Column, String),
    /// Request or answer name it.
    Mentions(String),
    /// It has an error code.
    Failed,
    /// Its name is neither one that only reads nor an inference call.
    Changes,
    /// At least one of these.
    Any(Vec<Self>),
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Show {
    /// Each record, oldest first.
    Records(Vec<Column>),
    /// How many there are for each combination of these columns.
    Counted { by: Vec<Column>, and: Vec<Measure> },
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) title: &'static str,
    pub(super) log: Log,
    pub(super) from: Second,
    pub(super) to: Second,
    /// All of these hold.
    pub(super) only: Vec<Condition>,
    pub(super) show: Show,
}

impl Condition {
    /// The column has one of these texts.
    pub(super) fn one_of<'a>(column: Column, values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::OneOf(column, values.into_iter().map(str::to_owned).collect())
    }

    /// The column has this text.
    pub(super) fn is(column: Column, value: &str) -> Self {
        Self::Is(column, value.to_owned())
    }

    /// A call of Amazon Bedrock.
    pub(super) fn bedrock() -> Self {
        Self::Begins(Column::Source, "bedrock".to_owned())
    }
}

/// How the names of calls begin that change nothing, as a regular expression of all three languages.
pub(super) const READING: &str = "^(Get|List|Describe|Search|Lookup|Head|Batch(Get|Describe)|Invoke|Converse|Retrieve|\
                                  Count|Apply|Render|StartAsyncInvoke|CreateInference)";

/// What an investigator reads of a record.
pub(super) const COLUMNS: [Column; 10] = [
    Column::Time,
    Column::Name,
    Column::Source,
    Column::Region,
    Column::Caller,
    Column::AccessKey,
    Column::Ip,
    Column::Agent,
    Column::Error,
    Column::EventId,
];

/// [`COLUMNS`] and these.
pub(super) fn columns_and(more: &[Column]) -> Show {
    Show::Records(COLUMNS.iter().chain(more).copied().collect())
}
