//! An alert for the tests of the formats and sinks.

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, AlertChange, ChangeKind, Remediation, Severity, Status, SubjectKind},
};

/// A critical alert about a deleted security group, with control characters where an attacker can put them.
pub(crate) fn alert() -> Alert {
    let facts = serde_json::json!({
        "jobs": [{
            "arn": "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.titan-text-lite-v1:0:4k/abc",
            "name": "support-tone",
            "status": "InProgress",
        }],
        "deleted_by": "arn:aws:iam::111122223333:user/mallory",
        "learning": false,
    });
    Alert {
        id: "7d1c".to_owned(),
        rule: "customization-job-security-group-deleted".to_owned(),
        title: "Security group of a customization job deleted".to_owned(),
        summary: "mallory deleted sg-0aaa, which 1 live customization job depends on".to_owned(),
        severity: Severity::Critical,
        status: Status::Firing,
        account: "111122223333".to_owned(),
        region: Some("us-east-1".to_owned()),
        subject_kind: SubjectKind::CustomizationJobDependency,
        subject_id: "sg-0aaa".to_owned(),
        principal: Some("arn:aws:iam::111122223333:user/mallory".to_owned()),
        actor: Actor {
            arn: Some("arn:aws:iam::111122223333:user/mallory".to_owned()),
            kind: Some("IAMUser".to_owned()),
            access_key_id: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
            session_name: None,
            source_ip: Some("198.51.100.7".to_owned()),
            user_agent: Some("aws-cli\u{1b}[31m\u{202e}/2.15\nfake: line".to_owned()),
            via: None,
            workload: None,
            source_identity: None,
        },
        first_event_time: Second(1_763_470_800),
        last_event_time: Second(1_763_470_860),
        event_ids: vec!["e1".to_owned()],
        event_count: 1,
        facts: facts.as_object().cloned().unwrap_or_default(),
        attack: vec!["T1485".to_owned()],
        runbook: "rules/customization-job-security-group-deleted/runbook.md".to_owned(),
        repair: vec![Remediation {
            title: "Recreate the group".to_owned(),
            command: "aws ec2 create-security-group \\\n  --group-name tuning".to_owned(),
        }],
    }
}

/// The sample alert, just fired.
pub(crate) fn fired() -> AlertChange {
    AlertChange { kind: ChangeKind::Fired, alert: alert() }
}
