//! How the findings of an audit are written: JSON, OCSF and ASFF. The table for people is the command line's.

use std::collections::BTreeMap;

use bedrock_watch_engine::{
    Second,
    alert::{Remediation, Severity},
};
use bedrock_watch_service::format::{asff, ocsf_compliance};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Report, Row, Verdict};

/// Where the check is described.
const REFERENCE: &str = "https://docs.aws.amazon.com/bedrock/latest/userguide/vpc-model-customization.html";
const STANDARD: &str = "Conformity: Check for Missing Model Customization Job Security Groups";

/// A row that somebody should do something about.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// The row.
    pub row: &'a Row,
    /// The check.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: &'static str,
    /// Who, what and where.
    pub summary: String,
    /// What repairs it.
    pub remediation: Vec<Remediation>,
}

/// The numbers of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    kind: &'static str,
    /// Accounts and regions asked.
    pub places: usize,
    /// Jobs found.
    pub jobs: usize,
    /// Jobs with groups, by verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Whether everything was answered.
    pub complete: bool,
    /// What was not, and what to do about it.
    pub failures: Vec<String>,
}

impl Report {
    /// What somebody should do something about.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding<'_>> {
        self.rows.iter().filter_map(finding).collect()
    }

    /// Whether there is a finding that counts: a group that a job cannot use or, if `strict`, a job without VPC.
    #[must_use]
    pub fn has_findings(&self, strict: bool) -> bool {
        let counts = |row: &Row| match row.verdict {
            Verdict::Missing | Verdict::OtherVpc { .. } => true,
            Verdict::NoVpc => strict,
            Verdict::Exists | Verdict::Unknown => false,
        };
        self.rows.iter().any(counts)
    }

    /// The numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut verdicts = BTreeMap::new();
        for row in &self.rows {
            let count: &mut usize = verdicts.entry(row.verdict.as_str()).or_default();
            *count = count.saturating_add(1);
        }
        let mut jobs: Vec<&str> = self.rows.iter().map(|row| row.job.job_arn.as_str()).collect();
        jobs.dedup();
        Summary {
            kind: "summary",
            places: self.places,
            jobs: jobs.len(),
            verdicts,
            complete: self.failures.is_empty(),
            failures: self.failures.clone(),
        }
    }

    /// One JSON object a finding, and one for the numbers.
    #[must_use]
    pub fn to_json(&self) -> Vec<Value> {
        let mut lines: Vec<Value> = self.findings().iter().map(|finding| finding.to_json(self.at)).collect();
        lines.push(serde_json::to_value(self.summary()).unwrap_or_default());
        lines
    }

    /// One OCSF Compliance Finding a finding.
    #[must_use]
    pub fn to_ocsf(&self) -> Vec<Value> {
        self.findings().iter().map(|finding| finding.to_ocsf(self.at)).collect()
    }

    /// Inputs of BatchImportFindings: one for each account and region, and for every 100 findings there.
    #[must_use]
    pub fn to_asff(&self) -> Vec<Value> {
        let mut places: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
        for finding in self.findings() {
            let place = (finding.row.account.clone(), finding.row.region.clone());
            places.entry(place).or_default().push(finding.to_asff(self.at));
        }
        let batches = places.values().flat_map(|findings| findings.chunks(asff::FINDINGS_PER_CALL_MAX));
        batches.map(|findings| json!({ "Findings": findings })).collect()
    }
}

fn finding(row: &Row) -> Option<Finding<'_>> {
    let is_live = matches!(row.job.status.as_str(), "InProgress" | "Stopping");
    let (check, severity, title) = match row.verdict {
        Verdict::Missing => (
            "customization-job-security-group-missing",
            if is_live { Severity::High } else { Severity::Medium },
            "Bedrock customization job names a security group that does not exist",
        ),
        Verdict::OtherVpc { .. } => (
            "customization-job-security-group-other-vpc",
            Severity::Medium,
            "Bedrock customization job names a security group of another VPC than its subnets",
        ),
        Verdict::NoVpc => {
            ("customization-job-no-vpc", Severity::Informational, "Bedrock customization job has no VPC configuration")
        }
        Verdict::Exists | Verdict::Unknown => return None,
    };
    let job = format!("customization job {} ({})", row.job_name(), row.job.status);
    let place = format!("{} {}", row.account, row.region);
    let group = row.group.as_deref().unwrap_or_default();
    let summary = match &row.verdict {
        Verdict::Missing => format!("security group {group}, which {job} in {place} names, does not exist"),
        Verdict::NoVpc => {
            format!("{job} in {place} has no VPC configuration, so no security group controls its traffic")
        }
        verdict => format!("security group {group}, which {job} in {place} names, is {}", verdict.text()),
    };
    Some(Finding { row, check, severity, title, summary, remediation: row.remediation() })
}

