//! An alert as a block of text for the person who is called.
//!
//! Every string in it may have been chosen by an attacker, so all of them go through [`visible`]. Colour is added only
//! when asked for: this module knows no terminal.

use bedrock_watch_engine::alert::{Alert, AlertChange, ChangeKind, Severity};
use serde_json::Value;

use super::visible;

/// Whether escape sequences for colour are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Always,
    /// For everything else.
    Never,
}

/// At most this many jobs, list elements and commands are shown; the JSON form has them all.
const SHOWN_MAX: usize = 5;
/// At most this much of a user agent is shown.
const USER_AGENT_CHARACTERS_MAX: usize = 60;

/// The block, with an empty line after it. A change of an alert that was told in full is told in a few lines.
pub(super) fn render(change: &AlertChange, colour: Colour) -> String {
    let alert = &change.alert;
    let mut block = Block { text: String::new() };
    let heading = format!("{} {}", alert.severity.as_str().to_uppercase(), told_as(change));
    block.line(&format!("{}  {}", paint(&heading, alert.severity, change.kind, colour), visible(&alert.title)));
    block.line(&format!("  {}", visible(&alert.summary)));
    block.row("when", &when(alert));
    if change.kind == ChangeKind::Fired {
        let region = alert.region.as_deref().unwrap_or("several regions");
        block.row("who", &who(alert));
        block.row("where", &format!("account {}, {region}", alert.account));
        block.row("about", &format!("{} {}", alert.subject_kind.as_str().replace('_', " "), alert.subject_id));
        block.jobs(alert);
        block.row("facts", &facts(alert));
        block.first_steps(alert);
        block.row("runbook", &alert.runbook);
    } else if let Some(reason) = alert.facts.get("reason").and_then(Value::as_str) {
        block.row("because", reason);
    }
    block.row("id", &alert.id);
    block.text.push('\n');
    block.text
}

const fn told_as(change: &AlertChange) -> &'static str {
    match change.kind {
        ChangeKind::Fired => "firing",
        ChangeKind::Updated => "still firing",
        ChangeKind::Resolved => "resolved",
        ChangeKind::Withdrawn => "withdrawn",
    }
}

fn paint(text: &str, severity: Severity, kind: ChangeKind, colour: Colour) -> String {
    let code = match (kind, severity) {
        (ChangeKind::Resolved | ChangeKind::Withdrawn, _) => "32",
        (_, Severity::Critical) => "1;31",
        (_, Severity::High) => "31",
        (_, Severity::Medium) => "33",
        (_, Severity::Low | Severity::Informational) => "36",
    };
    match colour {
        Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        Colour::Never => text.to_owned(),
    }
}

fn who(alert: &Alert) -> String {
    let actor = &alert.actor;
    let mut text = alert.principal.clone().or_else(|| actor.arn.clone()).unwrap_or_default();
    if let Some(session) = &actor.session_name {
        text = format!("{text} as session {session}");
    }
    let details = [
        ("key ", actor.access_key_id.clone()),
        ("from ", actor.source_ip.clone()),
        ("with ", actor.user_agent.as_deref().map(shortened)),
        ("through ", actor.via.clone()),
        ("running as ", actor.workload.clone()),
    ];
    let details: Vec<String> =
        details.into_iter().filter_map(|(word, value)| value.map(|value| format!("{word}{value}"))).collect();
    if details.is_empty() { text } else { format!("{text} ({})", details.join(", ")) }
}

/// Nobody needs all of a user agent to recognise it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(USER_AGENT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

fn when(alert: &Alert) -> String {
    let (first, last) = (alert.first_event_time, alert.last_event_time);
    let events = if alert.event_count == 1 { "1 event".to_owned() } else { format!("{} events", alert.event_count) };
    if first == last {
        return format!("{}, {events}", first.to_rfc3339());
    }
    format!("{} to {}, {events}", first.to_rfc3339(), last.to_rfc3339())
}

fn facts(alert: &Alert) -> String {
    let shown = alert.facts.iter().filter(|(name, _)| name.as_str() != "jobs");
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name} {}", fact(value))).collect();
    shown.join("; ")
}

fn fact(value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let mut names: Vec<String> = items.iter().take(SHOWN_MAX).map(fact).collect();
            if items.len() > SHOWN_MAX {
                names.push(format!("and {} more", items.len().saturating_sub(SHOWN_MAX)));
            }
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        }
        other => other.to_string(),
    }
}

struct Block {
    text: String,
}

impl Block {
    /// A line whose strings are already made visible.
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(&format!("  {name:<9}{}", visible(value)));
        }
    }

    fn jobs(&mut self, alert: &Alert) {
        let Some(jobs) = alert.facts.get("jobs").and_then(Value::as_array) else { return };
        for (position, job) in jobs.iter().take(SHOWN_MAX).enumerate() {
            let field = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or("?");
            let name = if position == 0 { "jobs" } else { "" };
            self.row(name, &format!("{} ({}) {}", field("name"), field("status"), field("arn")));
        }
        if jobs.len() > SHOWN_MAX {
            self.row("", &format!("and {} more", jobs.len().saturating_sub(SHOWN_MAX)));
        }
    }

    fn first_steps(&mut self, alert: &Alert) {
        for (position, step) in alert.remediation().iter().take(SHOWN_MAX).enumerate() {
            let name = if position == 0 { "first" } else { "" };
            self.row(name, &format!("{}. {}", position.saturating_add(1), step.title));
            for command in step.command.lines() {
                self.line(&format!("             {}", visible(command)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn tells_who_what_where_and_what_to_do() {
        let text = render(&sample::fired(), Colour::Never);
        let wanted = [
            "CRITICAL firing  Security group",
            "mallory deleted sg-0aaa",
            "key AKIAIOSFODNN7EXAMPLE",
            "from 198.51.100.7",
            "account 111122223333, us-east-1",
            "2025-11-18T13:00:00Z",
            "support-tone (InProgress) arn:aws:bedrock",
            "1. Recreate the group",
            "aws ec2 create-security-group \\\n",
            "runbook.md",
        ];
        for part in wanted {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("fake")), "{text}");
    }

    #[test]
    fn a_change_is_told_in_a_few_lines() {
        for (kind, told) in [(ChangeKind::Updated, "still firing"), (ChangeKind::Resolved, "resolved")] {
            let text = render(&AlertChange { kind, ..sample::fired() }, Colour::Never);
            assert!(text.starts_with(&format!("CRITICAL {told}  ")), "{text}");
            assert!(text.lines().count() <= 5 && !text.contains("aws ec2"), "{text}");
        }
    }

    #[test]
    fn colours_only_when_told_and_only_the_heading() {
        let text = render(&sample::fired(), Colour::Always);
        assert!(text.starts_with("\u{1b}[1;31mCRITICAL firing\u{1b}[0m  "), "{text}");
        assert_eq!(text.matches('\u{1b}').count(), 2);
    }
}
