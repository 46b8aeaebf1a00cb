//! Everything remembered about one principal in one account.

use serde::{Deserialize, Serialize};

use crate::{
    alert::Severity,
    bedrock::Outcome,
    firsts::SightingsList,
    order::EventId,
    settings::Settings,
    time::{DAY_S, MINUTE_S},
};

use super::{
    actor::StoredActor,
    calls::{CallKind, Calls, NO_MODEL, Run, sum},
    day::Day,
    verdict::Verdict,
};

/// How long single calls are kept beyond the allowed lateness: the longest window a rule can ask for.
const WINDOWS_S: u32 = crate::rule::vocabulary::WINDOW_MAX_S;

/// One principal in one account.
/// What of it is kept while it is idle, and what is found again, is the affair of `packed.rs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Recent calls that were not refused.
    pub(crate) accepted: Calls,
    /// Recent calls that were refused for what the caller did or is.
    pub(crate) refused: Calls,
    /// The newest second with a call.
    pub(crate) newest: u32,
    /// Calls per minute that were not throttled, of minutes that left the recent calls.
    pub(super) minutes: Vec<(u32, u32)>,
    /// Models among the recent calls, with the latest second of each, in no particular order.
    pub(crate) models: Vec<(u16, u32)>,
    /// Regions ever called, in no particular order.
    pub(crate) regions: Vec<RegionSeen>,
    /// The second of the latest successful call that left the recent calls; 0 for none.
    pub(super) older_success: u32,
    /// Recent successful enabling calls, in judging order.
    pub(crate) enablements: Vec<Enablement>,
    /// The days that are still open.
    pub(crate) days: Vec<Day>,
    /// What rules found.
    pub(crate) verdicts: Vec<Verdict>,
    /// The baseline last computed, see `baseline.rs`.
    pub(crate) baseline: Option<CachedBaseline>,
    /// The invocation window last summed, see `moment.rs`.
    pub(crate) window: CachedWindow,
    /// Its operations, networks and user agents, see `firsts`.
    pub(crate) sightings: SightingsList,
}

/// A region a principal called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegionSeen {
    pub(crate) region: u8,
    /// The earliest second among the recent calls; the greatest number when there is none.
    pub(crate) first: u32,
    /// The latest second.
    pub(crate) last: u32,
    /// The latest second that left the recent calls; 0 for none.
    pub(crate) older: u32,
}

/// A model enabled successfully.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enablement {
    pub(crate) second: u32,
    pub(crate) id: EventId,
    pub(crate) region: u8,
    pub(crate) actor: StoredActor,
}

/// A baseline and the minutes it was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CachedBaseline {
    pub(crate) from_minute: u32,
    pub(crate) to_minute: u32,
    pub(crate) value: Option<u32>,
}

/// The number of invocations in the window that ends at `end`, so that the next call need not sum them again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CachedWindow {
    pub(crate) end: u32,
    pub(crate) seconds: u32,
    /// Index of the window's first run among the accepted calls.
    pub(crate) from: usize,
    /// Invocations among the accepted calls in the window.
    pub(crate) sum: u32,
}

impl Principal {
    /// Adds a call to the recent ones. Whether it is the first of its class in its second is told by [`Placed`].
    pub(crate) fn insert_call(&mut self, second: u32, kind: CallKind) -> Placed {
        let refused = kind.outcome == Outcome::Refused;
        let calls = if refused { &mut self.refused } else { &mut self.accepted };
        calls.insert(second, kind);
        if !refused {
            self.follow_window(second, kind);
        }
        let in_order = second >= self.newest;
        self.newest = self.newest.max(second);
        self.note_model_and_region(second, kind);
        Placed { in_order }
    }

    fn note_model_and_region(&mut self, second: u32, kind: CallKind) {
        if kind.model != NO_MODEL {
            note_last(&mut self.models, kind.model, second);
        }
        match self.regions.iter_mut().find(|seen| seen.region == kind.region) {
            Some(seen) => {
                seen.first = seen.first.min(second);
                seen.last = seen.last.max(second);
            }
            None => {
                self.regions.push(RegionSeen { region: kind.region, first: second, last: second, older: 0 });
            }
        }
    }

    /// Finds `models` and `regions` again, of which nothing is known but the regions' `older`.
    pub(super) fn find_models_and_regions(&mut self) {
        let (accepted, refused) = (std::mem::take(&mut self.accepted), std::mem::take(&mut self.refused));
        for run in accepted.all().iter().chain(refused.all()) {
            self.note_model_and_region(run.second, run.kind);
        }
        (self.accepted, self.refused) = (accepted, refused);
    }

    /// Whether a call succeeded in `[from, before)`.
    pub(crate) fn any_success_within(&self, from: u32, before: u32) -> bool {
        let recently = || {
            let runs = self.accepted.between(from, before.saturating_sub(1));
            runs.iter().rev().any(|run| run.kind.outcome == Outcome::Success)
        };
        let older = self.older_success;
        (older != 0 && older >= from && older < before) || (before > from && recently())
    }

