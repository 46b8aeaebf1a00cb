//! The report as Markdown, to be pasted into a case, and as plain text for a terminal.
//!
//! What attackers can choose stands in code spans, cleaned of control characters, so that it can neither format nor
//! link nor break a table.

use std::fmt::Write as _;

use super::{Incident, report::Report};
use crate::format::visible;

/// Event ids shown before the rest is left to the JSON form.
const EVENT_IDS_SHOWN: usize = 20;

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out =
        format!("# Incident {}: {}\n\n{}\n", code(&report.id), plain(&report.title), plain(&report.assessment));
    section(
        &mut out,
        "When",
        &[
            format!("First recognised: {}", report.first_recognized),
            format!("First event: {}", report.first_event),
            format!("Latest event: {}", report.last_event),
        ],
    );
    out.push_str(
        "\n## Timeline\n\n| When (UTC) | Stage | Severity | Account | What | Alert |\n|---|---|---|---|---|---|\n",
    );
    for step in &report.timeline {
        let cells = [
            step.at.clone(),
            step.stage.clone(),
            format!("{} ({})", step.severity, step.status),
            // Also in a code span, a bar would end the cell.
            code(&step.account).replace('|', "\\|"),
            plain(&step.summary),
            code(&step.alert).replace('|', "\\|"),
        ];
        // Writing to a text cannot fail.
        writeln!(out, "| {} |", cells.join(" | ")).unwrap_or_default();
    }
    section(
        &mut out,
        "Accounts and regions",
        &[
            format!("First impacted account: {}", code(&report.first_impacted_account)),
            format!("All: {}", codes(&report.accounts)),
            format!("Regions: {}", codes(&report.regions)),
        ],
    );
    section(
        &mut out,
        "Principals and credentials that are suspected",
        &[
            format!("IAM users and roles: {}", codes(&report.principals)),
            format!("Access keys: {}", codes(&report.access_keys)),
            format!("Addresses: {}", codes(&report.addresses)),
            format!("Clients: {}", codes(&report.clients)),
        ],
    );
    let resources: Vec<String> = report.resources.iter().map(|resource| code(resource)).collect();
    section(&mut out, "Affected resources", &resources);
    section(&mut out, "Business impact", &report.impact.iter().map(|line| plain(line)).collect::<Vec<_>>());
    artifacts(&mut out, report);
    section(
        &mut out,
        "Support case",
        &[
            format!("Issue type: {}", report.case.issue_type),
            format!("Service and category: {}, {}", report.case.service, report.case.category),
            format!("Severity: {}", report.case.severity),
            format!("Level of engagement: {}", plain(&report.case.engagement)),
            format!("Contacts: {}", codes(&report.case.contacts)),
        ],
    );
    section(&mut out, "Done so far", &report.actions.iter().map(|line| plain(line)).collect::<Vec<_>>());
    section(&mut out, "Do not forget", &report.reminders.iter().map(|line| plain(line)).collect::<Vec<_>>());
    out
}

fn artifacts(out: &mut String, report: &Report) {
    let ids = &report.artifacts.event_ids;
    let shown: Vec<String> = ids.iter().take(EVENT_IDS_SHOWN).cloned().collect();
    let more = ids.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more in the JSON form") } else { String::new() };
    let mut lines = vec![
        format!("Alerts rest on {} events", report.artifacts.event_count),
        format!("CloudTrail event ids: {}{more}", codes(&shown)),
    ];
    lines.extend(report.artifacts.files.iter().map(|file| format!("Attach: {}", code(file))));
    section(out, "Artefacts", &lines);
    for query in &report.artifacts.queries {
        let text: String = query.text.lines().map(|line| format!("    {}\n", visible(line))).collect();
        writeln!(out, "\n{} ({}):\n\n{}", plain(&query.title), query.language, text.trim_end()).unwrap_or_default();
    }
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    writeln!(out, "\n## {title}\n").unwrap_or_default();
    if lines.is_empty() {
        out.push_str("none that is known\n");
    }
    for line in lines {
        writeln!(out, "- {line}").unwrap_or_default();
    }
}

