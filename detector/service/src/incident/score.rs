//! How bad an incident is, as a number that can be explained.
//!
//! Monotone: another alert, stage, account, region or principal never makes it smaller, nor does a higher severity.
//! Deliberately no weights to configure; what should wake somebody is decided by severity and routes.

use bedrock_watch_engine::alert::Severity;

/// Points for each stage reached beyond the first.
const STAGE_POINTS: u32 = 7;
/// Points for each account beyond the first, at most [`ACCOUNTS_MAX`] of them.
const ACCOUNT_POINTS: u32 = 3;
/// Accounts that count.
const ACCOUNTS_MAX: u32 = 4;
/// Points for each region beyond the first, at most [`REGIONS_MAX`] of them.
const REGION_POINTS: u32 = 2;
/// Regions that count.
const REGIONS_MAX: u32 = 3;
/// Points for each principal beyond the first, at most [`PRINCIPALS_MAX`] of them.
const PRINCIPAL_POINTS: u32 = 2;
/// Principals that count.
const PRINCIPALS_MAX: u32 = 2;

/// A score with its parts, which add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// For the worst severity: 5, 15, 25, 35 or 50.
    pub severity: u32,
    /// For the stages reached: 7 for each beyond the first, 28 at most.
    pub stages: u32,
    /// For accounts (3 each, 12 at most), regions (2 each, 6 at most) and principals (2 each, 4 at most) beyond the
    /// first.
    pub breadth: u32,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) severity: Severity,
    pub(super) stages: usize,
    pub(super) accounts: usize,
    pub(super) regions: usize,
    pub(super) principals: usize,
}

impl Score {
    pub(super) fn of(counted: Counted) -> Self {
        let beyond_first = |count: usize| u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        let severity = match counted.severity {
            Severity::Informational => 5,
            Severity::Low => 15,
            Severity::Medium => 25,
            Severity::High => 35,
            Severity::Critical => 50,
        };
        let breadth = [
            (counted.accounts, ACCOUNTS_MAX, ACCOUNT_POINTS),
            (counted.regions, REGIONS_MAX, REGION_POINTS),
            (counted.principals, PRINCIPALS_MAX, PRINCIPAL_POINTS),
        ];
        let breadth = breadth.map(|(count, max, points)| beyond_first(count).min(max).saturating_mul(points));
        Self {
            severity,
            stages: beyond_first(counted.stages).min(4).saturating_mul(STAGE_POINTS),
            breadth: breadth.into_iter().fold(0, u32::saturating_add),
        }
    }

    /// The sum, from 5 to 100.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.severity.saturating_add(self.stages).saturating_add(self.breadth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(severity: Severity, [stages, accounts, regions, principals]: [usize; 4], expected: u32) {
        let counted = Counted { severity, stages, accounts, regions, principals };
        assert_eq!(Score::of(counted).total(), expected, "{counted:?}");
    }

    #[test]
    fn adds_up_and_ends_at_a_hundred() {
        check(Severity::Informational, [1, 1, 1, 1], 5);
        check(Severity::High, [1, 1, 0, 0], 35);
        check(Severity::High, [3, 2, 1, 1], 52);
        check(Severity::Critical, [5, 5, 4, 3], 100);
        check(Severity::Critical, [9, 900, 900, 900], 100);
    }

    proptest::proptest! {
        #[test]
        fn more_is_never_less(ranks in [0_usize..5, 0..5], less in [0_usize..7, 0..7, 0..7, 0..7], more in [0_usize..3, 0..3, 0..3, 0..3]) {
            let of = |severity: Severity, [stages, accounts, regions, principals]: [usize; 4]| {
                Score::of(Counted { severity, stages, accounts, regions, principals }).total()
            };
            let [low, high] = [ranks[0].min(ranks[1]), ranks[0].max(ranks[1])];
            let sum = [0, 1, 2, 3].map(|index| less[index] + more[index]);
            proptest::prop_assert!(of(Severity::ALL[low], less) <= of(Severity::ALL[high], sum));
        }
    }
}
