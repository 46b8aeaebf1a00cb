//! What the engine says it knows, after the demo's afternoon: jobs and what they stand on, activity, logging; the same
//! in any order of delivery.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use bedrock_watch_engine::{
    DependencySummary, DependentSummary, Engine, LoggingPosture, Second, Settings, Summary, decode::decode,
};
use bedrock_watch_tests::repository::{compiled, root, rule_pack};

const GROUP: &str = "sg-0a1b2c3d4e5f60718";
const THIEF: &str = "arn:aws:iam::111122223333:user/ml-batch";

/// The records of the afternoon with their times, by time.
fn afternoon() -> Vec<(Second, String)> {
    let text = std::fs::read_to_string(root().join("detector/cli/demo/afternoon.jsonl")).unwrap();
    let timed = text.lines().map(|line| (decode(line.as_bytes()).unwrap().time(), line.to_owned()));
    let mut records: Vec<(Second, String)> = timed.collect();
    records.sort_by_key(|(time, _)| *time);
    records
}

/// What is known at `now` after the records before it, in their order.
fn known(records: &[(Second, String)], now: &str) -> Summary {
    let now = Second::parse(now).unwrap();
    let mut engine = Engine::new(compiled(&rule_pack().unwrap()).unwrap(), Settings::standard());
    for (_, record) in records.iter().filter(|(time, _)| *time <= now) {
        engine.judge_recorded(record.as_bytes()).unwrap();
    }
    engine.summary(now)
}

fn group(summary: &Summary) -> &DependencySummary {
    summary.dependencies.iter().find(|one| one.id == GROUP).unwrap()
}

fn live(summary: &Summary) -> Vec<&DependentSummary> {
    summary.dependents.iter().filter(|one| one.live && one.stands_on.contains(&group(summary).key)).collect()
}

#[test]
fn jobs_stand_on_what_they_named_and_are_broken_when_it_is_gone() {
    let records = afternoon();
    let before = known(&records, "2026-11-18T15:00:00Z");
    assert!(group(&before).losses.is_empty());
    assert!(!live(&before).is_empty() && live(&before).iter().all(|job| !job.broken), "{:#?}", before.dependents);
    let after = known(&records, "2026-11-18T15:06:00Z");
    let lost: Vec<&str> = group(&after).losses.iter().map(|loss| loss.what).collect();
    assert_eq!(lost, ["deleted"]);
    assert!(live(&after).iter().all(|job| job.broken && job.kind == "customization_job"), "{:#?}", after.dependents);
    assert_eq!(after.dependents.first().map(|one| one.broken), Some(true), "what is broken comes first");
    for one in &after.dependents {
        let known = |key: &String| after.dependencies.iter().any(|dependency| dependency.key == *key);
        assert!(one.stands_on.iter().all(known), "{one:#?}");
    }
}

#[test]
fn activity_has_its_bursts_and_adds_up() {
    let summary = known(&afternoon(), "2026-11-18T15:59:30Z");
    assert_eq!(summary.activity_from, Second::parse("2026-11-18T15:00:00Z").unwrap());
    let thief = summary.principals.first().unwrap();
    assert_eq!(thief.principal, THIEF, "who bursts comes first");
    assert_eq!(thief.calls.len(), 60);
    assert_eq!(thief.calls.iter().map(|calls| u64::from(*calls)).sum::<u64>(), thief.total);
    assert!(thief.bursts.iter().all(|minute| (52..=54).contains(minute)), "{:?}", thief.bursts);
    assert!(!thief.bursts.is_empty());
    let others = summary.principals.iter().skip(1);
    assert!(others.clone().all(|one| one.bursts.is_empty()) && others.count() > 0, "{:#?}", summary.principals);
    assert!(summary.principals_total >= summary.principals.len());
}

#[test]
fn logging_is_off_while_it_is() {
    let check = |now: &str, expected: LoggingPosture| {
        let summary = known(&afternoon(), now);
        let place = summary.logging.iter().find(|place| place.region == "us-east-1").unwrap();
        assert_eq!((place.posture, place.delivers.is_empty()), (expected, expected == LoggingPosture::Off), "{now}");
    };
    check("2026-11-18T15:11:00Z", LoggingPosture::Off);
    check("2026-11-18T16:30:00Z", LoggingPosture::On);
}

#[test]
fn the_order_of_delivery_does_not_matter() {
    let records = afternoon();
    let now = "2026-11-18T15:59:30Z";
    let mut shuffled = records.clone();
    // Each comes up to ten minutes late, which is less than the allowed lateness.
    shuffled.sort_by_key(|(time, line)| time.plus(u32::try_from(line.len()).unwrap().wrapping_mul(7_919) % 600));
    assert_ne!(shuffled, records);
    assert_eq!(known(&records, now), known(&shuffled, now));
}
