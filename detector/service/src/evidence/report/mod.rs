//! The report for an auditor: what the evidence of a period says, in the order of the criteria of SOC 2.
//!
//! Pure: entries in, a report out. Deliberately no judgement whether a control is good; it says what happened, when, and
//! what of the evidence is not as it was written.

mod markdown;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::runs::Runs;
use super::{
    chain::Entry,
    fact::{AlertFact, Answered, Counted, Delivered, Fact, Redriven, Rules, SilenceEnded, SilenceFact, Turn},
    reading::Period,
    verify::{Finding, Verdict},
};

pub use markdown::markdown;
pub use runs::{GapLine, RunLine};

/// The report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// From when on.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub to: Timestamp,
    /// Whether every entry is as it was written.
    pub whole: bool,
    /// Entries that are; those before the period that were needed to verify it are among them.
    pub entries: u64,
    /// What is not.
    pub findings: Vec<Finding>,
    /// Findings that are not listed.
    pub findings_not_listed: usize,
    /// When the detector ran, by run.
    pub runs: Vec<RunLine>,
    /// When no worker ran, between the first and the last entry of the period.
    pub not_running: Vec<GapLine>,
    /// When part of the protection did not work.
    pub gaps: Vec<GapLine>,
    /// The rules in force, at every change.
    pub rules: Vec<RulesLine>,
    /// The rules at the end of the period.
    pub rules_at_end: Vec<super::fact::RuleInForce>,
    /// Alerts that began in the period.
    pub alerts: Vec<AlertLine>,
    /// Who answered what.
    pub answers: Vec<AnswerLine>,
    /// Silences made.
    pub silences: Vec<SilenceLine>,
    /// What the configuration told nobody of.
    pub suppressions: Vec<SuppressionLine>,
    /// What sinks were told.
    pub sinks: BTreeMap<String, SinkLine>,
    /// Deliveries that were given up.
    pub given_up: Vec<GivenUpLine>,
    /// Times at which people had given-up deliveries made again, and how many.
    pub redriven: Vec<(Timestamp, Redriven)>,
    /// Canaries: sent, back and lost.
    pub canaries: (u64, u64, u64),
    /// What was counted, by name.
    pub counts: BTreeMap<String, u64>,
    /// Entries that a later version wrote, which this one cannot read.
    pub unknown: u64,
}

/// The rules at a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesLine {
    /// When.
    pub at: Timestamp,
    /// On which worker.
    pub worker: String,
    /// The digest of all of them.
    pub digest: String,
    /// How many.
    pub rules: usize,
    /// Not there before.
    pub added: Vec<String>,
    /// There no longer.
    pub removed: Vec<String>,
    /// Not as before.
    pub changed: Vec<String>,
    /// Whether it is what a run began with.
    pub at_start: bool,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertLine {
    /// When it began.
    pub at: Timestamp,
    /// Its id.
    pub alert: String,
    /// The rule.
    pub rule: String,
    /// How bad it was at worst.
    pub severity: String,
    /// The account.
    pub account: String,
    /// What it was about.
    pub subject: String,
    /// The time of the event that completed it.
    pub event: Timestamp,
    /// When the first sink was told, if any was.
    pub told_at: Option<Timestamp>,
    /// From the alert's beginning to the first sink that was told, in milliseconds.
    pub told_after_ms: Option<i64>,
    /// When it ended, and how: `resolved`, `withdrawn` or `answered`.
    pub ended: Option<(Timestamp, String)>,
    /// The silence that kept it from being told.
    pub silence: Option<String>,
    /// Why the configuration told nobody of it.
    pub suppressed: Option<String>,
}

/// What a person said of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerLine {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub answer: Answered,
    /// How long after the alert's beginning, in seconds, where that lies in the period.
    pub after_s: Option<i64>,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceLine {
    /// When it was made.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub silence: SilenceFact,
    /// When somebody ended it, if anybody did.
    pub ended_at: Option<Timestamp>,
}

/// Alerts of a rule that the configuration tells nobody of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SuppressionLine {
    /// The rule.
    pub rule: String,
    /// Why, as it is configured.
    pub reason: String,
    /// How many alerts.
    pub alerts: u64,
}

