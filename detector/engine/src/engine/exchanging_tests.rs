//! Rules are exchanged while an engine runs.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    alert::{Severity, SubjectKind},
    rule::{RuleFile, RuleSet},
    time::DAY_S,
};

const START: Second = Second(1_795_046_400);
const QUIET_S: u32 = 900;

/// A rule about principals: this many calls in a minute.
fn burst(id: &str, least: u32) -> RuleFile {
    rule(id, "bedrock-watch", "principal", &format!("watch.principal.invocations_60s|gte: {least}"))
}

/// A rule about records of this name.
fn named(id: &str, event: &str) -> RuleFile {
    rule(id, "aws", "cloudtrail", &format!("eventName: {event}"))
}

fn lost() -> RuleFile {
    rule("lost", "bedrock-watch", "state", "watch.event: JobDependencyLost")
}

fn rule(id: &str, product: &str, service: &str, test: &str) -> RuleFile {
    let text = format!(
        "title: {id}\nlevel: high\nlogsource:\n  product: {product}\n  service: {service}\ndetection:\n  selection:\n    \
         {test}\n  condition: selection\n"
    );
    RuleFile { path: format!("{id}/rule.yml"), id: id.to_owned(), text }
}

fn set(files: &[RuleFile]) -> Arc<RuleSet> {
    Arc::new(RuleSet::compile(files).unwrap_or_else(|problems| panic!("{problems:?}")))
}

fn record(at: Second, source: &str, name: &str, request: serde_json::Value) -> Vec<u8> {
    let response = if name.starts_with("Create") {
        json!({"jobArn": "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/m/j"})
    } else {
        json!(null)
    };
    let record = json!({
        "eventVersion": "1.11", "eventID": format!("{name}-{}", at.0), "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name, "eventTime": at.to_rfc3339(), "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333", "requestParameters": request, "responseElements": response,
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/dev"},
    });
    record.to_string().into_bytes()
}

/// Four calls of a model, a second apart.
fn calls(engine: &mut Engine, at: Second) -> Vec<AlertChange> {
    let call = |second| record(at.plus(second), "bedrock", "InvokeModel", json!({"modelId": "m"}));
    (0..4).flat_map(|second| engine.judge_recorded(&call(second)).unwrap()).collect()
}

fn delete(engine: &mut Engine, at: Second, name: &str) -> Vec<AlertChange> {
    engine.judge_recorded(&record(at, "bedrock", name, json!({"guardrailIdentifier": "g"}))).unwrap()
}

fn told(changes: &[AlertChange]) -> Vec<(&str, ChangeKind)> {
    let kinds = changes.iter().filter(|change| change.kind != ChangeKind::Updated);
    kinds.map(|change| (change.alert.rule.as_str(), change.kind)).collect()
}

fn engine(files: &[RuleFile]) -> Engine {
    Engine::new(set(files), Settings::standard())
}

#[test]
fn what_comes_is_judged_by_the_new_rules() {
    let mut engine = engine(&[burst("burst", 100), named("guardrail", "DeleteGuardrail")]);
    assert_eq!(told(&calls(&mut engine, START)), []);
    assert_eq!(told(&delete(&mut engine, START.plus(30), "DeleteFlow")), []);
    engine.exchange_rules(set(&[burst("burst", 3), named("flow", "DeleteFlow")]));
    assert_eq!(told(&calls(&mut engine, START.plus(120))), [("burst", ChangeKind::Fired)]);
    assert_eq!(told(&delete(&mut engine, START.plus(130), "DeleteFlow")), [("flow", ChangeKind::Fired)]);
    assert_eq!(told(&delete(&mut engine, START.plus(140), "DeleteGuardrail")), []);
}

