//! What `doctor` says about one link of the chain, and how it is written.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::facts::NotAsked;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It holds.
    Fine,
    /// It could not be checked; why stands in [`Finding::what`].
    NotChecked,
    /// It does not hold.
    Broken,
}

impl Verdict {
    /// The name in JSON and on the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::NotChecked => "not checked",
            Self::Broken => "broken",
        }
    }
}

/// How bad a broken link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something would be harder in an emergency.
    Low,
    /// Something would be lost, or not be seen.
    Medium,
    /// Events do not arrive.
    High,
}

impl Level {
    /// The name in JSON and on the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What mends a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub title: String,
    /// A command that can be pasted; empty where there is none.
    pub command: String,
}

/// What was found about one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which link: one word or two with a dash, the same in every version.
    pub link: &'static str,
    /// Which trail, rule, stream and so on; empty where there is only one.
    pub subject: String,
    /// How it is.
    pub verdict: Verdict,
    /// How bad it is, if it is broken.
    pub level: Option<Level>,
    /// What is so, in one sentence.
    pub what: String,
    /// What mends it.
    pub mend: Vec<Step>,
}

impl Finding {
    /// A link that holds.
    #[must_use]
    pub fn fine(link: &'static str, subject: impl Into<String>, what: impl Into<String>) -> Self {
        let (subject, what) = (subject.into(), what.into());
        Self { link, subject, verdict: Verdict::Fine, level: None, what, mend: Vec::new() }
    }

    /// A link that does not hold.
    #[must_use]
    pub fn broken(link: &'static str, subject: impl Into<String>, level: Level, what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Broken, level: Some(level), ..Self::fine(link, subject, what) }
    }

    /// A link that could not be checked.
    #[must_use]
    pub fn not_checked(link: &'static str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotChecked, ..Self::fine(link, subject, why) }
    }

    /// A link about which AWS could not be asked.
    #[must_use]
    pub fn not_asked(link: &'static str, subject: impl Into<String>, error: &NotAsked) -> Self {
        Self::not_checked(link, subject, error.to_string())
    }

    /// With a step that mends it.
    #[must_use]
    pub fn mended_by(mut self, title: impl Into<String>, command: impl Into<String>) -> Self {
        self.mend.push(Step { title: title.into(), command: command.into() });
        self
    }
}

/// Everything that was found, in the order of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a link is broken.
    #[must_use]
    pub fn found_something(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Broken)
    }

    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        let links: Vec<Value> = self.findings.iter().map(as_json).collect();
        let count = |verdict: Verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let summary = json!({
            "fine": count(Verdict::Fine),
            "not_checked": count(Verdict::NotChecked),
            "broken": count(Verdict::Broken),
        });
        format!("{}\n", json!({ "links": links, "summary": summary }))
    }

    /// For reading.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            line(&mut text, finding);
        }
        let count = |verdict: Verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (fine, unchecked, broken) = (count(Verdict::Fine), count(Verdict::NotChecked), count(Verdict::Broken));
        // Writing into a string cannot fail.
        let _infallible = writeln!(text, "\n{fine} fine, {broken} broken, {unchecked} not checked");
        text
    }
}

fn as_json(finding: &Finding) -> Value {
    let mend: Vec<Value> =
        finding.mend.iter().map(|step| json!({ "title": step.title, "command": step.command })).collect();
    json!({
        "link": finding.link,
        "subject": finding.subject,
        "verdict": finding.verdict.as_str().replace(' ', "_"),
        "level": finding.level.map(Level::as_str),
        "what": finding.what,
        "mend": mend,
    })
}

fn line(text: &mut String, finding: &Finding) {
    let verdict = match (finding.verdict, finding.level) {
        (Verdict::Broken, Some(level)) => format!("BROKEN ({})", level.as_str()),
        (verdict, _) => verdict.as_str().to_owned(),
    };
    let subject = if finding.subject.is_empty() { String::new() } else { format!(" {}", visible(&finding.subject)) };
    let _infallible = writeln!(text, "{verdict:<16} {}{subject}: {}", finding.link, visible(&finding.what));
    for step in &finding.mend {
        let _infallible = writeln!(text, "{:17}-> {}", "", visible(&step.title));
        for command in step.command.lines() {
            let _infallible = writeln!(text, "{:20}{}", "", visible(command));
        }
    }
}

/// Text of others, without what a terminal would obey.
fn visible(text: &str) -> String {
    bedrock_watch_service::format::visible(text).to_string()
}