/// What a sink was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkLine {
    /// How often.
    pub delivered: u64,
    /// Of how many of these it had been tried in vain before.
    pub after_failures: u64,
    /// What was given up.
    pub given_up: u64,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUpLine {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: super::fact::GivenUp,
}

/// Takes entries and makes a report of them.
#[derive(Debug)]
pub struct Reporter {
    report: Report,
    runs: Runs,
    /// The place of each alert's last beginning in the report.
    alerts: BTreeMap<String, usize>,
    /// What sinks were told and people said before the alert was found: chains are read one after the other.
    told: Vec<(Timestamp, Delivered)>,
    turned: Vec<(Timestamp, String, Turn, String)>,
    silences_ended: BTreeMap<String, Timestamp>,
    suppressed: BTreeMap<(String, String), u64>,
    last_rules: Option<Timestamp>,
}

impl Reporter {
    /// A report of this period.
    #[must_use]
    pub fn new(period: Period) -> Self {
        Self {
            report: Report { from: period.from, to: period.to, ..Report::default() },
            runs: Runs::default(),
            alerts: BTreeMap::new(),
            told: Vec::new(),
            turned: Vec::new(),
            silences_ended: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            last_rules: None,
        }
    }

    /// Takes an entry; those of one chain in their order.
    pub fn take(&mut self, entry: Entry) {
        self.runs.take(&entry);
        let (at, worker) = (entry.at, entry.worker);
        match entry.fact {
            Fact::Rules(rules) => self.rules(at, worker, rules),
            Fact::Alert(fact) => self.alert(at, fact),
            Fact::Answered(answer) => {
                self.turned.push((at, answer.alert.clone(), Turn::Resolved, "answered".to_owned()));
                self.report.answers.push(AnswerLine { at, answer, after_s: None });
            }
            Fact::Silence(silence) => self.report.silences.push(SilenceLine { at, silence, ended_at: None }),
            Fact::SilenceEnded(SilenceEnded { silence }) => drop(self.silences_ended.insert(silence, at)),
            Fact::Delivered(delivered) => self.delivered(at, delivered),
            Fact::GivenUp(what) => {
                let sink = self.report.sinks.entry(what.sink.clone()).or_default();
                sink.given_up = sink.given_up.saturating_add(1);
                self.report.given_up.push(GivenUpLine { at, what });
            }
            Fact::Redriven(redriven) => self.report.redriven.push((at, redriven)),
            Fact::Counted(counted) => self.counted(&counted),
            Fact::Unknown => self.report.unknown = self.report.unknown.saturating_add(1),
            Fact::Started(_) | Fact::Stopped(_) | Fact::Gap(_) | Fact::GapOver(_) => {}
        }
    }

    fn rules(&mut self, at: Timestamp, worker: String, rules: Rules) {
        if rules.continued {
            if self.last_rules == Some(at) {
                self.report.rules_at_end.extend(rules.rules);
            }
            return;
        }
        self.report.rules.push(RulesLine {
            at,
            worker,
            digest: rules.digest,
            rules: rules.count,
            added: rules.added,
            removed: rules.removed,
            changed: rules.changed,
            at_start: rules.at_start,
        });
        if self.last_rules.is_none_or(|last| last <= at) {
            self.last_rules = Some(at);
            self.report.rules_at_end = rules.rules;
        }
    }

    fn alert(&mut self, at: Timestamp, fact: AlertFact) {
        if fact.turn != Turn::Begun {
            self.turned.push((at, fact.alert, fact.turn, fact.severity));
            return;
        }
        if let Some(reason) = &fact.suppressed {
            let count = self.suppressed.entry((fact.rule.clone(), reason.clone())).or_default();
            *count = count.saturating_add(1);
        }
        self.report.alerts.push(AlertLine {
            at,
            alert: fact.alert,
            rule: fact.rule,
            severity: fact.severity,
            account: fact.account,
            subject: fact.subject,
            event: fact.last_event,
            told_at: None,
            told_after_ms: None,
            ended: None,
            silence: fact.silence,
            suppressed: fact.suppressed,
        });
    }

