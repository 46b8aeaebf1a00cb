//! Writes down what happens outside of the store: start and end, rules, gaps in the protection, and hourly counts.
//!
//! What it cannot write, because the store does not answer, it keeps and writes later. Deliberately coarse: a part that
//! fails for less than two looks is no gap, and counts come once an hour, so that evidence stays readable.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    Chain, Witness,
    counts::Counters,
    fact::{Fact, Gap, GapOver, Started, Stopped},
    rules::{in_entries, rules_in_force},
};
use crate::{
    canary::Canaries,
    live_rules::LiveRules,
    pipeline::Report,
    status::Status,
    store::{Store, StoreError},
};

/// How often it is looked what does not work.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often counts are written.
const COUNT_EVERY: Duration = Duration::from_secs(3_600);
/// Facts that wait for a store which does not answer; what comes after them is in the log alone.
const WAITING_MAX: usize = 1_000;
/// Other chains that one entry speaks of, those written last first.
const WITNESSED_MAX: usize = 50;
/// What is written down about.
#[derive(Debug)]
pub struct Watched {
    /// Where it is written.
    pub store: Arc<dyn Store>,
    /// The rules in force.
    pub rules: LiveRules,
    /// What does not work.
    pub status: Status,
    /// The canaries.
    pub canaries: Canaries,
    /// The counters.
    pub reports: watch::Receiver<Report>,
}

impl Watched {
    /// These.
    #[must_use]
    pub fn new(
        store: &Arc<dyn Store>,
        (rules, status): (&LiveRules, &Status),
        canaries: &Canaries,
        reports: &watch::Receiver<Report>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            rules: rules.clone(),
            status: status.clone(),
            canaries: canaries.clone(),
            reports: reports.clone(),
        }
    }
}

/// Writes it down.
#[derive(Debug)]
pub struct Recorder {
    watched: Watched,
    /// The rules as they were last written down.
    known: Vec<super::fact::RuleInForce>,
    /// What does not work since when, and whether it is written down.
    gaps: BTreeMap<String, (Timestamp, bool)>,
    counted: (Counters, Timestamp),
    waiting: Vec<Fact>,
}

impl Recorder {
    /// Writes down that a daemon begins, with its rules.
    ///
    /// # Errors
    /// When the store does not take it: nothing may be protected then without evidence.
    pub async fn begin(watched: Watched, started: Started) -> Result<Self, StoreError> {
        let rules = rules_in_force(&watched.rules.current(), None);
        let known = rules.rules.clone();
        let others = witnessed(&watched.store.chains().await?);
        let mut facts = vec![Fact::Started(Started { others, ..started })];
        facts.extend(in_entries(rules));
        let now = Timestamp::now();
        watched.store.attest(facts, now).await?;
        let counted = (Counters::default(), now);
        Ok(Self { watched, known, gaps: BTreeMap::new(), counted, waiting: Vec::new() })
    }

    /// Writes down what happens until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> Self {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = tokio::time::interval_at(Instant::now() + COUNT_EVERY, COUNT_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return self,
                _ = look.tick() => self.look(Timestamp::now()),
                _ = count.tick() => self.count().await,
                rules = self.watched.rules.changed() => {
                    let rules = rules_in_force(&rules, Some(&self.known));
                    self.known.clone_from(&rules.rules);
                    in_entries(rules).into_iter().for_each(|fact| self.note(fact));
                }
            }
            self.write().await;
        }
    }

    /// Writes down that the daemon ended.
    pub async fn end(mut self, in_order: bool) {
        self.look(Timestamp::now());
        self.count().await;
        let others = self.others().await;
        self.note(Fact::Stopped(Stopped { in_order, others }));
        self.write().await;
    }

    fn note(&mut self, fact: Fact) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(fact);
        } else {
            tracing::error!(?fact, "not in the evidence: the store has not answered for too long");
        }
    }

    pub(super) async fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.watched.store.attest(self.waiting.clone(), Timestamp::now()).await {
            Ok(()) => self.waiting.clear(),
            Err(error) => tracing::warn!(%error, "evidence is written later"),
        }
    }

    /// Looks what does not work.
    pub(super) fn look(&mut self, now: Timestamp) {
        let reasons = self.watched.status.reasons();
        let mut facts = Vec::new();
        self.gaps.retain(|part, (since, is_noted)| {
            let lasts = reasons.contains_key(part);
            if !lasts && *is_noted {
                facts.push(Fact::GapOver(GapOver { part: part.clone(), since: *since, until: now }));
            }
            lasts
        });
        for (part, reason) in reasons {
            match self.gaps.get_mut(&part) {
                None => {
                    self.gaps.insert(part, (now, false));
                }
                Some((since, is_noted)) if !*is_noted => {
                    *is_noted = true;
                    facts.push(Fact::Gap(Gap { part, reason, since: *since }));
                }
                Some(_) => {}
            }
        }
        facts.into_iter().for_each(|fact| self.note(fact));
    }

    async fn count(&mut self) {
        let others = self.others().await;
        let counters = Counters::read(&self.watched.reports.borrow(), &self.watched.canaries);
        let (before, since) = std::mem::replace(&mut self.counted, (counters.clone(), Timestamp::now()));
        self.note(Fact::Counted(counters.since(&before, since, others)));
    }

    async fn others(&self) -> Vec<Witness> {
        self.watched.store.chains().await.map(|chains| witnessed(&chains)).unwrap_or_default()
    }
}

/// How far other chains are archived.
fn witnessed(chains: &[Chain]) -> Vec<Witness> {
    let mut others: Vec<&Chain> = chains.iter().filter(|chain| !chain.own && chain.archived > 0).collect();
    others.sort_by(|one, other| (other.at, &one.worker).cmp(&(one.at, &other.worker)));
    let of = |chain: &Chain| Witness {
        worker: chain.worker.clone(),
        seq: chain.archived,
        hash: chain.archived_hash.clone(),
    };
    others.into_iter().take(WITNESSED_MAX).map(of).collect()
}
