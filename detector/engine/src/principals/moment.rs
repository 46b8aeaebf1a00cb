//! One principal at one second, as rules see it: the computed fields under `watch.principal`.
//!
//! Values are computed when a rule asks. Every answer is exact for any second that can still change.

use std::{borrow::Cow, cell::Cell};

use crate::{
    bedrock::Outcome,
    rule::{Field, Fields, Floor, Metric, Value},
    settings::Settings,
    time::{DAY_S, Second},
};

use super::{
    baseline::baseline,
    calls::{CallKind, NO_MODEL, Run, sum},
    day::insert_sorted,
    history::Seen,
    principal::{CachedBaseline, Principal},
};

/// What a rule can ask about a principal at a second.
#[derive(Debug)]
pub(crate) struct PrincipalMoment<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) principal: &'a Principal,
    /// The account's models, by number.
    pub(crate) models: &'a [Seen],
    pub(crate) settings: &'a Settings,
    pub(crate) second: u32,
    /// The invocations in a window of so many seconds that ends now, where that is known already.
    pub(crate) known_window: Option<(u32, u32)>,
    /// The baseline, once a rule asked for it.
    pub(crate) baseline: Cell<Option<CachedBaseline>>,
}

impl PrincipalMoment<'_> {
    /// The first second of the window of `seconds` that ends now.
    fn first(&self, seconds: u32) -> u32 {
        self.second.saturating_sub(seconds.saturating_sub(1))
    }

    fn accepted(&self, seconds: u32) -> &[Run] {
        self.principal.accepted.between(self.first(seconds), self.second)
    }

    fn refused(&self, seconds: u32) -> &[Run] {
        self.principal.refused.between(self.first(seconds), self.second)
    }

    /// Whether no call later than this second is known, so that "latest" lists answer exactly.
    fn is_newest(&self) -> bool {
        self.second >= self.principal.newest
    }

    pub(crate) fn history_s(&self) -> u32 {
        self.settings.history_days.saturating_mul(DAY_S)
    }

    /// Accepted and refused invocations in the window.
    pub(crate) fn invocations(&self, seconds: u32) -> u32 {
        match self.known_window {
            Some((of, known)) if of == seconds => known,
            _ => sum(self.accepted(seconds), |kind| kind.outcome != Outcome::Throttled)
                .saturating_add(sum(self.refused(seconds), |_| true)),
        }
    }

    /// Shows `found` each model called in the window, in no particular order.
    fn each_model(&self, seconds: u32, mut found: impl FnMut(u16)) {
        if self.is_newest() {
            let first = self.first(seconds);
            self.principal.models.iter().filter(|(_, last)| *last >= first).for_each(|(model, _)| found(*model));
            return;
        }
        let runs = self.accepted(seconds).iter().chain(self.refused(seconds));
        distinct(runs, |kind| (kind.model != NO_MODEL).then_some(kind.model)).into_iter().for_each(found);
    }

    /// Models called in the window, in no particular order.
    pub(crate) fn models(&self, seconds: u32) -> Vec<u16> {
        let mut models = Vec::new();
        self.each_model(seconds, |model| models.push(model));
        models
    }

    /// Whether nobody in the account had called a model in the 30 days before the window.
    fn is_new_model(&self, model: u16, seconds: u32) -> bool {
        let first = self.first(seconds);
        let from = first.saturating_sub(self.history_s());
        self.models.get(usize::from(model)).is_none_or(|seen| !seen.any_within(from, first))
    }

    /// Models called in the window that nobody in the account had called in the 30 days before it.
    pub(crate) fn new_models(&self, seconds: u32) -> Vec<u16> {
        let mut models = self.models(seconds);
        models.retain(|&model| self.is_new_model(model, seconds));
        models
    }

    /// Shows `found` each region called in the window, in no particular order.
    fn each_region(&self, seconds: u32, mut found: impl FnMut(u8)) {
        if self.is_newest() {
            let first = self.first(seconds);
            self.principal.regions.iter().filter(|seen| seen.last >= first).for_each(|seen| found(seen.region));
            return;
        }
        let runs = self.accepted(seconds).iter().chain(self.refused(seconds));
        distinct(runs, |kind| Some(kind.region)).into_iter().for_each(found);
    }

    /// Regions called in the window, in no particular order.
    pub(crate) fn regions(&self, seconds: u32) -> Vec<u8> {
        let mut regions = Vec::new();
        self.each_region(seconds, |region| regions.push(region));
        regions
    }

    /// Whether the principal had not called a region in the 30 days before the window.
    fn is_new_region(&self, region: u8, seconds: u32) -> bool {
        let first = self.first(seconds);
        self.principal.is_new_region(region, first.saturating_sub(self.history_s()), first)
    }

    /// Regions called in the window that the principal had not called in the 30 days before it.
    pub(crate) fn new_regions(&self, seconds: u32) -> Vec<u8> {
        let mut regions = self.regions(seconds);
        regions.retain(|&region| self.is_new_region(region, seconds));
        regions
    }

    /// Successful enabling calls in the window.
    pub(crate) fn enablements(&self, seconds: u32) -> usize {
        let window = self.first(seconds)..=self.second;
        self.principal.enablements.iter().filter(|enabled| window.contains(&enabled.second)).count()
    }

    /// Whether this second holds the first successful call after an enabling within the hour, after 30 days without.
    fn is_first_use_after_enabling(&self) -> bool {
        if self.principal.enablements.is_empty() || !self.has_success_now() {
            return false;
        }
        self.qualifying_enablements().next().is_some()
    }

    fn has_success_now(&self) -> bool {
        self.principal.accepted.between(self.second, self.second).iter().any(|run| run.kind.outcome == Outcome::Success)
    }

    /// The enabling calls of the last hour after which this second holds the first success in 30 days.
    pub(crate) fn qualifying_enablements(&self) -> impl Iterator<Item = &super::principal::Enablement> {
        let first = self.first(HOUR_S);
        self.principal.enablements.iter().filter(move |enabled| {
            enabled.second >= first
                && enabled.second <= self.second
                && !self.principal.any_success_within(enabled.second.saturating_sub(self.history_s()), self.second)
        })
    }

    /// The principal's baseline at this second.
    pub(crate) fn baseline(&self) -> Option<u32> {
        let cached = self.baseline.get().unwrap_or_else(|| baseline(self.principal, self.second, self.settings));
        self.baseline.set(Some(cached));
        cached.value
    }

    /// Whether a window counts as many as a rule needs.
    pub(crate) fn reaches(&self, floor: &Floor) -> bool {
        let Floor { metric, seconds, least } = *floor;
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let first = self.first(seconds);
        // Of the newest second the models and regions of a window are at hand.
        let models = || self.principal.models.iter().filter(|(_, last)| *last >= first).map(|(model, _)| *model);
        let regions = || self.principal.regions.iter().filter(|seen| seen.last >= first).map(|seen| seen.region);
        match metric {
            Metric::Models if self.is_newest() => at_least(least, models()),
            Metric::NewModels if self.is_newest() => {
                at_least(least, models().filter(|model| self.is_new_model(*model, seconds)))
            }
            Metric::Regions if self.is_newest() => at_least(least, regions()),
            Metric::NewRegions if self.is_newest() => {
                at_least(least, regions().filter(|region| self.is_new_region(*region, seconds)))
            }
            _ => self.count(metric, seconds) >= least,
        }
    }

    fn count(&self, metric: Metric, seconds: u32) -> usize {
        let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let success = |kind: &CallKind| kind.outcome == Outcome::Success;
        let no_refusals = self.principal.refused.all().is_empty();
        match metric {
            Metric::Invocations => number(self.invocations(seconds)),
            Metric::Calls => {
                number(sum(self.accepted(seconds), |_| true).saturating_add(sum(self.refused(seconds), |_| true)))
            }
            Metric::Successes => number(sum(self.accepted(seconds), success)),
            Metric::Throttled => number(sum(self.accepted(seconds), |kind| kind.outcome == Outcome::Throttled)),
            Metric::Models => counted(|count| self.each_model(seconds, |_| count())),
            Metric::NewModels => counted(|count| {
                self.each_model(seconds, |model| {
                    if self.is_new_model(model, seconds) {
                        count()
                    }
                });
            }),
            Metric::Regions => counted(|count| self.each_region(seconds, |_| count())),
            Metric::NewRegions => counted(|count| {
                self.each_region(seconds, |region| {
                    if self.is_new_region(region, seconds) {
                        count()
                    }
                });
            }),
            Metric::SuccessesBefore => {
                let Some(last) = self.second.checked_sub(1) else { return 0 };
                let first = self.second.saturating_sub(seconds);
                number(sum(self.principal.accepted.between(first, last), success))
            }
            Metric::Enablements => self.enablements(seconds),
            Metric::InputTokens | Metric::OutputTokens | Metric::CostUsd | Metric::LogErrors => 0,
            _ if no_refusals => 0,
            Metric::Refusals => number(sum(self.refused(seconds), |_| true)),
            Metric::LongLivedRefusals => number(sum(self.refused(seconds), |kind| kind.long_lived)),
            Metric::LimitProbes => number(sum(self.refused(seconds), |kind| kind.limit_probe)),
            Metric::RefusedModels => {
                let named = |kind: &CallKind| (kind.model != NO_MODEL).then_some(kind.model);
                count_distinct(self.refused(seconds), named)
            }
            Metric::RefusedRegions => count_distinct(self.refused(seconds), |kind| Some(u16::from(kind.region))),
        }
    }
}

