//! A compiled rule: what it looks for, and what an alert of it says.
//!
//! Deliberately not the alert: the rule knows its template and its subject's kind, never an event's values.

use serde_json::Value as Json;

use super::{
    clause::{self, Clause},
    exclusion::{Excluded, Exclusion},
    facts::FactSource,
    floors::Floors,
    logic::{Logic, Search},
    matcher,
    plan::plan,
    stage::Stage,
    template::Template,
    tuning::Mode,
    value::{Field, Fields, Metric},
    vocabulary::Domain,
};
use crate::{
    alert::{Severity, SubjectKind},
    firsts,
};

/// Which of a principal's calls of a day an alert rests on and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// All inference calls.
    Calls,
    /// The inference calls that were not throttled.
    Invocations,
    /// The inference calls refused for what the caller did or is.
    Refusals,
    /// The inference calls that were throttled.
    Throttled,
    /// The calls that enable models and the successful inference calls.
    Enablement,
    /// The matching events themselves.
    Matches,
    /// The model invocation log records.
    Usage,
}

impl Counts {
    /// Every choice.
    pub const ALL: [Self; 7] =
        [Self::Calls, Self::Invocations, Self::Refusals, Self::Throttled, Self::Enablement, Self::Matches, Self::Usage];

    /// Whether it can only come from inference calls, of which nobody but the owner of the account hears.
    #[must_use]
    pub const fn rests_on_inference(self) -> bool {
        matches!(self, Self::Calls | Self::Invocations | Self::Refusals | Self::Throttled)
    }

    /// The name in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Invocations => "invocations",
            Self::Refusals => "refusals",
            Self::Throttled => "throttled",
            Self::Enablement => "enablement",
            Self::Matches => "matches",
            Self::Usage => "usage",
        }
    }
}

/// How far a rule has come, as Sigma names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maturity {
    /// Proven.
    Stable,
    /// Mature, few false positives.
    Test,
    /// New, or not stated.
    Experimental,
    /// Replaced by another rule.
    Deprecated,
    /// Does not work.
    Unsupported,
}

impl Maturity {
    /// Every stage.
    pub const ALL: [Self; 5] = [Self::Stable, Self::Test, Self::Experimental, Self::Deprecated, Self::Unsupported];

    /// The name in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Test => "test",
            Self::Experimental => "experimental",
            Self::Deprecated => "deprecated",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What a rule or correlation says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The folder's name, or the file's stem; what alerts call the rule.
    pub id: String,
    /// The file it was read from.
    pub file: String,
    /// The SHA-256 of that file, as `sha256sum` says it in hexadecimal.
    pub digest: [u8; 32],
    /// Sigma's own `id`, a UUID; only for references between rules.
    pub sigma_id: Option<String>,
    /// Sigma's `name`; only for references between rules.
    pub name: Option<String>,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// The level an alert has at least.
    pub severity: Severity,
    /// How far the rule has come.
    pub status: Maturity,
    /// How far an attack has come when it fires.
    pub stage: Stage,
    /// MITRE ATT&CK technique ids, upper case.
    pub attack: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// What else looks like this.
    pub false_positives: Vec<String>,
    /// The alert's sentence; `None` when the rule does not say.
    pub summary: Option<Template>,
    /// `rules/<id>/runbook.md`.
    pub runbook: String,
    /// Whether its alerts are raised; the configuration says so.
    pub mode: Mode,
}

/// What a rule over `watch.first.*` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstTimes {
    /// The fields it asks for.
    pub(crate) asked: firsts::Bits,
    /// How many matching events of one principal make an alert.
    pub(crate) at_least: u32,
    /// Within less than how many seconds they lie; 0 where one is enough.
    pub(crate) within_s: u32,
}

/// A compiled rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) about: About,
    pub(super) domain: Domain,
    pub(super) subject: SubjectKind,
    pub(super) counts: Counts,
    pub(super) levels: Vec<(usize, Severity)>,
    pub(super) facts: Vec<FactSource>,
    pub(super) searches: Vec<Search>,
    pub(super) condition: Logic,
    pub(super) windows: Vec<(Metric, u32)>,
    pub(super) refusals_only: bool,
    pub(super) wants_history: bool,
    pub(super) alerts: bool,
    /// What it asks of first times, if it does.
    pub(super) first_times: Option<FirstTimes>,
    /// What never matches; the configuration says so.
    pub(super) exclusions: Vec<Excluded>,
    /// The condition in the order of asking; [`Rule::plan`] sets it.
    pub(super) plan: Logic,
    /// The same for whoever has counts over windows at hand.
    pub(super) floors: Floors,
}

