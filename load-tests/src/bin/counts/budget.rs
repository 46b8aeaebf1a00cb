//! `counts.toml`: what a record of each case may cost.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

/// The budgets of all cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    tolerance_percent: f64,
    #[serde(default, rename = "case")]
    cases: Vec<Budget>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    name: String,
    /// Instructions a record.
    instructions: u64,
    /// How much more is still within the budget, where it is not what all others have.
    tolerance_percent: Option<f64>,
}

/// What is to be said of a case.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) text: String,
    pub(crate) is_failure: bool,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("counts.toml")
}

impl Budgets {
    pub(crate) fn read() -> anyhow::Result<Self> {
        Ok(toml::from_str(&fs::read_to_string(path())?)?)
    }

    pub(crate) fn of(&self, case: &str) -> Option<u64> {
        self.cases.iter().find(|budget| budget.name == case).map(|budget| budget.instructions)
    }

    /// By how much more than its budget a case costs.
    pub(crate) fn change_percent(&self, case: &str, counted: f64) -> Option<f64> {
        self.of(case).map(|budget| (counted / budget as f64 - 1.0) * 100.0)
    }

    /// What is wrong, or could be tightened, about a case.
    pub(crate) fn verdict(&self, case: &str, counted: f64) -> Option<Verdict> {
        let Some(change) = self.change_percent(case, counted) else {
            let text = format!("{case}: no budget; `--write` sets it");
            return Some(Verdict { text, is_failure: true });
        };
        let tolerance = self.tolerance_percent(case);
        if change > tolerance {
            let text = format!("{case}: {change:.1} % more than its budget, {tolerance} % are allowed");
            return Some(Verdict { text, is_failure: true });
        }
        (change < -tolerance).then(|| {
            let text = format!("{case}: {:.1} % less than its budget; `--write` keeps what was gained", -change);
            Verdict { text, is_failure: false }
        })
    }

    fn tolerance_percent(&self, case: &str) -> f64 {
        let own = self.cases.iter().find(|budget| budget.name == case).and_then(|budget| budget.tolerance_percent);
        own.unwrap_or(self.tolerance_percent)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of instructions is neither")]
    pub(crate) fn set(&mut self, case: &str, counted: f64) {
        let instructions = counted.round() as u64;
        match self.cases.iter_mut().find(|budget| budget.name == case) {
            Some(budget) => budget.instructions = instructions,
            None => self.cases.push(Budget { name: case.to_owned(), instructions, tolerance_percent: None }),
        }
    }

    /// Writes the cases anew, below what stands above the first of them.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let present = fs::read_to_string(path())?;
        let head = present.split("[[case]]").next().unwrap_or_default().trim_end();
        let case = |budget: &Budget| {
            let own = budget.tolerance_percent.map(|percent| format!("tolerance_percent = {percent:?}\n"));
            let Budget { name, instructions, .. } = budget;
            format!("\n[[case]]\nname = \"{name}\"\ninstructions = {instructions}\n{}", own.unwrap_or_default())
        };
        let text = format!("{head}\n{}", self.cases.iter().map(case).collect::<String>());
        fs::write(path(), text).context("writing counts.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_past_its_tolerance_fails() {
        let budgets: Budgets = toml::from_str(
            "tolerance_percent = 3.0\n[[case]]\nname = \"a\"\ninstructions = 1000\n\
             [[case]]\nname = \"b\"\ninstructions = 1000\ntolerance_percent = 10.0\n",
        )
        .unwrap();
        let check = |case, counted, expected: Option<bool>| {
            let verdict = budgets.verdict(case, counted).map(|verdict| verdict.is_failure);
            assert_eq!(verdict, expected, "{case} at {counted}");
        };
        check("a", 1_029.0, None);
        check("a", 1_031.0, Some(true));
        check("a", 960.0, Some(false));
        check("b", 1_099.0, None);
        check("b", 1_101.0, Some(true));
        check("unknown", 1.0, Some(true));
    }
}
