//! Random histories through the engine and through the naive model: both must end with the same alerts, and the engine
//! with the same bytes for every way of delivering one history.
//!
//! `BEDROCK_WATCH_SIM_HISTORIES` sets how many histories are tried, `BEDROCK_WATCH_SIM_FIRST` with which seed they begin,
//! and `BEDROCK_WATCH_SIM_SEED` tries one again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bedrock_watch_engine::{Engine, Second, Settings, rule::RuleSet};
use bedrock_watch_service::format::json;
use bedrock_watch_tests::{
    histories::{Delivery, History, deliver, in_event_order, shrink},
    model::{Difference, FLAGSHIP_RULES, differences, final_alerts},
    repository::{compiled, rule_pack},
};
use serde_json::Value;

/// How many histories the suite tries.
const HISTORIES: u64 = 2_000;
/// In how many other ways each history is delivered.
const DELIVERIES: u64 = 2;
/// How the faults begin that only show when a history is delivered otherwise than in event order.
const DELIVERY_FAULT: &str = "delivery changes the final alerts:";
/// How many faults are shown with a shrunk history.
const SHRUNK_MAX: usize = 3;

#[test]
fn the_engine_agrees_with_the_model_and_with_itself() {
    let rules = rules().expect("the rules compile");
    let setting = |name| variable(name).expect("settings are numbers");
    let first = setting("BEDROCK_WATCH_SIM_FIRST").unwrap_or(0);
    let count = setting("BEDROCK_WATCH_SIM_HISTORIES").unwrap_or(HISTORIES);
    let seeds: Vec<u64> = match setting("BEDROCK_WATCH_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (first..first.saturating_add(count)).collect(),
    };
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::<String, Vec<u64>>::new());
    let work = || {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let faults: BTreeSet<String> = failures(&rules, &History::random(seed).records, seed, DELIVERIES)
                .into_iter()
                .map(|failure| failure.fault)
                .collect();
            let mut found = found.lock().expect("no worker panics while it holds the lock");
            faults.into_iter().for_each(|fault| found.entry(fault).or_default().push(seed));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no worker panicked");
    assert!(found.is_empty(), "{}", report(&rules, &found));
}

/// The simulation is worth something only as long as its histories make every rule fire, end and stay quiet.
#[test]
fn the_histories_exercise_every_rule() {
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for seed in 0..400 {
        for alert in final_alerts(&History::random(seed).records) {
            let text = |field: &str| alert.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            *seen.entry((text("rule"), text("status"))).or_default() += 1;
        }
    }
    let count = |rule: &str, status: &str| seen.get(&(rule.to_owned(), status.to_owned())).copied().unwrap_or(0);
    for rule in FLAGSHIP_RULES {
        let (firing, resolved) = (count(rule, "firing"), count(rule, "resolved"));
        let never_resolves = rule == "customization-job-security-group-delete-refused";
        let of_principal = !rule.starts_with("customization-") && !rule.starts_with("invocation-logging-");
        assert!(firing >= 10 || of_principal, "{rule} fires only {firing} times: {seen:#?}");
        assert!(resolved >= 10 || never_resolves, "{rule} is resolved only {resolved} times: {seen:#?}");
    }
}

/// Every fault with how often it came, and the first ones shrunk to what shows them.
fn report(rules: &Arc<RuleSet>, found: &BTreeMap<String, Vec<u64>>) -> String {
    let faults = found
        .iter()
        .map(|(fault, seeds)| format!("  {:>5}  {fault}; the first with seed {}\n", seeds.len(), lowest(seeds)));
    let shown = found.iter().take(SHRUNK_MAX).map(|(fault, seeds)| shrunk(rules, fault, lowest(seeds)));
    format!("histories that fail, by fault:\n{}{}", faults.collect::<String>(), shown.collect::<String>())
}

