//! Scenarios of `run`: what is sent where, and what it may cost.
//!
//! A scenario yields figures with names, and its budget bounds them by name: `p99_ms_max` is the most that the figure
//! `p99_ms` may be, `records_per_second_min` the least. A budget for a figure that the scenario does not yield is broken.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::generator::{Callers, Shares};

/// The scenarios, in the order in which they are played.
const ALL: [(&str, &str); 13] = [
    ("steady", include_str!("../scenarios/steady.toml")),
    ("spike", include_str!("../scenarios/spike.toml")),
    ("fast", include_str!("../scenarios/fast.toml")),
    ("storm", include_str!("../scenarios/storm.toml")),
    ("slow-sink", include_str!("../scenarios/slow-sink.toml")),
    ("idle", include_str!("../scenarios/idle.toml")),
    ("hot-principal", include_str!("../scenarios/hot-principal.toml")),
    ("cardinality", include_str!("../scenarios/cardinality.toml")),
    ("late", include_str!("../scenarios/late.toml")),
    ("million-principals", include_str!("../scenarios/million-principals.toml")),
    ("million-jobs", include_str!("../scenarios/million-jobs.toml")),
    ("resharding", include_str!("../scenarios/resharding.toml")),
    ("soak", include_str!("../scenarios/soak.toml")),
];

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, in one line.
    pub about: String,
    /// Seed of the generator.
    pub seed: u64,
    /// What is played.
    pub load: Load,
    /// Bounds of figures.
    pub budget: BTreeMap<String, f64>,
}

/// What is played, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// Records posted to a daemon in a process of its own.
    Daemon(DaemonLoad),
    /// A daemon with nothing to do.
    Idle(IdleLoad),
    /// Records given to an engine.
    Engine(EngineLoad),
    /// Principals that an engine remembers, in bytes of heap.
    Principals(PrincipalsLoad),
    /// Customization jobs that an engine remembers, in bytes of heap.
    Jobs(JobsLoad),
    /// Memory that moves to other workers.
    Moving(MovingLoad),
}

/// Records posted to a daemon.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonLoad {
    /// Callers.
    pub principals: u32,
    /// How callers are picked.
    #[serde(default)]
    pub callers: Callers,
    /// What the records are about.
    pub shares: Shares,
    /// Records in one request.
    pub batch: u32,
    /// Records that raise an alert of their own, a second: by them time is measured.
    pub alerts_per_second: u32,
    /// Whether these records share an access key and an address, so that their alerts are one incident.
    #[serde(default)]
    pub one_incident: bool,
    /// How long a second sink takes for each message, in milliseconds; no second sink without it.
    pub slow_sink_ms: Option<u64>,
    /// What is sent, one after the other.
    pub phases: Vec<Phase>,
}

/// Records at a rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Records a second.
    pub rate: u32,
    /// For how long, in seconds.
    pub seconds: f64,
}

/// A daemon with nothing to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdleLoad {
    /// For how long, in seconds.
    pub seconds: f64,
}

/// Records given to an engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineLoad {
    /// Callers.
    pub principals: u32,
    /// How callers are picked.
    #[serde(default)]
    pub callers: Callers,
    /// What the records are about.
    pub shares: Shares,
    /// How many.
    pub records: u64,
    /// Records a second of event time.
    pub rate: u32,
    /// Whether they come late and out of order: a minute late on average, one in twenty up to 15 minutes.
    #[serde(default)]
    pub late: bool,
}

/// Principals in memory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalsLoad {
    /// How many, each calling as often as the others.
    pub principals: u32,
    /// Calls of each.
    pub calls: u32,
    /// Event time between two calls of the same principal, in seconds.
    pub every_s: u32,
}

/// Jobs in memory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsLoad {
    /// How many, all alive, each with a security group of its own.
    pub jobs: u64,
    /// Groups that are deleted while they are.
    pub deletions: u64,
}

/// Memory that moves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovingLoad {
    /// Callers, picked by Zipf's law.
    pub principals: u32,
    /// Calls that are remembered.
    pub records: u64,
}

/// What a scenario came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures(pub BTreeMap<String, f64>);

impl Figures {
    /// Adds a figure.
    pub fn set(&mut self, name: &str, figure: f64) {
        self.0.insert(name.to_owned(), figure);
    }