    fn delivered(&mut self, at: Timestamp, delivered: Delivered) {
        let sink = self.report.sinks.entry(delivered.sink.clone()).or_default();
        sink.delivered = sink.delivered.saturating_add(1);
        sink.after_failures = sink.after_failures.saturating_add(u64::from(delivered.attempts > 0));
        self.told.push((at, delivered));
    }

    fn counted(&mut self, counted: &Counted) {
        let (sent, back, lost) = &mut self.report.canaries;
        *sent = sent.saturating_add(counted.canaries_sent);
        *back = back.saturating_add(counted.canaries_back);
        *lost = lost.saturating_add(counted.canaries_lost);
        for (name, count) in &counted.counts {
            let sum = self.report.counts.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// The report, with what came of verifying the entries.
    #[must_use]
    pub fn finish(mut self, verdict: Verdict) -> Report {
        self.report.alerts.sort_by(|one, other| (one.at, &one.alert).cmp(&(other.at, &other.alert)));
        self.told.sort_by_key(|(at, _)| *at);
        self.turned.sort_by_key(|(at, ..)| *at);
        for (index, alert) in self.report.alerts.iter().enumerate() {
            self.alerts.insert(alert.alert.clone(), index);
        }
        self.join_deliveries();
        self.join_turns();
        let Self { mut report, runs, silences_ended, suppressed, .. } = self;
        for silence in &mut report.silences {
            silence.ended_at = silences_ended.get(&silence.silence.silence).copied();
        }
        let line = |((rule, reason), alerts)| SuppressionLine { rule, reason, alerts };
        report.suppressions = suppressed.into_iter().map(line).collect();
        report.rules.sort_by(|one, other| (one.at, &one.worker).cmp(&(other.at, &other.worker)));
        report.answers.sort_by_key(|answer| answer.at);
        report.silences.sort_by_key(|silence| silence.at);
        report.given_up.sort_by_key(|line| line.at);
        (report.runs, report.not_running, report.gaps) = runs.finish();
        report.whole = verdict.findings.is_empty();
        report.entries = verdict.entries;
        report.findings = verdict.findings;
        report.findings_not_listed = verdict.passed_over;
        report
    }

    /// The beginning of an alert that something at this time is about: the last one before it.
    fn beginning(&self, alert: &str, at: Timestamp) -> Option<usize> {
        let last = *self.alerts.get(alert)?;
        let same =
            |index: &usize| self.report.alerts.get(*index).is_some_and(|line| line.alert == alert && line.at <= at);
        (0..=last).rev().find(same)
    }

    fn join_deliveries(&mut self) {
        for (at, delivered) in std::mem::take(&mut self.told) {
            let Some(index) = self.beginning(&delivered.alert, at) else { continue };
            if let Some(line) = self.report.alerts.get_mut(index)
                && line.told_at.is_none()
            {
                line.told_at = Some(at);
                line.told_after_ms = i64::try_from(at.duration_since(line.at).as_millis()).ok();
            }
        }
    }

    fn join_turns(&mut self) {
        for (at, alert, turn, word) in std::mem::take(&mut self.turned) {
            let Some(index) = self.beginning(&alert, at) else { continue };
            let Some(line) = self.report.alerts.get_mut(index) else { continue };
            let how = match turn {
                Turn::Severity => {
                    line.severity = worse(&line.severity, &word);
                    continue;
                }
                Turn::Withdrawn => "withdrawn",
                _ if word == "answered" => "answered",
                _ => "resolved",
            };
            line.ended = Some((at, how.to_owned()));
        }
        for answer in 0..self.report.answers.len() {
            let Some(line) = self.report.answers.get(answer) else { continue };
            let begun = self.beginning(&line.answer.alert, line.at).and_then(|index| self.report.alerts.get(index));
            let after = begun.map(|alert| line.at.duration_since(alert.at).as_secs());
            if let Some(line) = self.report.answers.get_mut(answer) {
                line.after_s = after;
            }
        }
    }
}

fn worse(one: &str, other: &str) -> String {
    use bedrock_watch_engine::alert::Severity;
    let rank = |name: &str| Severity::ALL.iter().position(|severity| severity.as_str() == name);
    if rank(other) > rank(one) { other.to_owned() } else { one.to_owned() }
}