/// An hour, in seconds: within it a first use belongs to an enabling.
pub(crate) const HOUR_S: u32 = 3_600;

/// The distinct values among runs, sorted.
pub(crate) fn distinct<'r, T: Ord + Copy>(
    runs: impl Iterator<Item = &'r Run>,
    value: impl Fn(&CallKind) -> Option<T>,
) -> Vec<T> {
    let mut values = Vec::new();
    for run in runs {
        if let Some(value) = value(&run.kind) {
            insert_sorted(&mut values, value);
        }
    }
    values
}

/// How many distinct values there are among runs.
fn count_distinct(runs: &[Run], value: impl Fn(&CallKind) -> Option<u16>) -> usize {
    // Numbers are given out from 0 on, so nearly all fit into a small set of bits.
    let mut small = [0_u64; 16];
    let mut large = Vec::new();
    for value in runs.iter().filter_map(|run| value(&run.kind)) {
        match small.get_mut(usize::from(value / 64)) {
            Some(bits) => *bits |= 1 << (value % 64),
            None => {
                insert_sorted(&mut large, value);
            }
        }
    }
    let in_small: u32 = small.iter().map(|bits| bits.count_ones()).sum();
    large.len().saturating_add(usize::try_from(in_small).unwrap_or(usize::MAX))
}

