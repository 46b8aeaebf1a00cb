//! Searches in the language of CloudWatch Logs Insights, over a trail's log group and that of the invocation log.
//!
//! A text that came from a record is a string literal only if every character of it is harmless; otherwise it is a
//! regular expression in which each doubtful character is a number. So no quoting has to be right.

use std::fmt::Write as _;

use crate::remedy::text::is_harmless;

use super::search::{Column, Condition, Log, Measure, READING, Search, Show};

/// Records that are shown at most; Insights shows 1,000 unless told otherwise, and 10,000 at most.
const RECORDS_MAX: u32 = 10_000;

/// The search as a query.
pub(super) fn write(search: &Search) -> String {
    let (from, to) = (search.from, search.to);
    let mut text = format!(
        "# log group: {}; set the time range: {} to {} (--start-time {} --end-time {})\n",
        match search.log {
            Log::Trail => "that of the trail",
            Log::Invocations => "that of the model invocation log",
        },
        from.to_rfc3339(),
        to.to_rfc3339(),
        from.0,
        to.0
    );
    let log = search.log;
    let names = |columns: &[Column]| {
        let mut fields: Vec<&str> = columns.iter().map(|one| field(*one, log)).collect();
        // Request and answer both stand for the whole record.
        fields.dedup();
        fields.join(", ")
    };
    let filters: Vec<String> = search.only.iter().map(|one| condition(one, log)).collect();
    if let Show::Records(columns) = &search.show {
        text.push_str("fields ");
        text.push_str(&names(columns));
        text.push_str("\n| ");
    }
    text.push_str("filter ");
    text.push_str(if filters.is_empty() { "ispresent(@message)" } else { "" });
    text.push_str(&filters.join("\n    and "));
    match &search.show {
        Show::Records(_) => text.push_str("\n| sort @timestamp asc"),
        Show::Counted { by, and } => {
            let measures: String = and.iter().map(|one| format!(", {}", measure(*one, log))).collect();
            let grouped = names(by);
            // Writing into a string cannot fail.
            let _infallible =
                write!(text, "\n| stats count(*) as calls{measures}\n    by {grouped}\n| sort calls desc");
        }
    }
    let _infallible = write!(text, "\n| limit {RECORDS_MAX}");
    text
}

/// A field as Insights finds it in the JSON of a record.
const fn field(column: Column, log: Log) -> &'static str {
    match (log, column) {
        (_, Column::Hour) => "bin(1h)",
        (Log::Invocations, Column::Time) => "timestamp",
        (Log::Invocations, Column::Region) => "region",
        (Log::Invocations, Column::Account) => "accountId",
        (Log::Invocations, Column::Caller) => "identity.arn",
        (Log::Invocations, Column::Model) => "modelId",
        (Log::Invocations, Column::EventId) => "requestId",
        (_, Column::Time) => "eventTime",
        (_, Column::Name) => "eventName",
        (_, Column::Source) => "eventSource",
        (_, Column::Region) => "awsRegion",
        (_, Column::Account) => "recipientAccountId",
        (_, Column::Caller) => "userIdentity.arn",
        (_, Column::Issuer) => "userIdentity.sessionContext.sessionIssuer.arn",
        (_, Column::AccessKey) => "userIdentity.accessKeyId",
        (_, Column::PrincipalId) => "userIdentity.principalId",
        (_, Column::CallerAccount) => "userIdentity.accountId",
        (_, Column::IdentityCenterUser) => "userIdentity.onBehalfOf.userId",
        (_, Column::InvokedBy) => "userIdentity.invokedBy",
        (_, Column::Ip) => "sourceIPAddress",
        (_, Column::Agent) => "userAgent",
        (_, Column::Error) => "errorCode",
        (_, Column::EventId) => "eventID",
        // What is nested is discovered field by field; the record itself shows all of it.
        (_, Column::Request | Column::Response) => "@message",
        (_, Column::Resource) => "resources.0.ARN",
        (_, Column::Model) => "requestParameters.modelId",
        (_, Column::Operation) => "operation",
    }
}

const fn measure(measure: Measure, log: Log) -> &'static str {
    match (log, measure) {
        (Log::Trail, Measure::First) => "earliest(eventTime) as first_time",
        (Log::Trail, Measure::Last) => "latest(eventTime) as last_time",
        (Log::Invocations, Measure::First) => "earliest(timestamp) as first_time",
        (Log::Invocations, Measure::Last) => "latest(timestamp) as last_time",
        (_, Measure::SourceIps) => "count_distinct(sourceIPAddress) as source_ips",
        (_, Measure::InputTokens) => "sum(input.inputTokenCount) as input_tokens",
        (_, Measure::OutputTokens) => "sum(output.outputTokenCount) as output_tokens",
    }
}

fn condition(condition: &Condition, log: Log) -> String {
    match condition {
        Condition::Is(column, value) => is(field(*column, log), value),
        Condition::OneOf(column, values) if values.iter().all(|value| is_plain(value)) => {
            let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            format!("{} in [{}]", field(*column, log), values.join(", "))
        }
        Condition::OneOf(column, values) => {
            let any: Vec<String> = values.iter().map(|value| is(field(*column, log), value)).collect();
            format!("({})", any.join(" or "))
        }
        Condition::Begins(column, start) => format!("{} like /^{}/", field(*column, log), pattern(start)),
        Condition::Mentions(name) => format!("@message like /{}/", pattern(name)),
        Condition::Failed => "ispresent(errorCode)".to_owned(),
        Condition::Changes => format!("eventName not like /{READING}/"),
        Condition::Any(conditions) => {
            let any: Vec<String> = conditions.iter().map(|one| self::condition(one, log)).collect();
            format!("({})", any.join(" or "))
        }
    }
}

fn is(field: &str, value: &str) -> String {
    if is_plain(value) { format!("{field} = \"{value}\"") } else { format!("{field} like /^{}$/", pattern(value)) }
}

/// Whether a text means itself between double quotes.
fn is_plain(text: &str) -> bool {
    text.chars().all(|character| is_harmless(character) && !"\"\\".contains(character))
}

/// A regular expression that matches exactly this text.
fn pattern(text: &str) -> String {
    let mut written = String::new();
    for character in text.chars() {
        match character {
            character if character.is_ascii_alphanumeric() || "-_:@ ,=".contains(character) => written.push(character),
            '.' | '/' | '+' | '(' | ')' | '[' | ']' | '{' | '}' | '*' | '?' | '^' | '$' | '|' => {
                written.extend(['\\', character]);
            }
            other => {
                // Writing into a string cannot fail.
                let _infallible = write!(written, "\\x{{{:X}}}", u32::from(other));
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_literal_or_a_pattern_of_numbers() {
        let check = |text: &str, expected: &str| assert_eq!(is("f", text), expected);
        check("arn:aws:iam::1:user/it's", "f = \"arn:aws:iam::1:user/it's\"");
        check("\" or 1=1", "f like /^\\x{22} or 1=1$/");
        check("a\\\n/", "f like /^a\\x{5C}\\x{A}\\/$/");
        check("\u{202e}", "f like /^\\x{202E}$/");
        check("", "f = \"\"");
    }
}