    /// Keeps the cached window right: a call at its end is added, an earlier one makes it worthless.
    fn follow_window(&mut self, second: u32, kind: CallKind) {
        if second < self.window.end {
            self.window = CachedWindow::default();
        } else if kind.outcome != Outcome::Throttled {
            self.window.sum = self.window.sum.saturating_add(1);
        }
    }

    /// The invocations in the `seconds` that end with `second`, which is the newest with a call.
    pub(crate) fn newest_window(&mut self, second: u32, seconds: u32) -> u32 {
        let first = second.saturating_sub(seconds.saturating_sub(1));
        // Few, and at the end.
        let refused = self.refused.all().iter().rev().take_while(|run| run.second >= first);
        let refused = refused.fold(0, |sum: u32, run| sum.saturating_add(run.count));
        refused.saturating_add(self.newest_accepted(first, second, seconds))
    }

    fn newest_accepted(&mut self, first: u32, second: u32, seconds: u32) -> u32 {
        if self.window.seconds != seconds || self.window.end > second {
            let from = self.accepted.first_at_or_after(first);
            let sum =
                sum(self.accepted.all().get(from..).unwrap_or_default(), |kind| kind.outcome != Outcome::Throttled);
            self.window = CachedWindow { end: second, seconds, from, sum };
            return sum;
        }
        while let Some(run) = self.accepted.all().get(self.window.from).filter(|run| run.second < first) {
            if run.kind.outcome != Outcome::Throttled {
                self.window.sum = self.window.sum.saturating_sub(run.count);
            }
            self.window.from = self.window.from.saturating_add(1);
        }
        self.window.end = second;
        self.window.sum
    }

    /// Adds a successful enabling call.
    pub(crate) fn insert_enablement(&mut self, enabled: Enablement) {
        let key = (enabled.second, enabled.id.clone());
        if let Err(place) = self.enablements.binary_search_by(|known| (known.second, &known.id).cmp(&(key.0, &key.1))) {
            self.enablements.insert(place, enabled);
        }
    }

