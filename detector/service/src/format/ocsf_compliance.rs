//! A verdict of a check as an OCSF Compliance Finding (class 2003, schema 1.3.0).
//!
//! Alerts are Detection Findings, in `ocsf`; these are what `audit` found.

use bedrock_watch_engine::{
    Second,
    alert::{Remediation, Severity},
};
use serde_json::{Value, json};

use super::ocsf::{milliseconds, severity, without_nulls};

const CLASS_UID: u32 = 2003;
/// A finding that was made, not updated or closed.
const ACTIVITY_CREATE: u32 = 1;

/// What a check found. Borrowed from whatever it is about.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// Names the finding.
    pub id: &'a str,
    /// The check.
    pub check: &'a str,
    /// The standard that the check comes from.
    pub standard: &'a str,
    /// Where the check is described.
    pub reference: &'a str,
    /// When it was checked.
    pub at: Second,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the check failed; otherwise it is a warning.
    pub failed: bool,
    /// One line.
    pub title: &'a str,
    /// A sentence or two.
    pub message: &'a str,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// What it is about: id, type and name of each.
    pub resources: Vec<(String, &'static str, Option<String>)>,
    /// What repairs it.
    pub remediation: &'a [Remediation],
}

/// The finding as JSON.
#[must_use]
pub fn finding(of: &Finding<'_>) -> Value {
    let (severity_id, severity) = severity(of.severity);
    let (status_id, status) = if of.failed { (3, "Fail") } else { (2, "Warning") };
    let at = milliseconds(of.at);
    let steps: Vec<String> = of.remediation.iter().map(|step| format!("{}:\n{}", step.title, step.command)).collect();
    let resources: Vec<Value> = of
        .resources
        .iter()
        .map(|(uid, kind, name)| {
            let owner = json!({ "account": { "uid": of.account } });
            json!({ "uid": uid, "type": kind, "name": name, "region": of.region, "owner": owner })
        })
        .collect();
    without_nulls(json!({
        "activity_id": ACTIVITY_CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Compliance Finding",
        "type_uid": CLASS_UID * 100 + ACTIVITY_CREATE,
        "type_name": "Compliance Finding: Create",
        "time": at,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "message": of.message,
        "metadata": {
            "version": "1.3.0",
            "profiles": ["cloud"],
            "product": {
                "name": "bedrock-watch",
                "vendor_name": "bedrock-watch",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "cloud": {
            "provider": "AWS",
            "region": of.region,
            "account": { "uid": of.account, "type": "AWS Account", "type_id": 10 },
        },
        "compliance": { "control": of.check, "standards": [of.standard], "status": status, "status_id": status_id },
        "finding_info": {
            "uid": of.id,
            "title": of.title,
            "desc": of.message,
            "types": [of.check],
            "created_time": at,
            "first_seen_time": at,
            "last_seen_time": at,
        },
        "resources": resources,
        "remediation": { "desc": steps.join("\n\n"), "references": [of.reference] },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_compliance_finding() {
        let check = |failed: bool, status_id: u32| {
            let steps = [Remediation { title: "Make it".to_owned(), command: "aws".to_owned() }];
            let value = finding(&Finding {
                id: "id",
                check: "check",
                standard: "standard",
                reference: "https://example.com",
                at: Second(1_763_470_800),
                severity: Severity::Medium,
                failed,
                title: "title",
                message: "message",
                account: "111122223333",
                region: "eu-west-1",
                resources: vec![("arn".to_owned(), "AWS::Bedrock::ModelCustomizationJob", None)],
                remediation: &steps,
            });
            assert_eq!((&value["class_uid"], &value["type_uid"]), (&json!(2003), &json!(200_301)));
            assert_eq!(value["compliance"]["status_id"], json!(status_id));
            assert_eq!((&value["severity_id"], &value["time"]), (&json!(3), &json!(1_763_470_800_000_i64)));
            assert_eq!(value["remediation"]["desc"], json!("Make it:\naws"));
            assert!(value["resources"][0].get("name").is_none(), "absent attributes are left out");
        };
        check(true, 3);
        check(false, 2);
    }
}
