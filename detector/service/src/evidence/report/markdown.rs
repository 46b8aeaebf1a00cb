//! The report as Markdown: what an auditor reads, criterion by criterion.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{AlertLine, GapLine, Report};
use crate::format::visible;

/// Letters of a digest that are shown.
const DIGEST_LETTERS: usize = 16;

/// The report for people.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    access(&mut out, report);
    monitoring(&mut out, report);
    evaluation(&mut out, report);
    response(&mut out, report);
    rules(&mut out, report);
    out
}

/// Adds text; writing to a `String` cannot fail.
macro_rules! say {
    ($out:expr, $($arguments:tt)*) => { writeln!($out, $($arguments)*).unwrap_or_default() };
}

fn head(out: &mut String, report: &Report) {
    say!(out, "# Evidence of bedrock-watch\n");
    say!(out, "Period: {} to {} (exclusive), UTC.\n", period(report.from), period(report.to));
    if report.whole {
        say!(
            out,
            "**The evidence is whole.** {} entries were verified: none was changed, removed, moved or added.",
            report.entries
        );
    } else {
        let all = report.findings.len().saturating_add(report.findings_not_listed);
        say!(
            out,
            "**The evidence is NOT whole.** {all} findings; {} entries are as they were written.\n",
            report.entries
        );
        let rows = report.findings.iter().map(|finding| {
            let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
            let line = number(finding.line.and_then(|line| u64::try_from(line).ok()));
            vec![finding.worker.clone(), number(finding.seq), finding.file.clone(), line, finding.what.clone()]
        });
        table(out, &["Worker", "Entry", "File", "Line", "What is wrong"], rows.collect());
    }
    if report.unknown > 0 {
        say!(
            out,
            "\n{} entries are of a kind that a later version writes; they are verified and not shown.",
            report.unknown
        );
    }
}

fn access(out: &mut String, report: &Report) {
    say!(out, "\n## CC6.1: what protects, and who changed it\n");
    say!(out, "### Runs\n");
    let rows = report.runs.iter().map(|run| {
        vec![
            run.worker.clone(),
            time(run.from),
            time(run.to),
            run.ended.clone(),
            run.version.clone().unwrap_or_default(),
            digest(run.configuration.as_deref().unwrap_or_default()),
            run.entries.to_string(),
        ]
    });
    table(out, &["Worker", "From", "To", "Ended", "Version", "Configuration", "Entries"], rows.collect());
    say!(out, "\n### Changes of the rules\n");
    let rows = report.rules.iter().map(|line| {
        let mut said: Vec<String> = Vec::new();
        for (what, rules) in [("added", &line.added), ("removed", &line.removed), ("changed", &line.changed)] {
            if !rules.is_empty() {
                said.push(format!("{what}: {}", rules.join(", ")));
            }
        }
        let what = if line.at_start { "in force at the start".to_owned() } else { said.join("; ") };
        vec![time(line.at), line.worker.clone(), digest(&line.digest), line.rules.to_string(), what]
    });
    table(out, &["Time", "Worker", "Rules' digest", "Rules", "What changed"], rows.collect());
    say!(out, "\n### Silences, by people\n");
    let rows = report.silences.iter().map(|line| {
        let silence = &line.silence;
        let ended = line.ended_at.map_or_else(|| time(silence.ends_at), |at| format!("{} (ended by hand)", time(at)));
        let what = serde_json::to_value(&silence.matcher).unwrap_or_default();
        let what = what
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_str()?)));
        vec![
            time(silence.starts_at),
            ended,
            silence.author.clone(),
            silence.reason.clone(),
            what.collect::<Vec<_>>().join(", "),
            silence.silence.clone(),
        ]
    });
    table(out, &["From", "To", "Who", "Why", "Which alerts", "Id"], rows.collect());
    say!(out, "\n### Suppressed by configuration\n");
    let rows =
        report.suppressions.iter().map(|line| vec![line.rule.clone(), line.reason.clone(), line.alerts.to_string()]);
    table(out, &["Rule", "Why", "Alerts"], rows.collect());
}

fn monitoring(out: &mut String, report: &Report) {
    say!(out, "\n## CC7.2: monitoring\n");
    say!(out, "### When no worker ran\n");
    gaps(out, &report.not_running);
    say!(out, "\n### When part of the protection did not work\n");
    gaps(out, &report.gaps);
    let (sent, back, lost) = report.canaries;
    say!(out, "\n### Canaries\n");
    say!(out, "{sent} sent, {back} came back, {lost} lost.\n");
    say!(out, "### What was counted\n");
    let rows = report.counts.iter().map(|(name, count)| vec![name.clone(), count.to_string()]);
    table(out, &["What", "How many"], rows.collect());
}

