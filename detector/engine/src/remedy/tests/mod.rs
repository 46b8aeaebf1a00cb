//! Tests of the commands and queries of whole alerts: a history goes in, what people would paste comes out.

mod dependencies;
mod others;

use serde_json::{Map, Value, json};

use super::{of_principal, of_state, queries};

use crate::{
    Activity, Settings,
    alert::{Actor, Alert, Remediation, Severity, Status, SubjectKind},
    decode,
    time::Second,
    world::{Repair, ResourceKey, World},
};

const ACCOUNT: &str = "111122223333";
const HOSTILE: &str = "'; rm -rf ~; \u{1b}[201~$(reboot)\n`id` \"${HOME}\" !x";

/// A call: source, name, request, answer.
type Call = (&'static str, &'static str, Value, Value);

/// When the alerts here began.
const ALERT_AT: Second = Second(1_000_060);

/// A world after these calls, the last a second before the alert.
fn world(calls: &[Call]) -> World {
    spaced_world(calls, 1)
}

/// The same with `gap` seconds between the calls.
fn spaced_world(calls: &[Call], gap: u32) -> World {
    let mut world = World::default();
    for (place, (source, name, request, response)) in calls.iter().enumerate() {
        let before = u32::try_from(calls.len().saturating_sub(place)).unwrap();
        let at = ALERT_AT.minus(gap.saturating_mul(before));
        let record = json!({
            "eventVersion": "1.11", "eventID": format!("e{place}"), "eventSource": format!("{source}.amazonaws.com"),
            "eventName": name, "eventTime": at.to_rfc3339(),
            "awsRegion": "us-west-2", "recipientAccountId": ACCOUNT, "requestParameters": request,
            "responseElements": response,
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/dev")}
        });
        let bytes = record.to_string();
        match decode::decode(bytes.as_bytes()) {
            Ok(Activity::Call(call)) => drop(world.apply_call(&call, &Settings::standard())),
            other => panic!("{name}: {other:?}"),
        }
    }
    world
}

fn job(name: &str, extra: &Value) -> Call {
    let mut request = json!({
        "jobName": name, "customModelName": "model", "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/ml/Tuner"),
        "baseModelIdentifier": "amazon.titan-text-lite-v1:0:4k", "customizationType": "FINE_TUNING",
        "trainingDataConfig": {"s3Uri": "s3://corp-ml/train.jsonl"}, "outputDataConfig": {"s3Uri": "s3://corp-ml/out"},
        "validationDataConfig": {"validators": [{"s3Uri": "s3://corp-ml/valid.jsonl"}]},
        "hyperParameters": {"epochCount": "2"}, "jobTags": [{"key": "team", "value": "it's ml"}],
        "customModelKmsKeyId": format!("arn:aws:kms:us-west-2:{ACCOUNT}:key/k1"),
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1", "sg-2"]}
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    let arn = format!("arn:aws:bedrock:us-west-2:{ACCOUNT}:model-customization-job/titan:0:4k/{name}");
    ("bedrock", "CreateModelCustomizationJob", request, json!({ "jobArn": arn }))
}

fn group(name: &str) -> Call {
    let request = json!({"groupName": name, "groupDescription": "for tuning", "vpcId": "vpc-1"});
    ("ec2", "CreateSecurityGroup", request, json!({"groupId": "sg-1"}))
}

fn rule(call: &'static str, cidr: &str, port: i64) -> Call {
    let protocol = if port < 0 { "-1" } else { "tcp" };
    let list = if cidr.starts_with("sg-") {
        json!({"groups": {"items": [{"groupId": cidr}]}})
    } else {
        json!({"ipRanges": {"items": [{"cidrIp": cidr}]}})
    };
    let mut permission = json!({"ipProtocol": protocol, "fromPort": port, "toPort": port});
    for (key, value) in list.as_object().into_iter().flatten() {
        permission[key] = value.clone();
    }
    ("ec2", call, json!({"groupId": "sg-1", "ipPermissions": {"items": [permission]}}), json!({"_return": true}))
}

/// An alert a minute after the histories here, by `principal`, with these facts.
fn alert(kind: SubjectKind, subject: &str, principal: &str, facts: Value) -> Alert {
    let at = ALERT_AT;
    Alert {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        rule: "rule".to_owned(),
        title: "title".to_owned(),
        summary: "summary".to_owned(),
        severity: Severity::High,
        status: Status::Firing,
        account: ACCOUNT.to_owned(),
        region: Some("us-west-2".to_owned()),
        subject_kind: kind,
        subject_id: subject.to_owned(),
        principal: Some(principal.to_owned()).filter(|name| !name.is_empty()),
        actor: Actor { access_key_id: Some("AKIAIOSFODNN7EXAMPLE".to_owned()), ..Actor::default() },
        first_event_time: at,
        last_event_time: at.plus(5),
        event_ids: vec!["e1".to_owned(), "e'2".to_owned()],
        event_count: 2,
        facts: match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        },
        attack: Vec::new(),
        runbook: String::new(),
        repair: Vec::new(),
    }
}

/// The commands for the loss of `resource`, without containment.
fn lost(world: &World, resource: ResourceKey, subject: &str, facts: Value) -> Vec<Remediation> {
    let alert = alert(SubjectKind::CustomizationJobDependency, subject, "", facts);
    let users: Vec<u32> = (0..100).filter(|number| world.dependents().get(*number).is_some()).collect();
    of_state(&alert, &Repair::Dependency { resource, users }, world)
}

fn sg(world: &World, facts: Value) -> Vec<Remediation> {
    lost(world, ResourceKey::SecurityGroup("sg-1".into()), "sg-1", facts)
}

fn all(remediation: &[Remediation]) -> String {
    let one = |one: &Remediation| format!("## {}\n{}\n", one.title, one.command);
    remediation.iter().map(one).collect()
}

/// Each of `present` is there, in this order, and none of `absent`.
fn check(text: &str, present: &[&str], absent: &[&str]) {
    let mut rest = text;
    for wanted in present {
        let Some((_, after)) = rest.split_once(wanted) else { panic!("missing or out of order: {wanted}\n{text}") };
        rest = after;
    }
    for unwanted in absent {
        assert!(!text.contains(unwanted), "unwanted: {unwanted}\n{text}");
    }
}
