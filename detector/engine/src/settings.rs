//! Everything about the engine that can be tuned besides its rules: times and limits, each with its unit.
//!
//! Deliberately no `Default` for a partial configuration: [`Settings::standard`] is the documented product default.

use serde::{Deserialize, Serialize};

/// Times and limits of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How far behind the newest event of its account a record may lie and still take part in counts, in seconds.
    pub lateness_s: u32,
    /// How long a job's security group must stay without egress rules before that is an alert, in seconds.
    pub emptied_grace_s: u32,
    /// After how much quiet a principal's alert is resolved, in seconds.
    pub quiet_s: u32,
    /// How far "never seen before" looks back, in days.
    pub history_days: u32,
    /// How far a principal's baseline looks back, in days.
    pub baseline_days: u32,
    /// From how many minutes of activity on a baseline is known.
    pub baseline_minutes_min: u32,
    /// From how many hours with log records on a baseline of tokens and cost is known.
    pub baseline_hours_min: u32,
    /// The limits of everything that grows.
    pub limits: Limits,
}

/// How much the engine keeps. Reaching a limit is counted in [`crate::Stats`], by the names of [`crate::Limit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Principals with activity, over all accounts.
    pub principals_max: u32,
    /// Accounts.
    pub accounts_max: u32,
    /// Customization jobs, over all accounts.
    pub jobs_max: u32,
    /// Batch, import and evaluation jobs, deployed models, knowledge bases, agents and their parts, over all accounts.
    pub dependents_max: u32,
    /// Security groups, subnets, keys, roles, buckets and other dependencies, over all accounts.
    pub dependencies_max: u32,
    /// Changes remembered for one dependency or one logging configuration.
    pub changes_max: u32,
    /// Alerts kept after they were last changed.
    pub alerts_max: u32,
    /// Event ids remembered for deduplication, per account.
    pub event_ids_max: u32,
    /// Distinct sessions, keys, addresses and so on counted for one principal and day.
    pub distinct_max: u32,
    /// Models known per account.
    pub models_max: u32,
    /// Groups of one correlation rule.
    pub correlation_groups_max: u32,
    /// Events remembered for one group of a correlation rule.
    pub correlation_events_max: u32,
    /// Operations, networks and user agents remembered for one principal.
    pub sightings_max: u32,
    /// First times kept per account, of the days that alerts can still be about.
    pub firsts_max: u32,
    /// Principals with model invocation logs, over all accounts.
    pub usage_principals_max: u32,
}

impl Settings {
    /// The documented defaults.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            lateness_s: 900,
            emptied_grace_s: 120,
            quiet_s: 900,
            history_days: 30,
            baseline_days: 7,
            baseline_minutes_min: 60,
            baseline_hours_min: 24,
            limits: Limits {
                principals_max: 2_000_000,
                accounts_max: 20_000,
                jobs_max: 50_000,
                dependents_max: 100_000,
                dependencies_max: 500_000,
                changes_max: 64,
                alerts_max: 50_000,
                event_ids_max: 4_000_000,
                distinct_max: 4_096,
                models_max: 4_096,
                correlation_groups_max: 100_000,
                correlation_events_max: 10_000,
                sightings_max: 256,
                firsts_max: 16_384,
                usage_principals_max: 100_000,
            },
        }
    }
}