fn rules(out: &mut String, report: &Report) {
    say!(out, "\n## Appendix: the rules in force at the end (CC7.2)\n");
    let rows = report.rules_at_end.iter().map(|rule| {
        let thresholds: Vec<String> = rule.thresholds.iter().map(|(name, value)| format!("{name} {value}")).collect();
        vec![
            rule.id.clone(),
            rule.mode.clone(),
            rule.level.clone(),
            digest(&rule.digest),
            thresholds.join(", "),
            rule.exceptions.join("; "),
        ]
    });
    table(out, &["Rule", "Mode", "Level", "File's SHA-256", "Thresholds", "Exceptions"], rows.collect());
}

fn evaluation(out: &mut String, report: &Report) {
    say!(out, "\n## CC7.3: what was found, and how soon it was told\n");
    let told: Vec<i64> = report.alerts.iter().filter_map(|alert| alert.told_after_ms).collect();
    say!(out, "{} alerts began; {} of them were told.", report.alerts.len(), told.len());
    if let Some((median, worst)) = spread(told) {
        say!(out, "From the decision to the first sink: median {median} ms, at most {worst} ms.");
    }
    say!(out, "");
    let rows = report.alerts.iter().map(|alert| {
        vec![
            time(alert.at),
            alert.rule.clone(),
            alert.severity.clone(),
            alert.account.clone(),
            alert.subject.clone(),
            told_of(alert),
            alert.ended.as_ref().map_or_else(String::new, |(at, how)| format!("{how} {}", time(*at))),
            alert.alert.clone(),
        ]
    });
    table(out, &["Began", "Rule", "Severity", "Account", "About", "Told", "Ended", "Id"], rows.collect());
}

fn told_of(alert: &AlertLine) -> String {
    match (alert.told_after_ms, &alert.silence, &alert.suppressed) {
        (Some(after), ..) => format!("after {after} ms"),
        (None, Some(silence), _) => format!("silenced ({silence})"),
        (None, None, Some(reason)) => format!("suppressed ({reason})"),
        (None, None, None) => "not told".to_owned(),
    }
}

fn response(out: &mut String, report: &Report) {
    say!(out, "\n## CC7.4: what was done about it\n");
    say!(out, "### Alerts that people resolved\n");
    let rows = report.answers.iter().map(|line| {
        let after = line.after_s.map_or_else(String::new, |after| format!("{after} s"));
        let answer = &line.answer;
        let (author, reason) = (answer.author.clone(), answer.reason.clone());
        vec![time(line.at), answer.rule.clone(), author, reason, after, answer.alert.clone()]
    });
    table(out, &["Time", "Rule", "Who", "Why", "After", "Alert"], rows.collect());
    say!(out, "\n### Deliveries\n");
    let rows = report.sinks.iter().map(|(sink, line)| {
        vec![sink.clone(), line.delivered.to_string(), line.after_failures.to_string(), line.given_up.to_string()]
    });
    table(out, &["Sink", "Delivered", "Of these after failures", "Given up"], rows.collect());
    say!(out, "\n### Deliveries that were given up\n");
    let rows = report.given_up.iter().map(|line| {
        let what = &line.what;
        let attempts = what.attempts.to_string();
        vec![time(line.at), what.sink.clone(), what.rule.clone(), attempts, what.error.clone(), what.alert.clone()]
    });
    table(out, &["Time", "Sink", "Rule", "Attempts", "Error", "Alert"], rows.collect());
    for (at, redriven) in &report.redriven {
        let sink = redriven.sink.as_deref().unwrap_or("every sink");
        say!(out, "\n{}: {} deliveries to {} were made again.", time(*at), redriven.deliveries, visible(sink));
    }
}

fn gaps(out: &mut String, gaps: &[GapLine]) {
    let rows = gaps.iter().map(|gap| {
        let to = gap.to.map_or_else(|| "no end in the period".to_owned(), time);
        let lasted = gap.to.map_or_else(String::new, |to| format!("{} s", to.duration_since(gap.from).as_secs()));
        vec![gap.part.clone(), time(gap.from), to, lasted, gap.reason.clone(), gap.worker.clone()]
    });
    table(out, &["Part", "From", "To", "Lasted", "Why", "Worker"], rows.collect());
}

/// A table, or that there is nothing.
fn table(out: &mut String, heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        say!(out, "None.");
        return;
    }
    say!(out, "| {} |", heads.join(" | "));
    say!(out, "|{}", "---|".repeat(heads.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        say!(out, "| {} |", cells.join(" | "));
    }
}

/// Text of others, which must not become markup or leave its cell.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in visible(text).to_string().chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' | '\r' => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn period(at: Timestamp) -> String {
    if at == Timestamp::MIN { "the beginning".to_owned() } else { time(at) }
}

fn digest(digest: &str) -> String {
    digest.chars().take(DIGEST_LETTERS).collect()
}

/// The median and the greatest.
fn spread(mut all: Vec<i64>) -> Option<(i64, i64)> {
    all.sort_unstable();
    Some((*all.get(all.len() / 2)?, *all.last()?))
}
