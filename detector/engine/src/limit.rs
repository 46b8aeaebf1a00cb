//! The limits of everything that grows, by name, and how often each was reached.
//!
//! Deliberately not their values, which are in [`crate::settings::Limits`], and nothing about what is forgotten: that is
//! decided where it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A limit, called as its setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Principals with activity.
    PrincipalsMax,
    /// Accounts.
    AccountsMax,
    /// Customization jobs.
    JobsMax,
    /// Other things that stand on resources.
    DependentsMax,
    /// Resources that something may stand on.
    DependenciesMax,
    /// Changes of one resource or logging configuration.
    ChangesMax,
    /// Alerts.
    AlertsMax,
    /// Event ids of one account.
    EventIdsMax,
    /// Distinct values of one principal and day.
    DistinctMax,
    /// Models of one account.
    ModelsMax,
    /// Groups of one correlation.
    CorrelationGroupsMax,
    /// Events of one group of a correlation.
    CorrelationEventsMax,
    /// Operations, networks and user agents of one principal.
    SightingsMax,
    /// First times of one account.
    FirstsMax,
    /// Principals with model invocation logs.
    UsagePrincipalsMax,
    /// Any limit that is no setting.
    Fixed,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 16] = [
        Self::PrincipalsMax,
        Self::AccountsMax,
        Self::JobsMax,
        Self::DependentsMax,
        Self::DependenciesMax,
        Self::ChangesMax,
        Self::AlertsMax,
        Self::EventIdsMax,
        Self::DistinctMax,
        Self::ModelsMax,
        Self::CorrelationGroupsMax,
        Self::CorrelationEventsMax,
        Self::SightingsMax,
        Self::FirstsMax,
        Self::UsagePrincipalsMax,
        Self::Fixed,
    ];

    /// The name of its setting; `fixed` where it is none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrincipalsMax => "principals_max",
            Self::AccountsMax => "accounts_max",
            Self::JobsMax => "jobs_max",
            Self::DependentsMax => "dependents_max",
            Self::DependenciesMax => "dependencies_max",
            Self::ChangesMax => "changes_max",
            Self::AlertsMax => "alerts_max",
            Self::EventIdsMax => "event_ids_max",
            Self::DistinctMax => "distinct_max",
            Self::ModelsMax => "models_max",
            Self::CorrelationGroupsMax => "correlation_groups_max",
            Self::CorrelationEventsMax => "correlation_events_max",
            Self::SightingsMax => "sightings_max",
            Self::FirstsMax => "firsts_max",
            Self::UsagePrincipalsMax => "usage_principals_max",
            Self::Fixed => "fixed",
        }
    }
}

/// How often each limit made the engine forget something, or not keep it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitCounts {
    /// Only limits that were reached: most never are.
    counts: BTreeMap<Limit, u64>,
}

impl LimitCounts {
    /// How often a limit was reached.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.counts.get(&limit).copied().unwrap_or_default()
    }

    /// Counts that a limit cost so many things.
    pub(crate) fn count(&mut self, limit: Limit, things: impl TryInto<u64>) {
        let things = things.try_into().unwrap_or(u64::MAX);
        if things > 0 {
            let count = self.counts.entry(limit).or_default();
            *count = count.saturating_add(things);
        }
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (limit, things) in &other.counts {
            self.count(*limit, *things);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_setting_that_limits_has_its_name_here() {
        let settings = serde_json::to_value(Settings::standard().limits).unwrap();
        let settings: BTreeSet<&str> = settings.as_object().unwrap().keys().map(String::as_str).collect();
        let names = Limit::ALL.into_iter().filter(|limit| *limit != Limit::Fixed).map(Limit::as_str);
        assert_eq!(names.collect::<BTreeSet<&str>>(), settings);
        for limit in Limit::ALL {
            assert_eq!(serde_json::to_value(limit).unwrap(), json!(limit.as_str()));
        }
    }

    #[test]
    fn counts_add_up_and_never_overflow() {
        let mut counts = LimitCounts::default();
        counts.count(Limit::JobsMax, 0_u64);
        assert_eq!(serde_json::to_value(&counts).unwrap(), Value::Object(serde_json::Map::new()));
        counts.count(Limit::JobsMax, 2_usize);
        let mut sum = counts.clone();
        sum.add(&counts);
        assert_eq!([sum.of(Limit::JobsMax), sum.of(Limit::Fixed)], [4, 0]);
        sum.count(Limit::JobsMax, u64::MAX);
        assert_eq!(sum.of(Limit::JobsMax), u64::MAX);
    }
}