impl Rule {
    /// Its id, title and so on.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// What alerts call the rule.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.about.id
    }

    /// Which events it judges.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// What its alerts are about.
    #[must_use]
    pub const fn subject(&self) -> SubjectKind {
        self.subject
    }

    /// What its alerts count.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a match is an alert by itself; false for a rule that only feeds correlations which do not `generate`.
    #[must_use]
    pub const fn alerts(&self) -> bool {
        self.alerts
    }

    /// The sliding windows it asks for, each once, in order.
    #[must_use]
    pub fn windows(&self) -> &[(Metric, u32)] {
        &self.windows
    }

    /// Whether, in the second of a call, only a refused call can change what it finds.
    #[must_use]
    pub const fn asks_for_refusals_only(&self) -> bool {
        self.refusals_only
    }

    /// For how long after a log record it may still change what the rule finds, in seconds.
    #[must_use]
    pub(crate) fn usage_reach_s(&self) -> u32 {
        let windows = self.windows.iter().map(|(_, seconds)| seconds.saturating_sub(1)).max().unwrap_or(0);
        let of_day = |field: &&Field| matches!(field, Field::Watch(name) if name.contains("today"));
        let of_hour = |field: &&Field| matches!(field, Field::Watch(name) if name.ends_with("_ratio"));
        match (self.fields().iter().any(of_day), self.fields().iter().any(of_hour)) {
            (true, _) => crate::time::DAY_S,
            (false, true) => windows.max(crate::usage::HOUR_S),
            (false, false) => windows,
        }
    }

    /// Whether it asks for what a principal did before.
    #[must_use]
    pub const fn wants_history(&self) -> bool {
        self.wants_history
    }

    /// What it asks of first times; `None` for a rule that does not ask for any.
    pub(crate) const fn first_times(&self) -> Option<FirstTimes> {
        self.first_times
    }

    /// Judges an event: `None` if it does not match, else the level.
    pub fn matches(&self, event: &(impl Fields + ?Sized)) -> Option<Severity> {
        if matcher::holds(&self.plan, &[], event) { self.level(event) } else { None }
    }

    /// Sets how it is asked, once nothing changes its condition and searches any more.
    pub(super) fn plan(&mut self) {
        self.plan = plan(&self.condition, &self.searches);
        self.floors = Floors::of(&self.condition, &self.searches);
    }

    /// What never matches it, by the configuration.
    pub fn exclusions(&self) -> impl Iterator<Item = &Exclusion> {
        self.exclusions.iter().map(Excluded::said)
    }

    /// The level of an event that satisfies the condition; `None` when an exception holds for it.
    pub(super) fn level(&self, event: &(impl Fields + ?Sized)) -> Option<Severity> {
        if self.exclusions.iter().any(|excluded| excluded.holds(event)) {
            return None;
        }
        let reached = self.levels.iter().filter(|(search, level)| {
            *level > self.about.severity
                && self.searches.get(*search).is_some_and(|search| matcher::holds(&search.logic, &self.searches, event))
        });
        Some(reached.map(|(_, level)| *level).max().unwrap_or(self.about.severity))
    }

    /// Whether the rule may match, knowing only [`Fields::upper_bound`]; false means it certainly does not.
    pub fn possible(&self, event: &(impl Fields + ?Sized)) -> bool {
        matcher::outlook(&self.condition, &self.searches, event) != Some(false)
    }

    /// What an alert takes over from the record it is about: names and values, null where the record does not say.
    pub fn facts<'a>(&'a self, event: &'a (impl Fields + ?Sized)) -> impl Iterator<Item = (&'a str, Json)> {
        self.facts.iter().map(move |fact| (fact.name(), fact.of(event)))
    }

    /// The names of its [`Rule::facts`].
    pub(crate) fn fact_names(&self) -> impl Iterator<Item = &str> {
        self.facts.iter().map(FactSource::name)
    }

    /// Every part of the rule that could be left out, for tests that each part is needed.
    #[must_use]
    pub fn clauses(&self) -> Vec<Clause> {
        clause::clauses(self)
    }

    /// Every field the rule asks for, in the order of writing, repetitions included.
    pub(super) fn fields(&self) -> Vec<&Field> {
        let mut found = Vec::new();
        for search in &self.searches {
            search.logic.each_item(&mut |item| item.each_field(&mut |field| found.push(field)));
        }
        found
    }
}
