//! How much `compare`, `disorder` and `month` generate, and the budget that the result must keep to.
//!
//! The numbers stand in `scenarios/*.toml`, one file a measurement, so that a change of a budget is a change of data.

use anyhow::Context as _;
use serde::{Deserialize, de::DeserializeOwned};

/// Speed on one core, beside others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// Seed of the generator.
    pub seed: u64,
    /// Callers, picked by Zipf's law.
    pub principals: u32,
    /// Records.
    pub records: usize,
    /// Turns of each contender, of which the best counts.
    pub rounds: u32,
    /// Least records a second of CPU time for the mix.
    pub mix_records_per_second_min: f64,
    /// Least records a second of CPU time for invocations only.
    pub bedrock_records_per_second_min: f64,
}

/// Recall under delayed delivery.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disorder {
    /// Seed of the generator.
    pub seed: u64,
    /// Callers, each with one run of calls around the threshold.
    pub principals: u32,
    /// Least share of the bursts that must be found, of 1.
    pub recall_min: f64,
    /// Most callers without a burst that may be reported.
    pub false_alarms_max: usize,
}

/// A month of busy accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Month {
    /// Seed of the generator.
    pub seed: u64,
    /// Records, about.
    pub events: u64,
    /// Most alerts of level high or critical a week without an attack.
    pub pages_per_week_max: f64,
    /// Most alerts of other levels a week without an attack.
    pub alerts_per_week_max: f64,
    /// Least share of the attacks about which anything is told, of 1.
    pub recall_min: f64,
    /// Least share of the attacks with an alert of level high or critical, of 1.
    pub paged_min: f64,
    /// Most memory of the whole process, in MB.
    pub memory_mb_max: f64,
}

/// Reads a scenario file.
///
/// # Errors
/// When it is not as its type says.
pub fn read<S: DeserializeOwned>(name: &str, text: &str) -> anyhow::Result<S> {
    toml::from_str(text).with_context(|| format!("scenarios/{name}.toml"))
}

/// Collects what exceeds its budget.
#[derive(Debug, Default)]
pub struct Budget {
    broken: Vec<String>,
}

impl Budget {
    /// Notes a number that must not be smaller.
    pub fn at_least(&mut self, what: &str, number: f64, least: f64) {
        if number < least {
            self.broken.push(format!("{what} is {number:.2}, must be at least {least:.2}"));
        }
    }

    /// Notes a number that must not be greater.
    pub fn at_most(&mut self, what: &str, number: f64, most: f64) {
        if number > most {
            self.broken.push(format!("{what} is {number:.2}, must be at most {most:.2}"));
        }
    }

    /// Says whether every budget was kept, and which was not.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "the verdict is what the binary is for")]
    pub fn is_kept(self) -> bool {
        if self.broken.is_empty() {
            println!("\nbudget: kept");
        } else {
            println!("\nbudget exceeded: {}", self.broken.join("; "));
        }
        self.broken.is_empty()
    }
}
