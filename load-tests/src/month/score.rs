//! Counts what is told in the month: false alarms by rule, and which attack was found after how long.
//!
//! It knows no rule: an alert belongs to the attack whose mark it carries anywhere, and to nobody's attack otherwise.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::alert::{AlertChange, ChangeKind, Severity};
use bedrock_watch_load_tests::{
    generator::START,
    measure::real,
    scenario::{Budget, Month},
    table,
};

use super::attacks::{ATTACKS, Attack};

/// For so long an account learns what is normal, in days.
const LEARNING_DAYS: u32 = 7;
/// How long after its end an attack may still be found, in seconds.
const AFTER_S: u32 = 3_600;

/// What one rule said without an attack.
#[derive(Debug, Default)]
struct Told {
    by_severity: BTreeMap<Severity, u32>,
    /// While the account was learning.
    learning: u32,
    principals: BTreeSet<String>,
}

/// How an attack was found.
#[derive(Debug, Default)]
struct Found {
    /// Seconds from its beginning to the first alert.
    first: Option<u32>,
    /// The same, to the first alert that wakes somebody.
    first_page: Option<u32>,
    rules: BTreeSet<String>,
}

/// The count so far.
#[derive(Debug, Default)]
pub(super) struct Score {
    told: BTreeMap<String, Told>,
    /// Alerts without an attack, by id, with the severity counted; an alert that fires again is the same one.
    known: BTreeMap<String, Severity>,
    found: Vec<Found>,
}

impl Score {
    pub(super) fn new() -> Self {
        Self { found: ATTACKS.iter().map(|_| Found::default()).collect(), ..Self::default() }
    }

    /// Takes in what the engine said.
    pub(super) fn add(&mut self, changes: &[AlertChange]) {
        for change in changes {
            if !matches!(change.kind, ChangeKind::Fired | ChangeKind::Updated) {
                continue;
            }
            let text = format!("{:?}", change.alert);
            match ATTACKS.iter().zip(&mut self.found).find(|(attack, _)| text.contains(attack.mark)) {
                Some((attack, found)) => found.note(attack, change),
                None => self.note_false(change),
            }
        }
    }

    fn note_false(&mut self, change: &AlertChange) {
        let alert = &change.alert;
        let told = self.told.entry(alert.rule.clone()).or_default();
        match self.known.insert(alert.id.clone(), alert.severity) {
            Some(before) => {
                if let Some(count) = told.by_severity.get_mut(&before) {
                    *count = count.saturating_sub(1);
                }
            }
            None => {
                let day = alert.first_event_time.since(START) / 86_400;
                told.learning = told.learning.saturating_add(u32::from(day < LEARNING_DAYS));
                told.principals.insert(alert.principal.clone().unwrap_or_default());
            }
        }
        let count = told.by_severity.entry(alert.severity).or_default();
        *count = count.saturating_add(1);
    }

    /// Prints the tables and notes what exceeds the budget.
    #[expect(clippy::print_stdout, reason = "the tables are what the binary is for")]
    pub(super) fn print(&self, weeks: f64, scenario: &Month, budget: &mut Budget) {
        println!("\nAlerts without an attack, in {weeks:.1} weeks:\n");
        let mut total = [0_u32; 3];
        let rows: Vec<Vec<String>> = self.told.iter().map(|(rule, told)| told.row(rule, weeks, &mut total)).collect();
        let head =
            ["rule", "critical", "high", "medium", "low", "info", "of these while learning", "principals", "a week"];
        table::print(&head, &rows);
        let [pages, others, learning] = total;
        let of_learning: f64 = f64::from(LEARNING_DAYS) / 7.0;
        println!(
            "\npages (critical and high): {:.2} a week; other alerts: {:.2} a week; alerts while learning: {learning} in {of_learning:.0} week",
            f64::from(pages) / weeks,
            f64::from(others) / weeks,
        );
        budget.at_most("pages a week without an attack", f64::from(pages) / weeks, scenario.pages_per_week_max);
        budget.at_most(
            "other alerts a week without an attack",
            f64::from(others) / weeks,
            scenario.alerts_per_week_max,
        );
        self.print_recall(scenario, budget);
    }

    #[expect(clippy::print_stdout, reason = "the tables are what the binary is for")]
    fn print_recall(&self, scenario: &Month, budget: &mut Budget) {
        println!("\nAttacks:\n");
        let after = |seconds: Option<u32>| seconds.map_or_else(|| "missed".to_owned(), |found| format!("{found} s"));
        let row = |(attack, found): (&Attack, &Found)| {
            let rules: Vec<&str> = found.rules.iter().map(String::as_str).collect();
            vec![attack.name.to_owned(), after(found.first), after(found.first_page), rules.join(", ")]
        };
        let rows: Vec<Vec<String>> = ATTACKS.iter().zip(&self.found).map(row).collect();
        table::print(&["attack", "first alert after", "first page after", "rules"], &rows);
        let share = |is_found: fn(&Found) -> bool| {
            let count = self.found.iter().filter(|found| is_found(found)).count();
            real(u64::try_from(count).unwrap_or(0)) / real(u64::try_from(self.found.len().max(1)).unwrap_or(1))
        };
        let (found, paged) = (share(|found| found.first.is_some()), share(|found| found.first_page.is_some()));
        println!("\nrecall: {:.0} % found, {:.0} % with a page", found * 100.0, paged * 100.0);
        budget.at_least("share of attacks found", found, scenario.recall_min);
        budget.at_least("share of attacks with a page", paged, scenario.paged_min);
    }
}

impl Found {
    fn note(&mut self, attack: &Attack, change: &AlertChange) {
        let begins = attack.starts().start();
        let seen = change.alert.last_event_time.max(change.alert.first_event_time);
        let after = seen.since(begins);
        if seen < begins || after > attack.minutes.saturating_mul(60).saturating_add(AFTER_S) {
            return;
        }
        self.rules.insert(change.alert.rule.clone());
        let earlier = |known: Option<u32>| Some(known.map_or(after, |known| known.min(after)));
        self.first = earlier(self.first);
        if change.alert.severity >= Severity::High {
            self.first_page = earlier(self.first_page);
        }
    }
}

impl Told {
    /// A row of the table; adds pages, other alerts and alerts while learning to `total`.
    fn row(&self, rule: &str, weeks: f64, total: &mut [u32; 3]) -> Vec<String> {
        let count = |severity| self.by_severity.get(&severity).copied().unwrap_or(0);
        let counts = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Informational];
        let counts = counts.map(count);
        let [critical, high, medium, low, informational] = counts;
        let all: u32 = counts.iter().sum();
        let added =
            [critical.saturating_add(high), medium.saturating_add(low).saturating_add(informational), self.learning];
        for (sum, more) in total.iter_mut().zip(added) {
            *sum = sum.saturating_add(more);
        }
        let mut row = vec![rule.to_owned()];
        row.extend(counts.map(|count| count.to_string()));
        row.extend([
            self.learning.to_string(),
            self.principals.len().to_string(),
            format!("{:.2}", f64::from(all) / weeks),
        ]);
        row
    }
}
