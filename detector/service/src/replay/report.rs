//! What months of records would have meant for the people on call: alerts by rule, pages a week, who is noisy, and what
//! could be done about it.
//!
//! Memory does not grow with the records: names are counted in a bounded table that keeps the frequent ones
//! (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements", 2005), so a count may be too
//! high by what is stated beside it, and a frequent name is never missed.

use std::{collections::BTreeMap, fmt::Write as _};

use bedrock_watch_engine::{
    DAY_S, Second,
    alert::{AlertChange, ChangeKind, Severity},
};

/// Names that are counted for one rule at once.
const NAMES_MAX: usize = 256;
/// Names that are shown for one rule.
const NAMES_SHOWN: usize = 3;
/// Alerts of one principal from which on an exception is suggested.
const SUGGEST_ALERTS_MIN: u64 = 3;
/// The share of a rule's alerts, in percent, from which on a principal is what makes it noisy.
const SUGGEST_SHARE_PERCENT: u64 = 30;
/// Pages a week of one rule beyond which it is suggested to try it as a shadow.
const SHADOW_PAGES_A_WEEK: f64 = 7.0;
/// For how long a suggested exception holds, in days.
const EXCEPTION_DAYS: u32 = 90;

/// Counts how often each of many names occurs, in bounded memory.
#[derive(Debug, Clone, Default)]
struct Frequent {
    counts: BTreeMap<String, (u64, u64)>,
}

impl Frequent {
    fn add(&mut self, name: &str) {
        if let Some((count, _)) = self.counts.get_mut(name) {
            *count = count.saturating_add(1);
            return;
        }
        let mut error = 0;
        if self.counts.len() >= NAMES_MAX
            && let Some((rarest, (count, _))) = self.counts.iter().min_by_key(|(name, (count, _))| (*count, *name))
        {
            error = *count;
            let rarest = rarest.clone();
            self.counts.remove(&rarest);
        }
        self.counts.insert(name.to_owned(), (error.saturating_add(1), error));
    }

    /// The most frequent ones: name, count, and by how much the count may be too high.
    fn most(&self, shown: usize) -> Vec<(&str, u64, u64)> {
        let mut all: Vec<_> =
            self.counts.iter().map(|(name, (count, error))| (name.as_str(), *count, *error)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(shown);
        all
    }
}

/// What one rule did.
#[derive(Debug, Clone, Default)]
struct OfRule {
    fired: [u64; Severity::ALL.len()],
    withdrawn: u64,
    principals: Frequent,
}

impl OfRule {
    fn alerts(&self) -> u64 {
        self.fired.iter().sum()
    }

    fn pages(&self) -> u64 {
        let pages = |severity: Severity| self.fired.get(severity.rank()).copied().unwrap_or(0);
        pages(Severity::High).saturating_add(pages(Severity::Critical))
    }
}

/// Gathers what happens while records are replayed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    rules: BTreeMap<String, OfRule>,
    first: Option<Second>,
    last: Second,
}

impl Report {
    /// Takes in a change of an alert.
    pub fn note(&mut self, change: &AlertChange) {
        let alert = &change.alert;
        let rule = self.rules.entry(alert.rule.clone()).or_default();
        match change.kind {
            ChangeKind::Fired => {
                if let Some(count) = rule.fired.get_mut(alert.severity.rank()) {
                    *count = count.saturating_add(1);
                }
                rule.principals.add(alert.principal.as_deref().unwrap_or("(nobody in particular)"));
            }
            ChangeKind::Withdrawn => rule.withdrawn = rule.withdrawn.saturating_add(1),
            ChangeKind::Updated | ChangeKind::Resolved => {}
        }
    }

    /// Takes notice of how far time has come.
    pub fn advance(&mut self, now: Second) {
        self.first = Some(self.first.map_or(now, |first| first.min(now)));
        self.last = self.last.max(now);
    }