/// An incident for a terminal: what it is, and what happened in which order.
#[must_use]
pub fn story(incident: &Incident) -> String {
    let stages: Vec<&str> = incident.stages.iter().map(|stage| stage.as_str()).collect();
    let list = |items: &std::collections::BTreeSet<String>| {
        items.iter().map(|item| visible(item).to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut out = format!(
        "{} {}: {}\n  {}  score {}  {}\n  {} to {}\n  by {}\n  in {}; {}\n",
        incident.severity.as_str().to_uppercase(),
        incident.status.as_str(),
        visible(&incident.title),
        incident.id,
        incident.score.total(),
        stages.join(", "),
        incident.first_event_time.to_rfc3339(),
        incident.last_event_time.to_rfc3339(),
        list(&incident.principals),
        list(&incident.accounts),
        list(&incident.regions),
    );
    for (alert, stage) in &incident.alerts {
        let (at, severity) = (alert.first_event_time.to_rfc3339(), alert.severity.as_str());
        writeln!(out, "    {at}  {:<14} {severity:<13} {}", stage.as_str(), visible(&alert.summary))
            .unwrap_or_default();
    }
    out.push('\n');
    out
}

/// The report for a terminal.
#[must_use]
pub fn human(report: &Report) -> String {
    let mut out = format!("{}\n{}\n\n", visible(&report.title), visible(&report.assessment));
    let list = |items: &[String]| {
        let items: Vec<String> = items.iter().map(|item| visible(item).to_string()).collect();
        if items.is_empty() { "-".to_owned() } else { items.join(", ") }
    };
    for (name, value) in [
        ("id", report.id.clone()),
        ("recognised", report.first_recognized.clone()),
        ("first event", report.first_event.clone()),
        ("last event", report.last_event.clone()),
        ("account", report.first_impacted_account.clone()),
        ("accounts", list(&report.accounts)),
        ("regions", list(&report.regions)),
        ("principals", list(&report.principals)),
        ("keys", list(&report.access_keys)),
        ("addresses", list(&report.addresses)),
        ("resources", list(&report.resources)),
        ("impact", list(&report.impact)),
    ] {
        writeln!(out, "{name:<12} {value}").unwrap_or_default();
    }
    out.push_str("\nWhat happened\n");
    for step in &report.timeline {
        let line = format!("{}  {:<14} {:<13} {}", step.at, step.stage, step.severity, visible(&step.summary));
        writeln!(out, "  {line}\n  {:20}  alert {}, {}", "", step.alert, step.runbook).unwrap_or_default();
    }
    out.push_str("\nDone so far\n");
    for line in &report.actions {
        writeln!(out, "  {}", visible(line)).unwrap_or_default();
    }
    let case = &report.case;
    writeln!(
        out,
        "\nSupport case\n  {}, {}, {}; severity: {}\n  contacts: {}",
        case.issue_type,
        case.service,
        case.category,
        case.severity,
        list(&case.contacts)
    )
    .unwrap_or_default();
    for line in &report.reminders {
        writeln!(out, "  {}", visible(line)).unwrap_or_default();
    }
    writeln!(out, "\nFor the case: bedrock-watch incident show {} --format markdown", report.id).unwrap_or_default();
    out
}

fn codes(items: &[String]) -> String {
    if items.is_empty() {
        return "none that is known".to_owned();
    }
    items.iter().map(|item| code(item)).collect::<Vec<_>>().join(", ")
}

/// A code span; nothing in it is Markdown.
fn code(text: &str) -> String {
    format!("`{}`", visible(text).to_string().replace('`', "'"))
}

/// Text in which nothing is Markdown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in visible(text).to_string().chars() {
        if "\\`*_[]<>#|!".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