    /// Adds the middle and the end of a distribution of times, in milliseconds.
    pub fn set_times(&mut self, times: &mut [f64]) {
        times.sort_by(f64::total_cmp);
        for (name, share) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999), ("worst_ms", 1.0)] {
            self.set(name, percentile(times, share));
        }
    }
}

/// The nearest-rank percentile of sorted numbers.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is neither negative nor that large"
)]
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).or_else(|| sorted.last()).copied().unwrap_or_default()
}

impl Scenario {
    /// The names of all of them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }

    /// Reads the one of that name, smaller or larger by `scale`: its length and its numbers, not its rates.
    ///
    /// # Errors
    /// When there is none, or it is not as its type says.
    pub fn read(name: &str, scale: f64) -> anyhow::Result<Self> {
        let known = || Self::names().collect::<Vec<_>>().join(", ");
        let found = ALL.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| anyhow!("there is no scenario {name}, only {}", known()))?;
        let mut scenario: Self = toml::from_str(text).with_context(|| format!("scenarios/{name}.toml"))?;
        scenario.load.scale(scale);
        Ok(scenario)
    }

    /// What of the budget is exceeded, in words.
    ///
    /// # Errors
    /// When a bound has no figure.
    pub fn exceeded(&self, figures: &Figures) -> anyhow::Result<Vec<String>> {
        let mut exceeded = Vec::new();
        for (bound, limit) in &self.budget {
            let (figure, is_most) = match (bound.strip_suffix("_max"), bound.strip_suffix("_min")) {
                (Some(figure), _) => (figure, true),
                (_, Some(figure)) => (figure, false),
                _ => bail!("the bound {bound} ends neither with _max nor with _min"),
            };
            let value = figures.0.get(figure).with_context(|| format!("no figure {figure} for the bound {bound}"))?;
            if is_most && value > limit {
                exceeded.push(format!("{figure} is {value:.2}, at most {limit}"));
            } else if !is_most && value < limit {
                exceeded.push(format!("{figure} is {value:.2}, at least {limit}"));
            }
        }
        Ok(exceeded)
    }
}

impl Load {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, scaled by a small number")]
    fn scale(&mut self, scale: f64) {
        let scaled = |count: u64| ((count as f64 * scale) as u64).max(1_000);
        let scaled_32 = |count: u32| u32::try_from(scaled(count.into())).unwrap_or(u32::MAX);
        match self {
            Self::Daemon(load) => {
                load.phases.iter_mut().for_each(|phase| phase.seconds = (phase.seconds * scale).max(2.0))
            }
            Self::Idle(_) => {}
            Self::Engine(load) => load.records = scaled(load.records),
            Self::Principals(load) => load.principals = scaled_32(load.principals),
            Self::Jobs(load) => load.jobs = scaled(load.jobs),
            Self::Moving(load) => (load.records, load.principals) = (scaled(load.records), scaled_32(load.principals)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_as_its_type_says_and_its_bounds_have_a_direction() {
        for name in Scenario::names() {
            let scenario = Scenario::read(name, 0.1).unwrap();
            assert!(!scenario.budget.is_empty(), "{name} has no budget");
            let mut figures = Figures::default();
            for bound in scenario.budget.keys() {
                let figure = bound.strip_suffix("_max").or_else(|| bound.strip_suffix("_min")).unwrap();
                figures.set(figure, scenario.budget[bound]);
            }
            assert_eq!(scenario.exceeded(&figures).unwrap(), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn a_bound_is_kept_broken_or_without_figure() {
        let mut scenario = Scenario::read("idle", 1.0).unwrap();
        scenario.budget = BTreeMap::from([("a_max".to_owned(), 2.0), ("b_min".to_owned(), 2.0)]);
        let broken = |a: f64, b: f64| {
            let figures = Figures(BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]));
            scenario.exceeded(&figures).unwrap().len()
        };
        assert_eq!([broken(2.0, 2.0), broken(2.1, 2.0), broken(2.0, 1.9), broken(3.0, 1.0)], [0, 1, 1, 2]);
        assert!(scenario.exceeded(&Figures::default()).is_err());
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times = (1..=1_000).map(f64::from).collect::<Vec<_>>();
        assert_eq!([0.5, 0.99, 0.999, 1.0].map(|share| percentile(&times, share)), [500.0, 990.0, 999.0, 1_000.0]);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
