//! An alert as an OCSF Detection Finding (class 2004, schema 1.3.0), for security data lakes.
//!
//! The mapping is fixed: nothing of the alert is lost, because whatever OCSF has no place for goes under `unmapped`.

use bedrock_watch_engine::{
    Second,
    alert::{Alert, AlertChange, ChangeKind, Severity},
};
use serde_json::{Map, Value, json};

const CLASS_UID: u32 = 2004;

/// The finding.
pub(super) fn finding(change: &AlertChange) -> Value {
    let alert = &change.alert;
    let (activity_id, activity_name) = activity(change.kind);
    let (status_id, status) = status(change.kind);
    let (severity_id, severity) = severity(alert.severity);
    without_nulls(json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": format!("Detection Finding: {activity_name}"),
        "time": milliseconds(alert.last_event_time),
        "start_time": milliseconds(alert.first_event_time),
        "end_time": milliseconds(alert.last_event_time),
        "count": alert.event_count,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": alert.summary,
        "metadata": {
            "version": "1.3.0",
            "profiles": ["cloud", "host"],
            "product": {
                "name": "bedrock-watch",
                "vendor_name": "bedrock-watch",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "cloud": { "provider": "AWS", "region": alert.region, "account": { "uid": alert.account, "type": "AWS Account", "type_id": 10 } },
        "finding_info": finding_info(alert),
        "resources": resources(alert),
        "actor": actor(alert),
        "evidences": evidences(alert),
        "observables": observables(alert),
        "remediation": remediation(alert),
        "unmapped": { "facts": alert.facts, "queries": queries(alert), "subject_kind": alert.subject_kind.as_str() },
    }))
}

const fn activity(kind: ChangeKind) -> (u32, &'static str) {
    match kind {
        ChangeKind::Fired => (1, "Create"),
        ChangeKind::Updated => (2, "Update"),
        ChangeKind::Resolved | ChangeKind::Withdrawn => (3, "Close"),
    }
}

const fn status(kind: ChangeKind) -> (u32, &'static str) {
    match kind {
        ChangeKind::Fired => (1, "New"),
        ChangeKind::Updated => (2, "In Progress"),
        ChangeKind::Withdrawn => (3, "Suppressed"),
        ChangeKind::Resolved => (4, "Resolved"),
    }
}

pub(super) const fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

pub(super) fn milliseconds(second: Second) -> i64 {
    i64::from(second.0).saturating_mul(1000)
}

fn finding_info(alert: &Alert) -> Value {
    let attacks: Vec<Value> = alert
        .attack
        .iter()
        .map(|technique| match technique.split_once('.') {
            Some((parent, _)) => json!({ "technique": { "uid": parent }, "sub_technique": { "uid": technique } }),
            None => json!({ "technique": { "uid": technique } }),
        })
        .collect();
    json!({
        "uid": alert.id,
        "title": alert.title,
        "desc": alert.summary,
        "types": [alert.rule],
        "attacks": attacks,
        "first_seen_time": milliseconds(alert.first_event_time),
        "last_seen_time": milliseconds(alert.last_event_time),
        "created_time": milliseconds(alert.first_event_time),
        "modified_time": milliseconds(alert.last_event_time),
        "analytic": { "type_id": 1, "type": "Rule", "uid": alert.rule, "name": alert.title },
    })
}

/// What the alert is about, and each affected job.
fn resources(alert: &Alert) -> Vec<Value> {
    let place = |uid: &str, kind: &str, name: Option<&str>| {
        json!({
            "uid": uid, "type": kind, "name": name, "region": alert.region, "owner": { "account": { "uid": alert.account } },
        })
    };
    let mut resources = vec![place(&alert.subject_id, alert.subject_kind.as_str(), None)];
    for job in alert.facts.get("jobs").and_then(Value::as_array).into_iter().flatten() {
        if let Some(arn) = job.get("arn").and_then(Value::as_str) {
            resources.push(place(arn, "AWS::Bedrock::ModelCustomizationJob", job.get("name").and_then(Value::as_str)));
        }
    }
    resources
}

