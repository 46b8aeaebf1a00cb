//! What is normal for a principal: the 99th percentile of its calls per minute.
//!
//! Only minutes that can no longer change are used, so the answer for a second never depends on what arrives later.

use crate::{
    settings::Settings,
    time::{DAY_S, MINUTE_S},
};

use super::principal::{CachedBaseline, Principal};

/// The nearest-rank 99th percentile of the principal's calls per UTC minute with at least one call, over the minutes
/// wholly inside `[second - lateness - 7 days, second - lateness)`; `None` while fewer than 60 such minutes are known.
pub(crate) fn baseline(principal: &Principal, second: u32, settings: &Settings) -> CachedBaseline {
    let end = second.saturating_sub(settings.lateness_s);
    let start = end.saturating_sub(settings.baseline_days.saturating_mul(DAY_S));
    let (from_minute, to_minute) = (start.div_ceil(MINUTE_S), end / MINUTE_S);
    if let Some(cached) = principal.baseline
        && (cached.from_minute, cached.to_minute) == (from_minute, to_minute)
    {
        return cached;
    }
    let mut counts = principal.minute_counts(from_minute, to_minute);
    let enough = u32::try_from(counts.len()).unwrap_or(u32::MAX) >= settings.baseline_minutes_min;
    let value = if enough { nearest_rank_99(&mut counts) } else { None };
    CachedBaseline { from_minute, to_minute, value }
}

/// The baseline, for alerts.
pub(crate) struct PrincipalBaseline;

impl PrincipalBaseline {
    /// The principal's baseline at `second`; `None` while unknown.
    pub(crate) fn at(principal: &Principal, second: u32, settings: &Settings) -> Option<u32> {
        baseline(principal, second, settings).value
    }
}

fn nearest_rank_99(counts: &mut [u32]) -> Option<u32> {
    let rank = counts.len().saturating_mul(99).div_ceil(100);
    let index = rank.checked_sub(1)?;
    if index >= counts.len() {
        return None;
    }
    let (_, value, _) = counts.select_nth_unstable(index);
    Some(*value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bedrock::Outcome, principals::CallKind};

    #[test]
    fn is_the_same_a_day_later() {
        const KIND: CallKind =
            CallKind { model: 1, region: 0, outcome: Outcome::Success, long_lived: false, limit_probe: false };
        let settings = Settings::standard();
        let at = 1_793_491_200;
        let known_from = at - settings.lateness_s - settings.baseline_days * DAY_S;
        let mut principal = Principal::default();
        for call in 0..2_000 {
            // Two calls in each of the first hundred minutes, one in others.
            let minute = if call < 200 { call / 2 } else { call };
            principal.insert_call(known_from + minute * MINUTE_S, KIND);
        }
        let then = baseline(&principal, at, &settings);
        assert_eq!(then.value, Some(2));
        principal.compact(at + DAY_S + settings.lateness_s, &settings);
        assert_eq!(baseline(&principal, at, &settings), then);
    }

    #[test]
    fn nearest_rank() {
        let check = |mut counts: Vec<u32>, expected| assert_eq!(nearest_rank_99(&mut counts), expected);
        check(vec![], None);
        check(vec![7], Some(7));
        check((1..=100).rev().collect(), Some(99));
        check((1..=60).collect(), Some(60));
        check((1..=101).collect(), Some(100));
    }
}
