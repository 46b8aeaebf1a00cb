//! A finding in the AWS Security Finding Format, as Security Hub's BatchImportFindings takes it.
//!
//! A pure function of a small struct, so that alerts and the findings of `audit` become findings in one way. Texts are
//! cut to the lengths of the format (Security Hub user guide, "AWS Security Finding Format (ASFF) syntax"), because one
//! that is too long has the whole finding refused. Deliberately no sending here.

use std::collections::BTreeMap;

use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Findings in one call of BatchImportFindings (Security Hub API reference).
pub const FINDINGS_PER_CALL_MAX: usize = 100;
/// Bytes of one finding at most (Security Hub user guide, quotas).
pub const FINDING_BYTES_MAX: usize = 240_000;

const SCHEMA_VERSION: &str = "2018-10-08";
const ID_CHARS_MAX: usize = 512;
const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 1_024;
const ADVICE_CHARS_MAX: usize = 512;
const RESOURCES_MAX: usize = 32;
const FIELDS_MAX: usize = 50;
const FIELD_NAME_CHARS_MAX: usize = 128;
const FIELD_CHARS_MAX: usize = 1_024;

/// What a finding says. Borrowed from whatever it is about.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// Names the finding; the same id updates it.
    pub id: &'a str,
    /// The partition of its ARNs: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// The account whose Security Hub takes it; it owns the product.
    pub product_account: &'a str,
    /// The region whose Security Hub takes it.
    pub product_region: &'a str,
    /// The rule or check that found it.
    pub generator_id: &'a str,
    /// The account it is about.
    pub account: &'a str,
    /// `namespace/category/classifier`, such as `TTPs/Impact`.
    pub types: Vec<String>,
    /// When it began.
    pub first_observed: Timestamp,
    /// When it was last seen.
    pub last_observed: Timestamp,
    /// When this state of it was written; Security Hub ignores what is older than what it has.
    pub updated: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: &'a str,
    /// A few sentences.
    pub description: &'a str,
    /// What to do, in a sentence, and where more is written.
    pub advice: Option<Advice<'a>>,
    /// What it is about; empty becomes the account.
    pub resources: Vec<Resource>,
    /// The verdict of a check; `None` for what is no check.
    pub compliance: Option<Compliance>,
    /// Names and values of our own.
    pub fields: BTreeMap<String, String>,
    /// Whether it holds.
    pub state: State,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Advice<'a> {
    /// In a sentence or two.
    pub text: &'a str,
    /// Where more is written; left out unless it is an HTTPS address.
    pub url: &'a str,
}

/// Something a finding is about.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its type, such as `AwsEc2SecurityGroup`, or `Other`.
    pub kind: &'static str,
    /// Its ARN or id.
    pub id: String,
    /// Its region.
    pub region: Option<String>,
    /// More of it, by name.
    pub details: BTreeMap<String, String>,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compliance {
    /// What is checked holds.
    Passed,
    /// It does not.
    Failed,
    /// Something is worth a look.
    Warning,
    /// It could not be found out.
    NotAvailable,
}

/// Whether a finding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// It is over.
    Resolved,
    /// It should not have been one.
    Withdrawn,
}

impl Compliance {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Warning => "WARNING",
            Self::NotAvailable => "NOT_AVAILABLE",
        }
    }
}

impl State {
    /// Workflow status and record state.
    const fn as_strs(self) -> (&'static str, &'static str) {
        match self {
            Self::Active => ("NEW", "ACTIVE"),
            Self::Resolved => ("RESOLVED", "ARCHIVED"),
            Self::Withdrawn => ("SUPPRESSED", "ARCHIVED"),
        }
    }
}

/// The product under which an account imports findings of its own.
#[must_use]
pub fn product_arn(partition: &str, region: &str, account: &str) -> String {
    format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default")
}

