//! Scenarios: how much is generated, and the budget that the result must keep to.
//!
//! The numbers stand in `scenarios/*.toml`, one file a measurement, so that a change of a budget is a change of data.

use anyhow::{Context as _, bail};
use serde::{Deserialize, de::DeserializeOwned};

/// Speed on one core.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// Seed of the generator.
    pub seed: u64,
    /// Callers, picked by Zipf's law.
    pub principals: u32,
    /// Records of each stream.
    pub records: u64,
    /// Records generated and judged at a time.
    pub chunk: usize,
    /// Least records a second of CPU time for the mix.
    pub mix_records_per_second_min: f64,
    /// Least records a second of CPU time for invocations only.
    pub bedrock_records_per_second_min: f64,
}

/// Memory for many principals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principals {
    /// Seed of the generator.
    pub seed: u64,
    /// Callers, each as often as the others.
    pub principals: u32,
    /// Calls of each.
    pub calls: u32,
    /// Event time between two calls of the same caller, in seconds.
    pub every_s: u32,
    /// Most bytes of live heap a principal, once the allowed lateness has passed.
    pub bytes_per_principal_max: f64,
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

/// Time from a record to the receipt of its alert.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Seed of the generator.
    pub seed: u64,
    /// Callers, picked by Zipf's law.
    pub principals: u32,
    /// Records posted a second, one run for each.
    pub rates: Vec<u32>,
    /// How long a run lasts, in seconds.
    pub seconds: u32,
    /// Records in one request.
    pub batch: u32,
    /// Alerts caused a second.
    pub alerts_per_second: u32,
    /// The 99th percentile at most, at the first rate, in milliseconds.
    pub p99_ms_max: f64,
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

    /// Says whether every budget was kept.
    ///
    /// # Errors
    /// When one was not and `enforced` is set.
    #[expect(clippy::print_stdout, reason = "the verdict is what the binary is for")]
    pub fn finish(self, enforced: bool) -> anyhow::Result<()> {
        if self.broken.is_empty() {
            println!("\nbudget: kept");
            return Ok(());
        }
        let broken = self.broken.join("; ");
        if enforced {
            bail!("budget exceeded: {broken}");
        }
        println!("\nbudget exceeded: {broken}");
        Ok(())
    }
}