impl Finding<'_> {
    fn id(&self) -> String {
        let parts = ["bedrock-watch/audit", self.check, &self.row.job.job_arn];
        parts.into_iter().chain(self.row.group.as_deref()).collect::<Vec<_>>().join("/")
    }

    fn partition(&self) -> &str {
        self.row.job.job_arn.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws")
    }

    fn group_arn(&self) -> Option<String> {
        let Row { account, region, group, .. } = self.row;
        let group = group.as_ref()?;
        Some(format!("arn:{}:ec2:{region}:{account}:security-group/{group}", self.partition()))
    }

    /// The finding in the product's own form.
    #[must_use]
    pub fn to_json(&self, at: Second) -> Value {
        let Row { account, region, job, group, verdict, .. } = self.row;
        let (group_vpc, job_vpcs) = match verdict {
            Verdict::OtherVpc { group_vpc, job_vpcs } => (Some(group_vpc), Some(job_vpcs)),
            _ => (None, None),
        };
        let remediation: Vec<Value> =
            self.remediation.iter().map(|one| json!({ "title": one.title, "command": one.command })).collect();
        json!({
            "kind": "finding",
            "check": self.check,
            "severity": self.severity.as_str(),
            "title": self.title,
            "summary": self.summary,
            "account": account,
            "region": region,
            "job": { "arn": job.job_arn, "name": job.job_name, "status": job.status },
            "group": group,
            "verdict": verdict.as_str(),
            "group_vpc": group_vpc,
            "job_vpcs": job_vpcs,
            "checked_at": at.to_rfc3339(),
            "remediation": remediation,
            "reference": REFERENCE,
        })
    }

    fn to_ocsf(&self, at: Second) -> Value {
        let Row { account, region, job, group, .. } = self.row;
        let mut resources = vec![(job.job_arn.clone(), "AWS::Bedrock::ModelCustomizationJob", job.job_name.clone())];
        resources.extend(self.group_arn().map(|arn| (arn, "AWS::EC2::SecurityGroup", group.clone())));
        ocsf_compliance::finding(&ocsf_compliance::Finding {
            id: &self.id(),
            check: self.check,
            standard: STANDARD,
            reference: REFERENCE,
            at,
            severity: self.severity,
            failed: self.row.verdict != Verdict::NoVpc,
            title: self.title,
            message: &self.summary,
            account,
            region,
            resources,
            remediation: &self.remediation,
        })
    }

    fn to_asff(&self, at: Second) -> Value {
        let Row { account, region, job, verdict, .. } = self.row;
        let at = Timestamp::from_second(i64::from(at.0)).unwrap_or_default();
        let resource = |kind: &'static str, id: String, details: BTreeMap<String, String>| asff::Resource {
            kind,
            id,
            region: Some(region.clone()),
            details,
        };
        let details = [("jobName", self.row.job_name()), ("status", &job.status)];
        let details = details.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut resources = vec![resource("Other", job.job_arn.clone(), details)];
        resources.extend(self.group_arn().map(|arn| resource("AwsEc2SecurityGroup", arn, BTreeMap::new())));
        let advice = "Create a security group in the VPC of the job's subnets, then create the job again with it and with \
                      its own settings; bedrock-watch audit prints the commands.";
        asff::finding(&asff::Finding {
            id: &self.id(),
            partition: self.partition(),
            product_account: account,
            product_region: region,
            generator_id: self.check,
            account,
            types: vec!["Software and Configuration Checks/AWS Security Best Practices".to_owned()],
            first_observed: at,
            last_observed: at,
            updated: at,
            severity: self.severity,
            title: self.title,
            description: &self.summary,
            advice: Some(asff::Advice { text: advice, url: REFERENCE }),
            resources,
            compliance: Some(match verdict {
                Verdict::NoVpc => asff::Compliance::Warning,
                _ => asff::Compliance::Failed,
            }),
            fields: BTreeMap::from([("bedrock-watch/verdict".to_owned(), verdict.text())]),
            state: asff::State::Active,
        })
    }
}
