//! Searches in the SQL of CloudTrail Lake and Athena, which are both Presto: quoting, and where the two differ.
//!
//! Deliberately no LIKE on anything that came from a record: its wildcards would widen the search.

use std::fmt::Write as _;

use crate::{remedy::text::is_harmless, time::Second};

use super::{
    search::{Column, Condition, Log, Measure, READING, Search, Show},
    tables::{INVOCATION_LOG, PROJECTED_TRAIL, day},
};

/// `text` as a string literal. Control characters and invisible ones are written as Unicode escapes.
pub(super) fn quote(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.chars().all(is_harmless) {
        return format!("'{doubled}'");
    }
    let mut literal = "U&'".to_owned();
    for character in doubled.chars() {
        match character {
            '\\' => literal.push_str("\\\\"),
            other if is_harmless(other) => literal.push(other),
            other => {
                // Writing into a string cannot fail.
                let _infallible = write!(literal, "\\+{:06X}", u32::from(other));
            }
        }
    }
    literal.push('\'');
    literal
}

/// Where CloudTrail's records are searched with SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An event data store of CloudTrail Lake.
    Lake,
    /// The Athena table that CloudTrail's console makes, `cloudtrail_logs`; it has no partitions.
    Athena,
    /// The Athena table of [`super::tables`], whose days are partitions.
    Projected,
}

/// The search as a statement.
pub(super) fn write(search: &Search, place: Place) -> String {
    let is_lake = place == Place::Lake;
    let mut conditions = vec![between(search, is_lake)];
    let has_days = search.log == Log::Invocations || place == Place::Projected;
    if has_days {
        let (from, to) = (quote(&day(search.from)), quote(&day(search.to)));
        conditions.insert(0, format!("day BETWEEN {from} AND {to}"));
    }
    conditions.extend(search.only.iter().map(|one| condition(one, search.log, is_lake)));
    let (columns, rest) = match &search.show {
        Show::Records(columns) => {
            let columns: Vec<String> = columns.iter().map(|column| shown(*column, search.log, is_lake)).collect();
            (columns.join(", "), format!("ORDER BY {}", time(search.log)))
        }
        Show::Counted { by, and } => {
            let places: Vec<String> = (1..=by.len()).map(|place| place.to_string()).collect();
            let columns = by.iter().map(|column| shown(*column, search.log, is_lake));
            let measures = and.iter().map(|one| measure(*one, search.log));
            let columns: Vec<String> =
                columns.chain(std::iter::once("count(*) AS calls".to_owned())).chain(measures).collect();
            (columns.join(", "), format!("GROUP BY {}\nORDER BY calls DESC", places.join(", ")))
        }
    };
    let table = match (search.log, place) {
        (Log::Invocations, _) => INVOCATION_LOG,
        (Log::Trail, Place::Lake) => "$EDS_ID",
        (Log::Trail, Place::Athena) => "cloudtrail_logs",
        (Log::Trail, Place::Projected) => PROJECTED_TRAIL,
    };
    format!("SELECT {columns}\nFROM {table}\nWHERE {}\n{rest}", conditions.join("\n  AND "))
}

/// The time lies in the stretch, ends included. Lake keeps timestamps, the tables of Athena RFC 3339 texts.
fn between(search: &Search, is_lake: bool) -> String {
    let literal = |at: Second| {
        let text = at.to_rfc3339();
        if is_lake { quote(&text.replace('T', " ").replace('Z', "")) } else { quote(&text) }
    };
    format!("{} BETWEEN {} AND {}", time(search.log), literal(search.from), literal(search.to))
}

const fn time(log: Log) -> &'static str {
    match log {
        Log::Trail => "eventTime",
        Log::Invocations => "\"timestamp\"",
    }
}

/// A column as SQL names it.
fn expression(column: Column, log: Log, is_lake: bool) -> &'static str {
    match (log, column) {
        (Log::Invocations, Column::Hour) => "substr(\"timestamp\", 1, 13)",
        (Log::Invocations, Column::Region) => "region",
        (Log::Invocations, Column::Account) => "accountId",
        (Log::Invocations, Column::Caller) => "identity.arn",
        (Log::Invocations, Column::Model) => "modelId",
        (Log::Invocations, Column::EventId) => "requestId",
        (_, Column::Time) => time(log),
        (_, Column::Hour) if is_lake => "date_trunc('hour', eventTime)",
        (_, Column::Hour) => "substr(eventTime, 1, 13)",
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
        (_, Column::Request) => "requestParameters",
        (_, Column::Response) => "responseElements",
        (_, Column::Resource) => "element_at(resources, 1).arn",
        (_, Column::Model) if is_lake => "element_at(requestParameters, 'modelId')",
        (_, Column::Model) => "json_extract_scalar(requestParameters, '$.modelId')",
        (_, Column::Operation) => "operation",
    }
}

