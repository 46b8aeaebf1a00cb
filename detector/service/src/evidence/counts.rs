//! What a daemon counted in an hour, from the counters that it reports.

use std::collections::BTreeMap;

use bedrock_watch_engine::Limit;
use jiff::Timestamp;

use super::{Witness, fact::Counted};
use crate::{canary::Canaries, pipeline::Report};

/// Counters as they stood.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    sent: u64,
    back: u64,
    open: u64,
    counts: BTreeMap<String, u64>,
}

impl Counters {
    pub(super) fn read(report: &Report, canaries: &Canaries) -> Self {
        let (sent, back, open) = canaries.counted();
        let (stats, service) = (&report.stats, &report.service);
        let mut counts: BTreeMap<String, u64> = [
            ("records", stats.records),
            ("judged", stats.judged),
            ("rejected", stats.rejected),
            ("duplicates", stats.duplicates),
            ("copies_differ", stats.copies_differ),
            ("late", stats.late),
            ("unreadable", service.unreadable),
            ("future", service.future),
            ("misplaced", service.misplaced),
            ("alerts_fired", stats.alerts_fired),
            ("changes_routed", service.routing.routed),
            ("changes_silenced", service.routing.silenced),
            ("changes_suppressed", service.routing.suppressed),
            ("changes_unrouted", service.routing.unrouted),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
        counts.extend(Limit::ALL.map(|limit| (format!("limit {}", limit.as_str()), stats.limits.of(limit))));
        counts.extend(service.shadow.iter().map(|(rule, count)| (format!("shadow {rule}"), *count)));
        Self { sent, back, open, counts }
    }

    /// What was counted since `before`. A counter that is less than it was began anew, as when a shard was given away.
    pub(super) fn since(&self, before: &Self, since: Timestamp, others: Vec<Witness>) -> Counted {
        let difference = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        let counts = self.counts.iter().map(|(name, now)| {
            let then = before.counts.get(name).copied().unwrap_or_default();
            (name.clone(), difference(*now, then))
        });
        let (sent, back) = (difference(self.sent, before.sent), difference(self.back, before.back));
        // What was awaited then has come back, is lost or still awaited.
        let lost = sent.saturating_add(before.open).saturating_sub(back).saturating_sub(self.open);
        Counted {
            since,
            canaries_sent: sent,
            canaries_back: back,
            canaries_lost: lost,
            counts: counts.filter(|(_, count)| *count > 0).collect(),
            others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_sent_back_or_lost() {
        let check = |before: (u64, u64, u64), now: (u64, u64, u64), expected: (u64, u64, u64)| {
            let of = |(sent, back, open)| Counters { sent, back, open, ..Counters::default() };
            let found = of(now).since(&of(before), Timestamp::UNIX_EPOCH, Vec::new());
            let found = (found.canaries_sent, found.canaries_back, found.canaries_lost);
            assert_eq!(found, expected, "{before:?} {now:?}");
        };
        check((0, 0, 0), (0, 0, 0), (0, 0, 0));
        check((0, 0, 0), (60, 60, 0), (60, 60, 0));
        check((0, 0, 0), (60, 57, 1), (60, 57, 2));
        check((60, 57, 1), (120, 118, 0), (60, 61, 0));
        check((60, 57, 1), (60, 57, 0), (0, 0, 1));
    }

    #[test]
    fn only_what_happened_since_counts() {
        let of = |count: u64| Counters { counts: [("records".to_owned(), count)].into(), ..Counters::default() };
        let count = |now: u64, before: u64| {
            of(now).since(&of(before), Timestamp::UNIX_EPOCH, Vec::new()).counts.get("records").copied()
        };
        assert_eq!([count(7, 5), count(5, 5), count(3, 5)], [Some(2), None, Some(3)]);
    }
}
