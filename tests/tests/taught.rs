//! Memory that lasts: what was taught decides what is normal and what is new, and a snapshot carries all of it.

use bedrock_watch_engine::{Engine, Second, Settings, alert::Alert};
use bedrock_watch_tests::repository::{compiled, rule_pack};
use serde_json::{Value, json};

const DAY_S: u32 = 86_400;
const TODAY: u32 = 1_795_046_400;

#[cfg(test)]
fn engine() -> Engine {
    let pack = rule_pack().expect("the rules can be read");
    Engine::new(compiled(&pack).expect("the rules compile"), Settings::standard())
}

#[cfg(test)]
fn restored(engine: &Engine) -> Engine {
    let pack = rule_pack().expect("the rules can be read");
    let rules = compiled(&pack).expect("the rules compile");
    Engine::restore(rules, Settings::standard(), &engine.snapshot()).expect("its own snapshot is readable")
}

fn invoke(at: u32, number: u32) -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel", "awsRegion": "us-east-1",
        "eventTime": Second(at).to_rfc3339(), "eventID": format!("{at:08x}-{number:04x}-4000-8000-000000000000"),
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/batch"},
        "requestParameters": {"modelId": "amazon.nova-pro-v1:0"}})
}

#[cfg(test)]
fn judge(engine: &mut Engine, records: &[Value]) {
    for record in records {
        let now = record["eventTime"].as_str().and_then(Second::parse).expect("the test wrote it");
        engine.judge(record.to_string().as_bytes(), now).expect("the record is valid");
    }
}

/// Eight days of `per_minute` calls in each of 20 minutes, seven hours before the present time of day.
fn history(per_minute: u32) -> Vec<Value> {
    let minutes = (1..=8_u32).rev().flat_map(|day| (0..20_u32).map(move |minute| TODAY - day * DAY_S + minute * 60));
    minutes.flat_map(|start| (0..per_minute).map(move |call| invoke(start + call % 60, call))).collect()
}

/// 200 calls within 50 seconds, today.
fn burst() -> Vec<Value> {
    (0..200).map(|call| invoke(TODAY + 25_200 + call / 4, call)).collect()
}

#[cfg(test)]
fn bursts(engine: &mut Engine) -> Vec<Alert> {
    engine.finish();
    engine.alerts().into_iter().filter(|alert| alert.rule == "invocation-burst").collect()
}

#[test]
fn a_taught_baseline_raises_the_bar_and_raises_nothing_itself() {
    let check = |per_minute: u32, fires: bool| {
        let mut engine = engine();
        engine.set_teaching(true);
        judge(&mut engine, &history(per_minute));
        assert!(engine.alerts().is_empty(), "teaching raises nothing");
        engine.set_teaching(false);
        let mut engine = restored(&engine);
        judge(&mut engine, &burst());
        let found = bursts(&mut engine);
        assert_eq!(!found.is_empty(), fires, "{per_minute} calls a minute are normal");
        for alert in found {
            assert_eq!(alert.facts["baseline_60s"], json!(per_minute));
            assert_eq!(alert.facts["learning"], json!(false));
        }
    };
    check(30, true);
    check(40, true);
    check(41, false);
    check(120, false);
}

#[test]
fn without_history_the_floor_decides_and_says_that_it_is_learning() {
    let mut engine = engine();
    judge(&mut engine, &burst());
    let found = bursts(&mut engine);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].facts["baseline_60s"], Value::Null);
    assert_eq!(found[0].facts["learning"], json!(true));
    assert_eq!(found[0].facts["peak_60s"], json!(200));
}

#[test]
fn equal_memories_give_equal_snapshots() {
    let mut engine = engine();
    judge(&mut engine, &history(5));
    judge(&mut engine, &burst());
    let again = restored(&engine);
    assert_eq!(engine.snapshot(), again.snapshot());
    assert_eq!(engine.alerts(), again.alerts());
}