/// A column in the answer.
fn shown(column: Column, log: Log, is_lake: bool) -> String {
    let written = expression(column, log, is_lake);
    let name = match column {
        Column::Hour => "hour",
        Column::Model => "model",
        Column::Caller => "caller",
        Column::Issuer => "issuer",
        Column::AccessKey => "access_key",
        Column::Resource => "resource",
        _ => return written.to_owned(),
    };
    format!("{written} AS {name}")
}

fn measure(measure: Measure, log: Log) -> String {
    match measure {
        Measure::First => format!("min({}) AS first_time", time(log)),
        Measure::Last => format!("max({}) AS last_time", time(log)),
        Measure::SourceIps => "count(DISTINCT sourceIPAddress) AS source_ips".to_owned(),
        Measure::InputTokens => "sum(input.inputTokenCount) AS input_tokens".to_owned(),
        Measure::OutputTokens => "sum(output.outputTokenCount) AS output_tokens".to_owned(),
    }
}

fn condition(condition: &Condition, log: Log, is_lake: bool) -> String {
    let named = |column: &Column| expression(*column, log, is_lake);
    match condition {
        Condition::Is(column, value) => format!("{} = {}", named(column), quote(value)),
        Condition::OneOf(column, values) => {
            let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
            format!("{} IN ({})", named(column), values.join(", "))
        }
        Condition::Begins(column, start) => format!("strpos({}, {}) = 1", named(column), quote(start)),
        Condition::Mentions(name) => format!("({})", mentions(name, is_lake)),
        Condition::Failed => "errorCode IS NOT NULL".to_owned(),
        Condition::Changes => format!("NOT regexp_like(eventName, {})", quote(READING)),
        Condition::Any(conditions) => {
            let any: Vec<String> = conditions.iter().map(|one| self::condition(one, log, is_lake)).collect();
            format!("({})", any.join(" OR "))
        }
    }
}

/// Whether request or answer name something. Lake keeps both as maps of texts, the Athena tables as JSON.
fn mentions(name: &str, is_lake: bool) -> String {
    let literal = quote(name);
    let one = |column: &str| {
        if is_lake {
            format!("any_match(map_values({column}), v -> strpos(v, {literal}) > 0)")
        } else {
            format!("strpos({column}, {literal}) > 0")
        }
    };
    ["requestParameters", "responseElements"].map(one).join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_end_where_they_should() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("arn:aws:iam::1:user/a", "'arn:aws:iam::1:user/a'");
        check("' OR 1=1 --", "''' OR 1=1 --'");
        check("\\'", "'\\'''");
        check("a\n'\\b", "U&'a\\+00000A''\\\\b'");
        check("\u{202e}", "U&'\\+00202E'");
        check("", "''");
    }

    #[test]
    fn times_are_written_as_each_table_keeps_them() {
        let check = |place: Place, log: Log, expected: &str| {
            let show = Show::Records(vec![Column::Name]);
            let search = Search { title: "", log, from: Second(0), to: Second(61), only: Vec::new(), show };
            let text = write(&search, place);
            assert!(text.contains(expected), "{text}");
        };
        check(Place::Lake, Log::Trail, "WHERE eventTime BETWEEN '1970-01-01 00:00:00' AND '1970-01-01 00:01:01'");
        check(Place::Athena, Log::Trail, "WHERE eventTime BETWEEN '1970-01-01T00:00:00Z' AND '1970-01-01T00:01:01Z'");
        check(Place::Projected, Log::Trail, "WHERE day BETWEEN '1970/01/01' AND '1970/01/01'\n  AND eventTime BETWEEN");
        check(Place::Athena, Log::Invocations, "AND \"timestamp\" BETWEEN '1970-01-01T00:00:00Z'");
    }
}
