//! How `replay --report` is printed.

use bedrock_watch_service::{format::Format, replay::report::Report};

use super::super::table::table;

const HEADING: [&str; 9] =
    ["RULE", "CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "WITHDRAWN", "PAGES/WEEK", "NOISIEST"];

/// The report: a table for people, or JSON.
pub(super) fn render(report: &Report, format: Format) -> String {
    if format != Format::Human {
        return format!("{}\n", report.to_json());
    }
    let mut text = format!("{}\n\n{}", report.headline(), table(&HEADING, &report.rows()));
    let suggested = report.suggested();
    if !suggested.is_empty() {
        text.push_str("\nFor the configuration, where it is meant to be so:\n\n");
        text.push_str(suggested.trim_end());
        text.push('\n');
    }
    text
}
