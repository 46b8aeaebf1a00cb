//! One summary of several engines, as a worker has them: one for each shard, all of which hear of jobs and resources.

use std::cmp::Reverse;

use super::{
    DEPENDENTS_MAX, DependencySummary, DependentSummary, LOGGING_PLACES_MAX, LoggingPosture, PRINCIPALS_MAX, Summary,
};

impl Summary {
    /// Adds what another engine of the same worker knows. What both know is told once.
    pub fn add(&mut self, other: Self) {
        self.accounts.extend(other.accounts);
        self.dependents.extend(other.dependents);
        self.dependents_total = self.dependents_total.max(other.dependents_total);
        self.dependencies.extend(other.dependencies);
        self.logging.extend(other.logging);
        self.resources = self.resources.max(other.resources);
        // All are asked about the same moment, so their minutes are the same.
        self.activity_from = self.activity_from.max(other.activity_from);
        self.principals.extend(other.principals);
        self.principals_total = self.principals_total.saturating_add(other.principals_total);
        self.order();
    }

    /// Puts everything in order, what matters most first, tells it once, and cuts it.
    pub(super) fn order(&mut self) {
        self.accounts.sort_by(|one, other| {
            let rank = |account: &super::AccountSummary| (Reverse(account.principals), Reverse(account.watermark));
            (&one.account, rank(one)).cmp(&(&other.account, rank(other)))
        });
        self.accounts.dedup_by(|again, kept| {
            let same = again.account == kept.account;
            if same {
                kept.watermark = kept.watermark.max(again.watermark);
            }
            same
        });
        self.dependents.sort_by(|one, other| rank(one).cmp(&rank(other)));
        self.dependents.dedup_by(|again, kept| (again.kind, &again.id) == (kept.kind, &kept.id));
        self.dependents.truncate(DEPENDENTS_MAX);
        // Of two that know the same resource, the one that knows more of its losses.
        let by_key = |one: &DependencySummary| (one.key.clone(), Reverse(one.losses.len()));
        self.dependencies.sort_by_key(by_key);
        self.dependencies.dedup_by(|again, kept| again.key == kept.key);
        let place = |one: &super::LoggingSummary| (one.account.clone(), one.region.clone());
        self.logging.sort_by_key(|one| (place(one), one.posture == LoggingPosture::Unknown, Reverse(one.since)));
        self.logging.dedup_by(|again, kept| place(again) == place(kept));
        self.logging.sort_by_key(|one| (one.posture, place(one)));
        self.logging.truncate(LOGGING_PLACES_MAX);
        self.principals.sort_by(|one, other| one.rank().cmp(&other.rank()));
        self.principals.truncate(PRINCIPALS_MAX);
    }
}

type Rank<'a> = (bool, bool, Reverse<Option<crate::time::Second>>, &'a str, &'a str);

fn rank(one: &DependentSummary) -> Rank<'_> {
    (!(one.broken && one.live), !one.live, Reverse(one.started), one.kind, &one.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        summary::{AccountSummary, LoggingSummary, PrincipalActivity},
        time::Second,
    };

    fn dependent(id: &str, (live, broken): (bool, bool), started: u32) -> DependentSummary {
        DependentSummary {
            kind: "customization_job",
            id: id.to_owned(),
            name: None,
            account: "1".to_owned(),
            region: "r".to_owned(),
            status: "InProgress".to_owned(),
            live,
            broken,
            started: Some(Second(started)),
            ended: None,
            stands_on: Vec::new(),
        }
    }

    fn principal(name: &str, calls: u32, bursts: Vec<u32>) -> PrincipalActivity {
        let (account, principal, total) = ("1".to_owned(), name.to_owned(), u64::from(calls));
        PrincipalActivity { account, principal, calls: vec![calls], total, baseline_60s: None, bursts }
    }

    fn logging(posture: LoggingPosture, since: Option<u32>) -> LoggingSummary {
        let (account, region, since) = ("1".to_owned(), "r".to_owned(), since.map(Second));
        LoggingSummary { account, region, posture, since, delivers: Vec::new(), destinations: Vec::new() }
    }

    #[test]
    fn what_both_know_is_told_once_and_what_matters_comes_first() {
        let account = |watermark, principals| AccountSummary {
            account: "1".to_owned(),
            watermark: Second(watermark),
            principals,
        };
        let mut one = Summary {
            accounts: vec![account(10, 3)],
            dependents: vec![dependent("old", (true, false), 1), dependent("over", (false, true), 9)],
            logging: vec![logging(LoggingPosture::Unknown, Some(99))],
            principals: vec![principal("busy", 900, vec![]), principal("burst", 200, vec![3])],
            principals_total: 2,
            ..Summary::default()
        };
        one.add(Summary {
            accounts: vec![account(20, 0)],
            dependents: vec![dependent("old", (true, false), 1), dependent("broken", (true, true), 1)],
            logging: vec![logging(LoggingPosture::Off, Some(5)), logging(LoggingPosture::On, Some(4))],
            principals: vec![principal("busier", 901, vec![])],
            principals_total: 1,
            ..Summary::default()
        });
        assert_eq!(one.accounts, [account(20, 3)]);
        let ids: Vec<&str> = one.dependents.iter().map(|one| &*one.id).collect();
        assert_eq!(ids, ["broken", "old", "over"]);
        assert_eq!(one.logging, [logging(LoggingPosture::Off, Some(5))]);
        let names: Vec<&str> = one.principals.iter().map(|one| &*one.principal).collect();
        assert_eq!((names, one.principals_total), (vec!["burst", "busier", "busy"], 3));
    }
}