    /// Days of event time that the records span, at least one.
    #[must_use]
    pub fn days(&self) -> f64 {
        let seconds = self.first.map_or(0, |first| self.last.since(first));
        (f64::from(seconds) / f64::from(DAY_S)).max(1.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a projection for people; the last digits do not matter")]
    fn a_week(&self, count: u64) -> f64 {
        count as f64 / self.days() * 7.0
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let rule = |(id, rule): (&String, &OfRule)| {
            let fired: serde_json::Map<String, serde_json::Value> = Severity::ALL
                .into_iter()
                .map(|severity| {
                    let count = rule.fired.get(severity.rank()).copied().unwrap_or(0);
                    (severity.as_str().to_owned(), count.into())
                })
                .collect();
            let principals = rule.principals.most(NAMES_SHOWN).into_iter();
            let principals = principals.map(|(name, alerts, error)| {
                serde_json::json!({ "principal": name, "alerts": alerts, "at_most_too_high_by": error })
            });
            serde_json::json!({
                "rule": id,
                "fired": fired,
                "withdrawn": rule.withdrawn,
                "pages_a_week": tenths(self.a_week(rule.pages())),
                "principals": principals.collect::<Vec<_>>(),
            })
        };
        let pages = self.rules.values().map(OfRule::pages).fold(0, u64::saturating_add);
        serde_json::json!({
            "from": self.first.map(Second::to_rfc3339),
            "to": self.last.to_rfc3339(),
            "days": tenths(self.days()),
            "pages_a_week": tenths(self.a_week(pages)),
            "rules": self.sorted().into_iter().map(rule).collect::<Vec<_>>(),
            "suggested": self.suggested(),
        })
    }

    /// Rules, the noisiest first.
    fn sorted(&self) -> Vec<(&String, &OfRule)> {
        let mut rules: Vec<_> = self.rules.iter().filter(|(_, rule)| rule.alerts() > 0).collect();
        rules.sort_by(|a, b| (b.1.pages(), b.1.alerts()).cmp(&(a.1.pages(), a.1.alerts())).then(a.0.cmp(b.0)));
        rules
    }

    /// The report for people: heading, and rows of a table.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for (id, rule) in self.sorted() {
            let counts = Severity::ALL.into_iter().rev().map(|severity| {
                let count = rule.fired.get(severity.rank()).copied().unwrap_or(0);
                if count == 0 { "-".to_owned() } else { count.to_string() }
            });
            let noisiest = rule
                .principals
                .most(1)
                .first()
                .map_or_else(String::new, |(name, count, _)| format!("{name} ({count} of {})", rule.alerts()));
            let row = std::iter::once(id.clone()).chain(counts);
            let rest = [rule.withdrawn.to_string(), format!("{:.1}", self.a_week(rule.pages())), noisiest];
            rows.push(row.chain(rest).collect());
        }
        rows
    }

    /// A sentence about all rules together.
    #[must_use]
    pub fn headline(&self) -> String {
        let (alerts, pages) = self.rules.values().fold((0_u64, 0_u64), |(alerts, pages), rule| {
            (alerts.saturating_add(rule.alerts()), pages.saturating_add(rule.pages()))
        });
        format!(
            "{alerts} alerts in {:.1} days, {pages} of them high or critical: {:.1} pages a week",
            self.days(),
            self.a_week(pages)
        )
    }