    /// The verdict of a rule about a day, made if need be.
    pub(crate) fn verdict_mut(&mut self, rule: &str, day: u32) -> &mut Verdict {
        let known = self.verdicts.iter().position(|verdict| verdict.day == day && *verdict.rule == *rule);
        let place = known.unwrap_or_else(|| {
            self.verdicts.push(Verdict::new(rule, day));
            self.verdicts.len().saturating_sub(1)
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.verdicts[place]
    }

    /// Folds what can no longer change in the verdicts, and drops the days that nothing can ask for any more.
    pub(crate) fn settle(&mut self, watermark: u32, settings: &Settings) {
        let horizon = watermark.saturating_sub(settings.lateness_s);
        for verdict in &mut self.verdicts {
            verdict.settle(horizon);
        }
        if self.days.len() > 1 {
            let oldest = horizon.saturating_sub(WINDOWS_S) / DAY_S;
            let verdicts = &self.verdicts;
            self.days.retain(|open| open.day >= oldest || verdicts.iter().any(|verdict| verdict.day == open.day));
        }
    }

    /// The open day of `second`, made if need be.
    pub(crate) fn day_mut(&mut self, day: u32) -> &mut Day {
        let place = match self.days.binary_search_by_key(&day, |open| open.day) {
            Ok(found) => found,
            Err(place) => {
                self.days.reserve_exact(1);
                self.days.insert(place, Day::new(day));
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just above")]
        &mut self.days[place]
    }

    /// The open day, if the principal did anything on it.
    pub(crate) fn day(&self, day: u32) -> Option<&Day> {
        self.days.iter().find(|open| open.day == day)
    }

    /// Whether a region had no call in `[from, before)`.
    pub(crate) fn is_new_region(&self, region: u8, from: u32, before: u32) -> bool {
        let Some(seen) = self.regions.iter().find(|seen| seen.region == region) else { return true };
        let within = |second: u32| second >= from && second < before;
        if within(seen.first) || (seen.older != 0 && within(seen.older)) {
            return false;
        }
        // Recent calls before `from` are the exception: history is far longer than what is kept call by call.
        let was_called = |calls: &Calls| {
            calls.between(from, before.saturating_sub(1)).iter().rev().any(|run| run.kind.region == region)
        };
        seen.first >= before || !(was_called(&self.accepted) || was_called(&self.refused))
    }

    /// Moves what left the longest window into the long memory. `watermark` is the account's.
    pub(crate) fn compact(&mut self, watermark: u32, settings: &Settings) {
        let keep_s = settings.lateness_s.saturating_add(WINDOWS_S);
        let horizon = watermark.saturating_sub(keep_s) / MINUTE_S;
        let horizon = horizon.saturating_mul(MINUTE_S);
        let oldest = [self.accepted.oldest(), self.refused.oldest()].into_iter().flatten().min();
        if oldest.is_none_or(|second| second >= horizon) {
            return;
        }
        let mut gone = self.accepted.take_before(horizon);
        self.window = CachedWindow::default();
        gone.extend(self.refused.take_before(horizon));
        gone.sort_unstable_by_key(|run| run.second);
        for run in &gone {
            self.remember(run);
        }
        self.models.retain(|&(_, last)| last >= horizon);
        self.renew_first_of_regions();
        self.enablements.retain(|enabled| enabled.second >= horizon);
        // An alert names the baseline of the busiest second of its day, and may be written again a day later.
        let baseline_s = settings
            .baseline_days
            .saturating_add(1)
            .saturating_mul(DAY_S)
            .saturating_add(settings.lateness_s.saturating_mul(2))
            .saturating_add(WINDOWS_S);
        let oldest_minute = watermark.saturating_sub(baseline_s) / MINUTE_S;
        self.minutes.retain(|&(minute, _)| minute >= oldest_minute);
        let history_s = settings.history_days.saturating_mul(DAY_S).saturating_add(keep_s);
        self.regions.retain(|seen| seen.last.max(seen.older) >= watermark.saturating_sub(history_s));
    }

    /// Finds the earliest recent call of each region again, after some calls were forgotten.
    fn renew_first_of_regions(&mut self) {
        let Self { accepted, refused, regions, .. } = self;
        for seen in regions {
            let first_in =
                |calls: &Calls| calls.all().iter().find(|run| run.kind.region == seen.region).map(|run| run.second);
            let first = [first_in(accepted), first_in(refused)].into_iter().flatten().min();
            seen.first = first.unwrap_or(u32::MAX);
        }
    }

    fn remember(&mut self, run: &Run) {
        if let Some(seen) = self.regions.iter_mut().find(|seen| seen.region == run.kind.region) {
            seen.older = seen.older.max(run.second);
        }
        if run.kind.outcome == Outcome::Success {
            self.older_success = self.older_success.max(run.second);
        }
        if run.kind.outcome == Outcome::Throttled {
            return;
        }
        let minute = run.second / MINUTE_S;
        match self.minutes.binary_search_by_key(&minute, |&(at, _)| at) {
            Ok(found) => {
                if let Some((_, count)) = self.minutes.get_mut(found) {
                    *count = count.saturating_add(run.count);
                }
            }
            Err(place) => self.minutes.insert(place, (minute, run.count)),
        }
    }

    /// Calls per minute, not throttled, of the minutes `from..to`, in no particular order.
    pub(crate) fn minute_counts(&self, from: u32, to: u32) -> Vec<u32> {
        let kept = self.minutes.partition_point(|&(minute, _)| minute < from)
            ..self.minutes.partition_point(|&(minute, _)| minute < to);
        let mut counts: Vec<(u32, u32)> = self.minutes.get(kept).unwrap_or_default().to_vec();
        let recent = |calls: &Calls, counts: &mut Vec<(u32, u32)>| {
            let last = to.saturating_mul(MINUTE_S).saturating_sub(1);
            for run in calls.between(from.saturating_mul(MINUTE_S), last) {
                if run.kind.outcome != Outcome::Throttled {
                    counts.push((run.second / MINUTE_S, run.count));
                }
            }
        };
        if to > from {
            recent(&self.accepted, &mut counts);
            recent(&self.refused, &mut counts);
        }
        counts.sort_unstable_by_key(|&(minute, _)| minute);
        let mut sums: Vec<u32> = Vec::new();
        let mut current = None;
        for (minute, count) in counts {
            match sums.last_mut() {
                Some(sum) if current == Some(minute) => *sum = sum.saturating_add(count),
                _ => sums.push(count),
            }
            current = Some(minute);
        }
        sums
    }

    /// How much is lost when this principal is forgotten: an alert most, then a busy or long-known principal. Alerts that
    /// only say that somebody is new protect less, because a principal that is invented is always new.
    pub(crate) fn worth(&self) -> u32 {
        let worst = self.verdicts.iter().filter_map(Verdict::severity).max();
        let alerts: u32 = match worst {
            Some(severity) if severity > Severity::Low => 1 << 30,
            Some(_) => 1 << 28,
            None => 0,
        };
        let known = u32::try_from(self.minutes.len().min(1 << 14)).unwrap_or(u32::MAX);
        let recent = u32::try_from((self.accepted.all().len().saturating_add(self.refused.all().len())).min(1 << 14))
            .unwrap_or(u32::MAX);
        alerts.saturating_add(known.saturating_mul(16)).saturating_add(recent)
    }
}

/// Where a call went among the recent ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    /// Whether no later call is known.
    pub(crate) in_order: bool,
}

fn note_last(list: &mut Vec<(u16, u32)>, key: u16, second: u32) {
    match list.iter_mut().find(|(known, _)| *known == key) {
        Some((_, last)) => *last = second.max(*last),
        None => list.push((key, second)),
    }
}