#[test]
fn answers_are_those_of_an_engine_that_had_the_new_rules_from_then_on() {
    let (old, new) = ([burst("burst", 100), named("a", "DeleteFlow")], [burst("burst", 3), named("b", "DeleteFlow")]);
    let then = START.plus(DAY_S);
    let play = |engine: &mut Engine, at: Second| {
        calls(engine, at);
        delete(engine, at.plus(60), "DeleteFlow");
    };
    let mut exchanged = engine(&old);
    play(&mut exchanged, START);
    exchanged.exchange_rules(set(&new));
    play(&mut exchanged, then);
    // The other one knows what happened before, and has raised nothing for it.
    let mut other = engine(&new);
    other.set_teaching(true);
    play(&mut other, START);
    other.set_teaching(false);
    play(&mut other, then);
    let since = |engine: &Engine| -> Vec<Alert> {
        engine.alerts().into_iter().filter(|alert| alert.first_event_time >= then).collect()
    };
    assert_eq!(since(&exchanged), since(&other));
    assert_eq!(since(&other).len(), 2);
}

#[test]
fn alerts_of_rules_that_are_gone_stay() {
    let all = [burst("burst", 3), named("guardrail", "DeleteGuardrail"), lost(), named("other", "DeleteFlow")];
    let mut engine = engine(&all);
    calls(&mut engine, START);
    delete(&mut engine, START.plus(10), "DeleteGuardrail");
    let job = json!({"jobName": "j", "roleArn": "arn:aws:iam::111122223333:role/r",
        "vpcConfig": {"securityGroupIds": ["sg-1"], "subnetIds": ["subnet-1"]}});
    engine.judge_recorded(&record(START.plus(20), "bedrock", "CreateModelCustomizationJob", job)).unwrap();
    let subnet = |id: &str| json!({ "subnetId": id });
    engine.judge_recorded(&record(START.plus(30), "ec2", "DeleteSubnet", subnet("subnet-1"))).unwrap();
    let before = engine.alerts();
    assert_eq!(before.len(), 3, "{before:?}");

    engine.exchange_rules(set(&[named("other", "DeleteFlow")]));
    assert_eq!(engine.alerts(), before);
    // What the lost rule was about is looked at again.
    let again = engine.judge_recorded(&record(START.plus(40), "ec2", "DeleteSubnet", subnet("subnet-1"))).unwrap();
    assert_eq!(told(&again), []);
    assert_eq!(engine.alerts(), before);

    // The memory carries them over a restart, and quiet ends the one about the principal.
    let snapshot = engine.snapshot();
    let mut engine = Engine::restore(set(&[named("other", "DeleteFlow")]), Settings::standard(), &snapshot).unwrap();
    assert_eq!(engine.alerts(), before);
    assert!(engine.next_wakeup() <= Some(START.plus(3 + QUIET_S)));
    assert_eq!(told(&engine.tick(START.plus(2 + QUIET_S))), []);
    assert_eq!(told(&engine.tick(START.plus(3 + QUIET_S))), [("burst", ChangeKind::Resolved)]);
    let firing = |engine: &Engine| engine.alerts().iter().filter(|alert| alert.status == Status::Firing).count();
    assert_eq!(firing(&engine), 2);
}

#[test]
fn a_rule_that_comes_back_is_told_once() {
    let rules = [burst("burst", 3)];
    let mut engine = engine(&rules);
    calls(&mut engine, START);
    engine.exchange_rules(set(&[]));
    engine.exchange_rules(set(&rules));
    calls(&mut engine, START.plus(120));
    let alerts = engine.alerts();
    let ids: Vec<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), 1, "{alerts:?}");
}

#[test]
fn an_open_alert_takes_the_new_level_when_it_grows() {
    let mut engine = engine(&[burst("burst", 3)]);
    calls(&mut engine, START);
    let mut worse = burst("burst", 3);
    worse.text = worse.text.replace("level: high", "level: critical");
    engine.exchange_rules(set(&[worse]));
    calls(&mut engine, START.plus(10));
    let alerts = engine.alerts();
    assert_eq!(alerts.iter().map(|alert| alert.severity).collect::<Vec<_>>(), [Severity::Critical]);
    assert_eq!(alerts.first().map(|alert| alert.subject_kind), Some(SubjectKind::Principal));
}