    /// What could be written into the configuration, all of it commented out: whether something is meant to be, only
    /// people know.
    #[must_use]
    pub fn suggested(&self) -> String {
        let mut text = String::new();
        let until = self.last.plus(EXCEPTION_DAYS.saturating_mul(DAY_S)).to_rfc3339();
        for (id, rule) in self.sorted() {
            let alerts = rule.alerts();
            let mut suggested = false;
            for (name, count, error) in rule.principals.most(NAMES_SHOWN) {
                let sure = count.saturating_sub(error);
                let share = sure.saturating_mul(100).checked_div(alerts).unwrap_or(0);
                if sure < SUGGEST_ALERTS_MIN || share < SUGGEST_SHARE_PERCENT || name.starts_with('(') {
                    continue;
                }
                suggested = true;
                // Writing into a string cannot fail.
                let _infallible = write!(
                    text,
                    "# {sure} of {alerts} alerts of {id} are about this principal. If it is meant to do so:\n\
                     # [[rules.{}.exclude]]\n# principals = [{}]\n# reason = \"\"\n# expires = \"{until}\"\n\n",
                    key(id),
                    quoted(name)
                );
            }
            if !suggested && self.a_week(rule.pages()) > SHADOW_PAGES_A_WEEK {
                let _infallible = write!(
                    text,
                    "# {id} would page {:.1} times a week, and no single principal is behind it. To watch it for a \
                     while:\n# [rules.{}]\n# mode = \"shadow\"\n\n",
                    self.a_week(rule.pages()),
                    key(id)
                );
            }
        }
        text
    }
}

/// A key of TOML; `many-failures/failed` needs quotes.
fn key(name: &str) -> String {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A text of TOML on one line, and of exactly this principal: `*` would be a wildcard.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '*' | '?' => {
                // Sigma's own escape, of which TOML wants its own.
                out.push_str("\\\\");
                out.push(character);
            }
            other if other.is_control() || ('\u{200b}'..='\u{206f}').contains(&other) => {
                let _infallible = write!(out, "\\u{:04X}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::alert::Alert;

    use super::*;
    use crate::format::sample;

    fn fired(rule: &str, principal: &str, severity: Severity) -> AlertChange {
        let alert = Alert { rule: rule.to_owned(), principal: Some(principal.to_owned()), severity, ..sample::alert() };
        AlertChange { kind: ChangeKind::Fired, alert }
    }

    #[test]
    fn projects_pages_and_suggests_exceptions() {
        let mut report = Report::default();
        report.advance(Second(1_795_046_400));
        (0..8).for_each(|_| report.note(&fired("burst", "role/batch", Severity::High)));
        (0..2).for_each(|n| report.note(&fired("burst", &format!("role/{n}"), Severity::High)));
        (0..40).for_each(|n| report.note(&fired("probing", &format!("role/{n}"), Severity::Critical)));
        report.note(&fired("quiet", "role/a", Severity::Low));
        report.advance(Second(1_795_046_400 + 14 * DAY_S));
        assert_eq!(report.headline(), "51 alerts in 14.0 days, 50 of them high or critical: 25.0 pages a week");
        let rows = report.rows();
        let ids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(ids, ["probing", "burst", "quiet"]);
        assert_eq!(rows[1][7..], ["5.0", "role/batch (8 of 10)"].map(str::to_owned));
        let text = report.suggested();
        assert!(
            text.contains("# 8 of 10 alerts of burst") && text.contains("# principals = [\"role/batch\"]"),
            "{text}"
        );
        assert!(text.contains("# [rules.probing]\n# mode = \"shadow\""), "{text}");
        assert!(
            !text.contains("quiet") && text.lines().all(|line| line.is_empty() || line.starts_with("# ")),
            "{text}"
        );
    }

    #[test]
    fn frequent_names_are_never_missed_and_memory_is_bounded() {
        let mut names = Frequent::default();
        for n in 0..10_000_u32 {
            names.add(&format!("rare-{n}"));
            if n % 5 == 0 {
                names.add("frequent");
            }
        }
        assert!(names.counts.len() <= NAMES_MAX);
        let most = names.most(1);
        let (name, count, error) = most[0];
        assert!(name == "frequent" && count - error <= 2_000 && count >= 2_000, "{most:?}");
    }

    #[test]
    fn a_hostile_principal_stays_a_comment() {
        let mut report = Report::default();
        report.advance(Second(1_795_046_400));
        (0..5).for_each(|_| report.note(&fired("burst", "x\"]\n[http]\nlisten=*", Severity::High)));
        let text = report.suggested();
        assert!(text.contains("\"x\\\"]\\u000A[http]\\u000Alisten=\\\\*\""), "{text}");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with("# ")), "{text}");
    }
}
