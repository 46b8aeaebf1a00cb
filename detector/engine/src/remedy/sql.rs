//! SQL of CloudTrail Lake and Athena, which are both Presto: quoting, and the places where the two differ.
//!
//! Deliberately no LIKE on anything that came from a record: its wildcards would widen the search.

use std::fmt::Write as _;

use crate::time::Second;

use super::text::is_harmless;

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

/// `column IN (...)`.
pub(super) fn one_of<'a>(column: &str, values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.map(quote).collect();
    format!("{column} IN ({})", values.join(", "))
}

/// Where CloudTrail's records are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trail {
    /// An event data store of CloudTrail Lake.
    Lake,
    /// The Athena table that CloudTrail's console makes, `cloudtrail_logs`.
    Athena,
}

impl Trail {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Lake, Self::Athena];

    /// The name in alerts.
    pub(super) const fn language(self) -> &'static str {
        match self {
            Self::Lake => "cloudtrail-lake",
            Self::Athena => "athena",
        }
    }

    /// The table.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Lake => "$EDS_ID",
            Self::Athena => "cloudtrail_logs",
        }
    }

    /// `eventTime` lies in the stretch, ends included. Lake keeps timestamps, the Athena table RFC 3339 texts.
    pub(super) fn between(self, from: Second, to: Second) -> String {
        let literal = |at: Second| match self {
            Self::Lake => quote(&at.to_rfc3339().replace('T', " ").replace('Z', "")),
            Self::Athena => quote(&at.to_rfc3339()),
        };
        format!("eventTime BETWEEN {} AND {}", literal(from), literal(to))
    }

    /// The hour of an event.
    pub(super) const fn hour(self) -> &'static str {
        match self {
            Self::Lake => "date_trunc('hour', eventTime)",
            Self::Athena => "substr(eventTime, 1, 13)",
        }
    }

    /// The model a call names.
    pub(super) const fn model(self) -> &'static str {
        match self {
            Self::Lake => "element_at(requestParameters, 'modelId')",
            Self::Athena => "json_extract_scalar(requestParameters, '$.modelId')",
        }
    }

    /// Whether request or answer name something. Lake keeps both as maps of texts, the Athena table as JSON.
    pub(super) fn mentions(self, name: &str) -> String {
        let literal = quote(name);
        match self {
            Self::Lake => ["requestParameters", "responseElements"]
                .map(|map| format!("any_match(map_values({map}), v -> strpos(v, {literal}) > 0)"))
                .join(" OR "),
            Self::Athena => ["requestParameters", "responseElements"]
                .map(|json| format!("strpos({json}, {literal}) > 0"))
                .join(" OR "),
        }
    }
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
        let (from, to) = (Second(0), Second(61));
        let check = |trail: Trail, expected: &str| assert_eq!(trail.between(from, to), expected);
        check(Trail::Lake, "eventTime BETWEEN '1970-01-01 00:00:00' AND '1970-01-01 00:01:01'");
        check(Trail::Athena, "eventTime BETWEEN '1970-01-01T00:00:00Z' AND '1970-01-01T00:01:01Z'");
    }
}
