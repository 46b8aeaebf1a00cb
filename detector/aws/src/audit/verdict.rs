//! What is to be said of a job and one of its groups.

use bedrock_watch_engine::{Observation, ObservedGroup, ObservedJob, alert::Remediation, put_in_vpc, replace_group};

use crate::inventory::{Network, Seen, now};

/// What was found out about a group that a job names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It exists, where the job needs it.
    Exists,
    /// AWS says that it does not exist.
    Missing,
    /// It exists in another VPC than the job's subnets.
    OtherVpc {
        /// The group's VPC.
        group_vpc: String,
        /// The VPCs of the job's subnets.
        job_vpcs: Vec<String>,
    },
    /// The job has no VPC configuration at all.
    NoVpc,
    /// It could not be found out.
    Unknown,
}

impl Verdict {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Missing => "missing",
            Self::OtherVpc { .. } => "other-vpc",
            Self::NoVpc => "no-vpc",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exists => "exists".to_owned(),
            Self::Missing => "missing".to_owned(),
            Self::OtherVpc { group_vpc, job_vpcs } => {
                format!("in another VPC ({group_vpc}) than the job's subnets ({})", job_vpcs.join(", "))
            }
            Self::NoVpc => "no VPC configuration".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// A job and one of its groups.
#[derive(Debug, Clone)]
pub struct Row {
    /// The job's account.
    pub account: String,
    /// The job's region.
    pub region: String,
    /// The job.
    pub job: ObservedJob,
    /// The group; `None` for a job that names none.
    pub group: Option<String>,
    /// What was found out.
    pub verdict: Verdict,
    /// The group as it should be made, where it is known.
    model: Option<ObservedGroup>,
}

impl Row {
    /// By account, region, job and group.
    pub(super) fn order(&self) -> (&str, &str, &str, Option<&str>) {
        (&self.account, &self.region, &self.job.job_arn, self.group.as_deref())
    }

    /// The job's name, else its ARN.
    #[must_use]
    pub fn job_name(&self) -> &str {
        self.job.job_name.as_deref().unwrap_or(&self.job.job_arn)
    }

    /// The remediation of the Conformity rule, with the job's own settings; nothing where nothing is wrong.
    #[must_use]
    pub fn remediation(&self) -> Vec<Remediation> {
        let seen = Observation {
            at: now(),
            account: self.account.clone(),
            region: self.region.clone(),
            jobs: vec![self.job.clone()],
            security_groups: self.model.clone().into_iter().collect(),
            ..Observation::default()
        };
        match (&self.verdict, &self.group) {
            (Verdict::Missing | Verdict::OtherVpc { .. }, Some(group)) => replace_group(&seen, group),
            (Verdict::NoVpc, _) => put_in_vpc(&seen),
            _ => Vec::new(),
        }
    }
}

/// The rows of one place.
pub(super) fn rows(seen: &Seen) -> Vec<Row> {
    let row = |job: &ObservedJob, group: Option<&String>, (verdict, model)| Row {
        account: seen.target.account.clone(),
        region: seen.target.region.clone(),
        job: job.clone(),
        group: group.cloned(),
        verdict,
        model,
    };
    let mut rows = Vec::new();
    for job in &seen.jobs {
        // What only the list tells of a job says nothing about its VPC.
        let is_described = job.role_arn.is_some();
        if job.security_group_ids.is_empty() {
            let verdict = match (is_described, job.subnet_ids.is_empty()) {
                (true, true) => Verdict::NoVpc,
                _ => Verdict::Unknown,
            };
            rows.push(row(job, None, (verdict, None)));
        }
        let judged = |group| row(job, Some(group), judge(job, group, seen.network.as_ref()));
        rows.extend(job.security_group_ids.iter().map(judged));
    }
    rows
}

/// The verdict about a group, and the group as it should be made anew.
fn judge(job: &ObservedJob, id: &str, network: Option<&Network>) -> (Verdict, Option<ObservedGroup>) {
    let Some(network) = network else { return (Verdict::Unknown, None) };
    if network.missing.contains(id) {
        return (Verdict::Missing, None);
    }
    let mut job_vpcs: Vec<String> =
        job.subnet_ids.iter().filter_map(|subnet| network.subnets.get(subnet)).cloned().collect();
    job_vpcs.sort();
    job_vpcs.dedup();
    let own = network.groups.get(id);
    let group_vpc = match (own, network.elsewhere.get(id)) {
        (Some(group), _) => group.vpc_id.clone(),
        (None, Some((_, vpc))) => vpc.clone(),
        (None, None) => return (Verdict::Unknown, None),
    };
    match group_vpc {
        // Subnets that do not exist any more, or a group outside of any VPC, leave nothing to compare.
        Some(vpc) if !job_vpcs.is_empty() && !job_vpcs.contains(&vpc) => {
            let wanted_vpc = job_vpcs.first().cloned();
            let model = own.filter(|_| network.has_rules).map(|group| copy_for(group, wanted_vpc));
            (Verdict::OtherVpc { group_vpc: vpc, job_vpcs }, model)
        }
        _ => (Verdict::Exists, None),
    }
}

/// The group as it should stand in the job's own VPC.
fn copy_for(group: &ObservedGroup, vpc_id: Option<String>) -> ObservedGroup {
    ObservedGroup { vpc_id, ..group.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(subnets: &[&str], groups: &[&str]) -> ObservedJob {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        ObservedJob {
            role_arn: Some("arn:aws:iam::111122223333:role/tuner".to_owned()),
            subnet_ids: texts(subnets),
            security_group_ids: texts(groups),
            ..ObservedJob::default()
        }
    }

    fn network() -> Network {
        let group = |id: &str, vpc: &str| {
            let group =
                ObservedGroup { group_id: id.to_owned(), vpc_id: Some(vpc.to_owned()), ..ObservedGroup::default() };
            (id.to_owned(), group)
        };
        Network {
            groups: [group("sg-a", "vpc-a"), group("sg-b", "vpc-b")].into(),
            has_rules: true,
            missing: ["sg-gone".to_owned()].into(),
            elsewhere: [("sg-shared".to_owned(), ("444455556666".to_owned(), Some("vpc-a".to_owned())))].into(),
            subnets: [("subnet-a".to_owned(), "vpc-a".to_owned())].into(),
            ..Network::default()
        }
    }

    #[test]
    fn judges_every_group_of_a_job() {
        let check = |subnets: &[&str], group: &str, expected: &str| {
            let (verdict, _) = judge(&job(subnets, &[group]), group, Some(&network()));
            assert_eq!(verdict.as_str(), expected, "{group} of {subnets:?}");
        };
        check(&["subnet-a"], "sg-a", "exists");
        check(&["subnet-a"], "sg-b", "other-vpc");
        check(&["subnet-a"], "sg-gone", "missing");
        check(&["subnet-a"], "sg-shared", "exists");
        check(&["subnet-a"], "sg-never-asked", "unknown");
        check(&["subnet-that-is-gone"], "sg-b", "exists");
        let (unasked, _) = judge(&job(&[], &["sg-a"]), "sg-a", None);
        assert_eq!(unasked, Verdict::Unknown, "without an answer nothing is missing");
    }
}