/// The smallest history found that still shows a fault.
fn shrunk(rules: &Arc<RuleSet>, fault: &str, seed: u64) -> String {
    // Faults that show in event order need no other delivery, which makes shrinking quick.
    let deliveries = if fault.starts_with(DELIVERY_FAULT) { DELIVERIES } else { 0 };
    let shows_it =
        |records: &[Value]| failures(rules, records, seed, deliveries).into_iter().find(|f| f.fault == fault);
    let small = shrink(&History::random(seed).records, |records| shows_it(records).is_some());
    let report = shows_it(&small).map(|failure| failure.report).unwrap_or_default();
    let delivery = in_event_order(&small);
    let records = delivery.records.iter().map(|(_, bytes)| format!("{}\n", String::from_utf8_lossy(bytes)));
    format!(
        "\n{fault}\nwith BEDROCK_WATCH_SIM_SEED={seed}, shrunk to {} records:\n{report}{}",
        small.len(),
        records.collect::<String>()
    )
}

fn lowest(seeds: &[u64]) -> u64 {
    seeds.iter().min().copied().unwrap_or_default()
}

/// In how many ways this history shows the engine to be wrong.
fn failures(rules: &Arc<RuleSet>, records: &[Value], seed: u64, deliveries: u64) -> Vec<Difference> {
    let fault = |fault: &str, report: String| vec![Difference { fault: fault.to_owned(), report }];
    let plain = match replay(rules, &in_event_order(records)) {
        Ok(alerts) => alerts,
        Err(reason) => return fault("the engine refuses something", reason),
    };
    let mut failures = differences(&final_alerts(records), &plain);
    for number in 0..deliveries {
        let delivery = deliver(records, seed.wrapping_mul(DELIVERIES).wrapping_add(number));
        match replay(rules, &delivery) {
            Ok(alerts) => failures.extend(changed(&plain, &alerts, &delivery)),
            Err(reason) => failures.extend(fault("the engine refuses something as delivered", reason)),
        }
    }
    failures
}

/// What a delivery changed about the alerts: they must be the same, byte for byte.
fn changed(plain: &[Value], delivered: &[Value], delivery: &Delivery) -> Option<Difference> {
    let different = plain.iter().zip(delivered).find(|(plain, other)| plain.to_string() != other.to_string());
    let (rule, report) = match different {
        Some((plain, other)) => {
            let rule = plain.get("rule").and_then(Value::as_str).unwrap_or_default();
            let other = delivered.iter().find(|other| other.get("id") == plain.get("id")).unwrap_or(other);
            (rule, format!("  in event order: {plain}\n  as delivered:   {other}\n"))
        }
        None if plain.len() == delivered.len() => return None,
        None => ("number of alerts", format!("  {} in event order, {} as delivered\n", plain.len(), delivered.len())),
    };
    let times = delivery.records.iter().map(|(time, _)| time.to_string()).collect::<Vec<_>>().join(" ");
    let report =
        format!("{report}  event times in order of delivery: {times}; restarts after {:?}\n", delivery.restarts);
    Some(Difference { fault: format!("{DELIVERY_FAULT} {rule}"), report })
}

/// The alerts that stand at the end, as `replay --final --format json` prints them.
fn replay(rules: &Arc<RuleSet>, delivery: &Delivery) -> Result<Vec<Value>, String> {
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    let mut now = Second::MIN;
    for (position, (time, bytes)) in delivery.records.iter().enumerate() {
        now = now.max(Second::from_unix(*time).ok_or("a time before 1970")?);
        let text = || String::from_utf8_lossy(bytes);
        engine.judge(bytes, now).map_err(|error| format!("a record is refused: {error}\n{}", text()))?;
        if delivery.restarts.contains(&position) {
            let snapshot = engine.snapshot();
            engine = Engine::restore(Arc::clone(rules), Settings::standard(), &snapshot)
                .map_err(|error| format!("a snapshot cannot be restored: {error}"))?;
        }
    }
    engine.finish();
    Ok(engine.alerts().iter().map(json::alert).collect())
}

fn variable(name: &str) -> Result<Option<u64>, String> {
    let Ok(value) = std::env::var(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| format!("{name} must be a number, it is {value:?}"))
}

/// The rule pack as it lies in the tree.
fn rules() -> Result<Arc<RuleSet>, String> {
    compiled(&rule_pack()?)
}