/// Whether there are so many, looking no further than needed.
fn at_least<T>(wanted: usize, found: impl Iterator<Item = T>) -> bool {
    found.take(wanted).count() >= wanted
}

/// How often `visit` counts.
fn counted(visit: impl FnOnce(&mut dyn FnMut())) -> usize {
    let mut count: usize = 0;
    visit(&mut || count = count.saturating_add(1));
    count
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Fields for PrincipalMoment<'_> {
    fn time(&self) -> Option<Second> {
        Some(Second(self.second))
    }

    fn value(&self, field: &Field) -> Value<'_> {
        match field {
            Field::Window { metric, seconds } => Value::Int(int(self.count(*metric, *seconds))),
            Field::Watch("principal") => Value::Text(Cow::Borrowed(self.name)),
            Field::Watch("account") => Value::Text(Cow::Borrowed(self.account)),
            Field::Watch("principal.baseline_known") => Value::Bool(self.baseline().is_some()),
            Field::Watch("principal.burst_ratio") => match self.baseline() {
                Some(baseline) if baseline > 0 => {
                    Value::Float(f64::from(self.invocations(BURST_WINDOW_S)) / f64::from(baseline))
                }
                _ => Value::Missing,
            },
            Field::Watch("principal.first_use_after_enabling") => Value::Bool(self.is_first_use_after_enabling()),
            _ => Value::Missing,
        }
    }

    fn upper_bound(&self, field: &Field) -> Option<i64> {
        let Field::Window { metric, seconds } = field else { return None };
        match metric {
            Metric::Models | Metric::NewModels => Some(int(self.principal.models.len())),
            Metric::Regions | Metric::NewRegions => Some(int(self.principal.regions.len())),
            Metric::RefusedModels | Metric::RefusedRegions => Some(int(self.principal.refused.all().len())),
            Metric::Refusals | Metric::LongLivedRefusals | Metric::LimitProbes
                if self.principal.refused.all().is_empty() =>
            {
                Some(0)
            }
            Metric::Enablements => Some(int(self.principal.enablements.len())),
            Metric::Invocations => Some(i64::from(self.invocations_around(*seconds))),
            _ => None,
        }
    }
}

/// The window of `watch.principal.burst_ratio`, in seconds.
pub(crate) const BURST_WINDOW_S: u32 = 60;

impl PrincipalMoment<'_> {
    /// The invocations in every window of `seconds` that this second lies in, together.
    fn invocations_around(&self, seconds: u32) -> u32 {
        if self.is_newest() {
            return self.invocations(seconds);
        }
        let last = self.second.saturating_add(seconds.saturating_sub(1));
        let invocation = |kind: &CallKind| kind.outcome != Outcome::Throttled;
        let first = self.first(seconds);
        sum(self.principal.accepted.between(first, last), invocation)
            .saturating_add(sum(self.principal.refused.between(first, last), invocation))
    }
}
