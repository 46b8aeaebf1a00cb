//! Accounts that move between engines, as when a shard is split or merged: what is said of them is what one engine that
//! had seen everything would have said.
//!
//! `BEDROCK_WATCH_SIM_SEED` tries one history again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is a test, its helpers too")]

use std::{collections::BTreeSet, sync::Arc};

use bedrock_watch_engine::{Engine, Second, Settings, bedrock::is_inference, rule::RuleSet};
use bedrock_watch_service::format::json;
use bedrock_watch_tests::{
    histories::History,
    repository::{compiled, rule_pack},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

/// Histories that are tried.
const HISTORIES: u64 = 600;
/// How late a record may come, in seconds; less than the allowed lateness.
const DELAY_S: i64 = 600;

/// A record as it arrives.
struct Arrival {
    /// When, in seconds.
    at: Second,
    bytes: Vec<u8>,
    /// The account, where only its own engine hears of it.
    activity_of: Option<String>,
}

/// Everything in order of arrival.
fn arrivals(seed: u64, random: &mut StdRng) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = History::random(seed)
        .records
        .iter()
        .map(|record| {
            let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
            // Inference goes to the shard of its account; of everything else all engines hear.
            let is_activity = is_inference(text("eventSource"), text("eventName"));
            let account = [
                text("recipientAccountId"),
                text("account"),
                record["userIdentity"]["accountId"].as_str().unwrap_or_default(),
            ];
            let account = account.into_iter().find(|account| !account.is_empty()).unwrap_or_default();
            let time = [text("eventTime"), text("time")].into_iter().find(|time| !time.is_empty()).unwrap();
            let time = time.parse::<jiff::Timestamp>().unwrap().as_second();
            let at = Second::from_unix(time + random.random_range(0..DELAY_S)).unwrap();
            Arrival { at, bytes: record.to_string().into_bytes(), activity_of: is_activity.then(|| account.to_owned()) }
        })
        .collect();
    arrivals.sort_by_key(|arrival| arrival.at);
    arrivals
}

/// An engine and the accounts whose activity it hears of.
struct Owner {
    engine: Engine,
    accounts: BTreeSet<String>,
}

impl Owner {
    fn new(rules: &Arc<RuleSet>, accounts: BTreeSet<String>) -> Self {
        Self { engine: Engine::new(Arc::clone(rules), Settings::standard()), accounts }
    }

    fn hear(&mut self, arrival: &Arrival) {
        let is_heard = arrival.activity_of.as_ref().is_none_or(|account| self.accounts.contains(account));
        if is_heard {
            self.engine.judge(&arrival.bytes, arrival.at).unwrap();
        } else {
            // Time passes for everybody.
            self.engine.tick(arrival.at);
        }
    }

    /// A copy, as a snapshot makes it.
    fn copy(&self, rules: &Arc<RuleSet>) -> Engine {
        Engine::restore(Arc::clone(rules), Settings::standard(), &self.engine.snapshot()).unwrap()
    }

    /// What stands at the end about the accounts.
    fn end(mut self) -> Vec<String> {
        self.engine.finish();
        self.alerts()
    }

    fn alerts(&self) -> Vec<String> {
        let all = self.engine.alerts().into_iter().filter(|alert| self.accounts.contains(&alert.account));
        all.map(|alert| json::alert(&alert).to_string()).collect()
    }
}

fn accounts_of(arrivals: &[Arrival]) -> BTreeSet<String> {
    // Also those of which only state is known.
    let mut accounts: BTreeSet<String> = arrivals.iter().filter_map(|arrival| arrival.activity_of.clone()).collect();
    accounts.extend(["111122223333", "444455556666", "777788889999"].map(str::to_owned));
    accounts
}

fn each_history(check: impl Fn(u64, &[Arrival], &mut StdRng)) {
    let one = std::env::var("BEDROCK_WATCH_SIM_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in one.map_or(0..HISTORIES, |seed| seed..seed + 1) {
        let mut random = StdRng::seed_from_u64(seed);
        let arrivals = arrivals(seed, &mut random);
        check(seed, &arrivals, &mut random);
    }
}

/// Compares alerts, and shows those alone that only one side has.
fn same(found: &[String], expected: &[String], when: &str, seed: u64) {
    let beyond = |these: &[String], those: &[String]| -> String {
        these.iter().filter(|alert| !those.contains(alert)).map(|alert| format!("{alert}\n")).collect()
    };
    let (more, fewer) = (beyond(found, expected), beyond(expected, found));
    assert!(found == expected, "{when}, BEDROCK_WATCH_SIM_SEED={seed}\nunexpected:\n{more}\nmissing:\n{fewer}");
}

#[test]
fn two_engines_that_merge_say_what_one_would_have_said() {
    let rules = compiled(&rule_pack().unwrap()).unwrap();
    each_history(|seed, arrivals, random| {
        let all = accounts_of(arrivals);
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = all.iter().cloned().partition(|_| random.random_bool(0.5));
        let (mut whole, mut left, mut right) =
            (Owner::new(&rules, all.clone()), Owner::new(&rules, left), Owner::new(&rules, right));
        let (before, after) = arrivals.split_at(random.random_range(0..=arrivals.len()));
        // One of the two has not read the last of the state stream; it is read again.
        let behind = before.len().saturating_sub(random.random_range(0..8));
        for (place, arrival) in before.iter().enumerate() {
            whole.hear(arrival);
            left.hear(arrival);
            if place < behind || arrival.activity_of.is_some() {
                right.hear(arrival);
            }
        }
        let moved = right.accounts;
        left.engine.absorb(right.engine, |account| moved.contains(account));
        left.accounts.extend(moved);
        if behind == before.len() {
            same(&left.alerts(), &whole.alerts(), "after the merge", seed);
        }
        let repeated = before[behind..].iter().filter(|arrival| arrival.activity_of.is_none());
        repeated.for_each(|arrival| left.hear(arrival));
        for arrival in after {
            whole.hear(arrival);
            left.hear(arrival);
        }
        same(&left.end(), &whole.end(), "at the end", seed);
    });
}

#[test]
fn an_engine_that_is_split_says_what_it_would_have_said() {
    let rules = compiled(&rule_pack().unwrap()).unwrap();
    each_history(|seed, arrivals, random| {
        let all = accounts_of(arrivals);
        let mut whole = Owner::new(&rules, all.clone());
        let (before, after) = arrivals.split_at(random.random_range(0..=arrivals.len()));
        before.iter().for_each(|arrival| whole.hear(arrival));
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = all.iter().cloned().partition(|_| random.random_bool(0.5));
        let mut halves = [left, right].map(|accounts| {
            let mut engine = whole.copy(&rules);
            engine.retain_accounts(|account| accounts.contains(account));
            Owner { engine, accounts }
        });
        for arrival in after {
            whole.hear(arrival);
            halves.iter_mut().for_each(|half| half.hear(arrival));
        }
        let mut found: Vec<String> = Vec::new();
        for mut half in halves {
            half.engine.finish();
            let of_others = half.engine.alerts().into_iter().filter(|alert| !half.accounts.contains(&alert.account));
            let of_inference = |rule: &str| rules.by_id(rule).is_some_and(|rule| rule.counts().rests_on_inference());
            let of_others: Vec<_> = of_others.filter(|alert| of_inference(&alert.rule)).collect();
            assert!(of_others.is_empty(), "BEDROCK_WATCH_SIM_SEED={seed}: {of_others:?}");
            found.extend(half.alerts());
        }
        let mut expected = whole.end();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "BEDROCK_WATCH_SIM_SEED={seed}");
    });
}