/// The finding as JSON.
#[must_use]
pub fn finding(of: &Finding<'_>) -> Value {
    let (workflow, record) = of.state.as_strs();
    let mut finding = json!({
        "SchemaVersion": SCHEMA_VERSION,
        "Id": cut(of.id, ID_CHARS_MAX),
        "ProductArn": product_arn(of.partition, of.product_region, of.product_account),
        "ProductName": "bedrock-watch",
        "CompanyName": "bedrock-watch",
        "GeneratorId": cut(of.generator_id, ID_CHARS_MAX),
        "AwsAccountId": of.account,
        "Types": of.types,
        "FirstObservedAt": of.first_observed.to_string(),
        "LastObservedAt": of.last_observed.to_string(),
        "CreatedAt": of.first_observed.to_string(),
        "UpdatedAt": of.updated.to_string(),
        "Severity": { "Label": of.severity.as_str().to_uppercase(), "Original": of.severity.as_str() },
        "Title": cut(of.title, TITLE_CHARS_MAX),
        "Description": cut(of.description, DESCRIPTION_CHARS_MAX),
        "ProductFields": fields(&of.fields),
        "Resources": resources(of),
        "Workflow": { "Status": workflow },
        "RecordState": record,
    });
    let mut add = |name: &str, value: Value| {
        if let Some(fields) = finding.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some(compliance) = of.compliance {
        add("Compliance", json!({ "Status": compliance.as_str() }));
    }
    if let Some(advice) = of.advice {
        let mut recommendation = Map::from_iter([("Text".to_owned(), json!(cut(advice.text, ADVICE_CHARS_MAX)))]);
        if advice.url.starts_with("https://") {
            recommendation.insert("Url".to_owned(), json!(advice.url));
        }
        add("Remediation", json!({ "Recommendation": recommendation }));
    }
    finding
}

fn resources(of: &Finding<'_>) -> Vec<Value> {
    let resource = |resource: &Resource| {
        let mut value = json!({
            "Type": resource.kind,
            "Id": cut(&resource.id, ID_CHARS_MAX),
            "Partition": of.partition,
        });
        if let Some(fields) = value.as_object_mut() {
            if let Some(region) = &resource.region {
                fields.insert("Region".to_owned(), json!(region));
            }
            if !resource.details.is_empty() {
                fields.insert("Details".to_owned(), json!({ "Other": self::fields(&resource.details) }));
            }
        }
        value
    };
    if of.resources.is_empty() {
        let id = format!("AWS::::Account:{}", of.account);
        return vec![json!({ "Type": "AwsAccount", "Id": id, "Partition": of.partition })];
    }
    of.resources.iter().take(RESOURCES_MAX).map(resource).collect()
}

fn fields(fields: &BTreeMap<String, String>) -> Map<String, Value> {
    let kept = fields.iter().filter(|(_, value)| !value.is_empty()).take(FIELDS_MAX);
    kept.map(|(name, value)| (cut(name, FIELD_NAME_CHARS_MAX), json!(cut(value, FIELD_CHARS_MAX)))).collect()
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
    kept + "\u{2026}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Finding<'static> {
        let time = "2026-11-18T14:00:00Z".parse().unwrap();
        Finding {
            id: "7d1c",
            partition: "aws",
            product_account: "111122223333",
            product_region: "eu-central-1",
            generator_id: "customization-job-security-group-missing",
            account: "444455556666",
            types: vec!["TTPs/Impact".to_owned()],
            first_observed: time,
            last_observed: time,
            updated: time,
            severity: Severity::High,
            title: "A group is missing",
            description: "It is",
            advice: Some(Advice { text: "Make it again", url: "rules/x/runbook.md" }),
            resources: Vec::new(),
            compliance: Some(Compliance::Failed),
            fields: BTreeMap::from([("facts/jobs".to_owned(), "1".to_owned()), ("empty".to_owned(), String::new())]),
            state: State::Active,
        }
    }

    #[test]
    fn has_what_the_format_requires() {
        let value = finding(&sample());
        let check = |pointer: &str, expected: Value| {
            assert_eq!(value.pointer(pointer).cloned().unwrap_or_default(), expected, "{pointer}");
        };
        check("/SchemaVersion", json!("2018-10-08"));
        check("/ProductArn", json!("arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default"));
        check("/AwsAccountId", json!("444455556666"));
        check("/CreatedAt", json!("2026-11-18T14:00:00Z"));
        check("/Severity/Label", json!("HIGH"));
        check("/Compliance/Status", json!("FAILED"));
        check("/Workflow/Status", json!("NEW"));
        check("/RecordState", json!("ACTIVE"));
        check("/Remediation/Recommendation", json!({ "Text": "Make it again" }));
        check("/Resources/0/Id", json!("AWS::::Account:444455556666"));
        check("/ProductFields", json!({ "facts/jobs": "1" }));
    }

    #[test]
    fn is_never_longer_than_allowed() {
        let long = "x\u{e9}".repeat(2_000);
        let many = (0..100).map(|number| (format!("{number:03}{long}"), long.clone())).collect();
        let resource = |number: u32| Resource {
            kind: "Other",
            id: format!("{number}{long}"),
            region: None,
            details: BTreeMap::from([("name".to_owned(), long.clone())]),
        };
        let resources = (0..100).map(resource).collect();
        let value = finding(&Finding { title: &long, description: &long, fields: many, resources, ..sample() });
        let chars = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().chars().count();
        assert_eq!((chars("/Title"), chars("/Description"), chars("/Resources/0/Id")), (256, 1_024, 512));
        assert_eq!(value["Resources"].as_array().unwrap().len(), 32);
        assert_eq!(value["ProductFields"].as_object().unwrap().len(), 50);
        assert!(value.to_string().len() <= FINDING_BYTES_MAX);
    }

    #[test]
    fn ends_and_is_taken_back() {
        let check = |state: State, workflow: &str, record: &str| {
            let value = finding(&Finding { state, ..sample() });
            assert_eq!((&value["Workflow"]["Status"], &value["RecordState"]), (&json!(workflow), &json!(record)));
        };
        check(State::Active, "NEW", "ACTIVE");
        check(State::Resolved, "RESOLVED", "ARCHIVED");
        check(State::Withdrawn, "SUPPRESSED", "ARCHIVED");
    }
}