fn actor(alert: &Alert) -> Value {
    let actor = &alert.actor;
    json!({
        "user": {
            "uid": actor.arn.as_ref().or(alert.principal.as_ref()),
            "name": alert.principal,
            "type": actor.kind,
            "credential_uid": actor.access_key_id,
            "account": { "uid": alert.account },
        },
        "session": actor.session_name.as_ref().map(|name| json!({ "uid": name })),
        "invoked_by": actor.via,
    })
}

fn evidences(alert: &Alert) -> Vec<Value> {
    vec![json!({
        "actor": actor(alert),
        "src_endpoint": alert.actor.source_ip.as_ref().map(|address| match is_address(address) {
            true => json!({ "ip": address }),
            false => json!({ "svc_name": address }),
        }),
        "data": { "event_ids": alert.event_ids, "event_count": alert.event_count, "user_agent": alert.actor.user_agent },
    })]
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

fn observables(alert: &Alert) -> Vec<Value> {
    let actor = &alert.actor;
    let address = actor.source_ip.as_ref().filter(|address| is_address(address));
    let candidates = [
        ("evidences[].src_endpoint.ip", "IP Address", 2, address),
        ("resources[].uid", "Resource UID", 10, Some(&alert.subject_id)),
        ("evidences[].data.user_agent", "HTTP User-Agent", 16, actor.user_agent.as_ref()),
        ("actor.user.credential_uid", "User Credential ID", 19, actor.access_key_id.as_ref()),
    ];
    let present = candidates.into_iter().filter_map(|(name, kind, kind_id, value)| {
        value.map(|value| json!({ "name": name, "type": kind, "type_id": kind_id, "value": value }))
    });
    present.collect()
}

fn remediation(alert: &Alert) -> Value {
    let steps: Vec<String> =
        alert.remediation().iter().map(|step| format!("{}:\n{}", step.title, step.command)).collect();
    let desc = if steps.is_empty() { format!("See {}", alert.runbook) } else { steps.join("\n\n") };
    json!({ "desc": desc, "references": [alert.runbook] })
}

fn queries(alert: &Alert) -> Vec<Value> {
    let queries = alert.queries();
    let queries = queries.iter();
    queries.map(|query| json!({ "title": query.title, "language": query.language, "text": query.text })).collect()
}

/// OCSF leaves absent attributes out. Facts keep their nulls: there null means "not known yet".
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(name, value)| if name == "facts" { (name, value) } else { (name, without_nulls(value)) })
                    .collect::<Map<String, Value>>(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn is_a_detection_finding() {
        let check = |kind: ChangeKind, type_uid: u32, status_id: u32| {
            let finding = finding(&AlertChange { kind, ..sample::fired() });
            let at = |pointer: &str| finding.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(at("/class_uid"), 2004);
            assert_eq!(at("/category_uid"), 2);
            assert_eq!(at("/type_uid"), type_uid);
            assert_eq!(at("/status_id"), status_id);
            assert_eq!(at("/severity_id"), 5);
            assert_eq!(at("/time"), 1_763_470_860_000_i64);
            assert_eq!(at("/metadata/version"), "1.3.0");
            assert_eq!(at("/finding_info/uid"), "7d1c");
            assert_eq!(at("/finding_info/attacks/0/technique/uid"), "T1485");
            assert_eq!(at("/cloud/account/uid"), "111122223333");
            assert_eq!(at("/resources/0/uid"), "sg-0aaa");
            assert_eq!(at("/resources/1/name"), "support-tone");
            assert_eq!(at("/evidences/0/src_endpoint/ip"), "198.51.100.7");
            assert_eq!(at("/actor/user/credential_uid"), "AKIAIOSFODNN7EXAMPLE");
            assert!(finding.pointer("/actor/session").is_none(), "absent attributes are left out");
        };
        check(ChangeKind::Fired, 200_401, 1);
        check(ChangeKind::Updated, 200_402, 2);
        check(ChangeKind::Resolved, 200_403, 4);
        check(ChangeKind::Withdrawn, 200_403, 3);
    }
}
