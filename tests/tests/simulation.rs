//! Random histories through the engine and through the naive model: both must end with the same alerts, and the engine
//! with the same bytes for every way of delivering one history.
//!
//! `BEDROCK_WATCH_SIM_HISTORIES` sets how many histories are tried, `BEDROCK_WATCH_SIM_SEED` tries one again.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bedrock_watch_engine::{
    Engine, Second, Settings,
    rule::{RuleFile, RuleSet},
};
use bedrock_watch_service::format::json;
use bedrock_watch_tests::{
    histories::{Delivery, History, deliver, in_event_order, shrink},
    model::{FLAGSHIP_RULES, differences, final_alerts},
};
use serde_json::Value;

/// How many histories the suite tries.
const HISTORIES: u64 = 2_000;
/// In how many other ways each history is delivered.
const DELIVERIES: u64 = 2;

#[test]
fn the_engine_agrees_with_the_model_and_with_itself() {
    let rules = rules();
    let seeds: Vec<u64> = match variable("BEDROCK_WATCH_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..variable("BEDROCK_WATCH_SIM_HISTORIES").unwrap_or(HISTORIES)).collect(),
    };
    let next = AtomicU64::new(0);
    let work = || {
        let mut failures = Vec::new();
        while failures.len() < 3 {
            let Some(seed) = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok().and_then(|i| seeds.get(i))
            else {
                break;
            };
            failures.extend(check(&rules, *seed));
        }
        failures
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker panicked; its message is above")).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
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
        let always_resolved =
            rule.starts_with("invocation-") && !rule.contains("logging") || rule.starts_with("model-");
        assert!(firing >= 10 || always_resolved, "{rule} fires only {firing} times: {seen:#?}");
        assert!(resolved >= 10 || never_resolves, "{rule} is resolved only {resolved} times: {seen:#?}");
    }
}

/// The report of a failure, or nothing.
fn check(rules: &Arc<RuleSet>, seed: u64) -> Option<String> {
    let history = History::random(seed);
    let failure = failure(rules, &history.records, seed)?;
    let small = shrink(&history.records, |records| self::failure(rules, records, seed).is_some());
    let small_failure = self::failure(rules, &small, seed).unwrap_or_default();
    let records: String = in_event_order(&small)
        .records
        .iter()
        .map(|(_, bytes)| format!("{}\n", String::from_utf8_lossy(bytes)))
        .collect();
    Some(format!(
        "history with seed {seed} (again with BEDROCK_WATCH_SIM_SEED={seed}):\n{failure}\n\
         shrunk to {} of {} records:\n{small_failure}\n{records}",
        small.len(),
        history.records.len()
    ))
}

fn failure(rules: &Arc<RuleSet>, records: &[Value], seed: u64) -> Option<String> {
    let expected = final_alerts(records);
    let plain = match replay(rules, &in_event_order(records)) {
        Ok(alerts) => alerts,
        Err(reason) => return Some(reason),
    };
    let differences = differences(&expected, &plain);
    if !differences.is_empty() {
        return Some(format!("in event order, the engine differs from the model:\n{}", differences.join("\n")));
    }
    (0..DELIVERIES).find_map(|number| {
        let delivery = deliver(records, seed.wrapping_mul(DELIVERIES).wrapping_add(number));
        let alerts = match replay(rules, &delivery) {
            Ok(alerts) => alerts,
            Err(reason) => return Some(reason),
        };
        (lines(&alerts) != lines(&plain)).then(|| {
            let pairs = plain.iter().zip(&alerts).find(|(plain, other)| plain != other);
            let what = match pairs {
                Some((plain, other)) => format!("  event order: {plain}\n  delivered:   {other}"),
                None => format!("  {} alerts in event order, {} as delivered", plain.len(), alerts.len()),
            };
            format!("delivery {number} (restarts after {:?}) changes the final alerts:\n{what}", delivery.restarts)
        })
    })
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

fn lines(alerts: &[Value]) -> Vec<String> {
    alerts.iter().map(Value::to_string).collect()
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, it is {value:?}")))
}

/// The rule pack as it lies in the tree.
fn rules() -> Arc<RuleSet> {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(&pack).expect("the rule pack is beside the tests") {
        let folder = folder.expect("the rule pack can be listed");
        let path = folder.path().join("rule.yml");
        if let Ok(text) = std::fs::read_to_string(&path) {
            let id = folder.file_name().to_string_lossy().into_owned();
            files.push(RuleFile { path: path.display().to_string(), id, text });
        }
    }
    files.sort_by(|a, b| a.id.cmp(&b.id));
    match RuleSet::compile(&files) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => panic!("the rule pack has problems: {problems:#?}"),
    }
}
