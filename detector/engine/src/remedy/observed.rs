//! What repairs a job that was found by asking AWS: the remediation of the Conformity check, with the job's own
//! settings.
//!
//! The same commands as in alerts, from an observation instead of from a history. Deliberately no verdict here: whoever
//! asks has found out what is wrong.

use crate::{
    alert::{Actor, Alert, Remediation, Severity, Status, SubjectKind, identity::alert_id},
    observation::Observation,
    settings::Settings,
    world::{Dependent, Repair, ResourceKey, World},
};

/// Makes a group anew that a job names and cannot use, and starts the job again with it.
///
/// `seen` describes the job and, where it is known, the group as it should be made: with its name, its rules and the
/// VPC of the job's subnets.
#[must_use]
pub fn replace_group(seen: &Observation, group: &str) -> Vec<Remediation> {
    let (alert, world) = known(seen, group);
    let users = world.dependents().jobs().map(|(number, _)| number).collect();
    let resource = ResourceKey::SecurityGroup(group.into());
    super::of_state(&alert, &Repair::Dependency { resource, users }, &world)
}

/// Starts the jobs of `seen` again with a VPC configuration, which the reader has to fill in.
#[must_use]
pub fn put_in_vpc(seen: &Observation) -> Vec<Remediation> {
    let (alert, world) = known(seen, "");
    let mut jobs: Vec<Dependent> = world.dependents().jobs().map(|(_, job)| job).collect();
    jobs.sort_by(|left, right| left.label().cmp(right.label()));
    jobs.iter().map(|job| super::job::start_in_vpc(&alert, job)).collect()
}

/// A world of nothing but the observation, and an alert about it that nobody is told of.
fn known(seen: &Observation, subject: &str) -> (Alert, World) {
    let mut world = World::default();
    drop(world.apply_observation(seen, &Settings::standard()));
    let names: Vec<&str> = seen.jobs.iter().map(|job| job.job_arn.as_str()).collect();
    // The rules that a group has at a moment are known from the next second on.
    let at = seen.at.plus(1);
    let alert = Alert {
        id: alert_id(&[&["observed", subject], names.as_slice()].concat()),
        rule: String::new(),
        title: String::new(),
        summary: String::new(),
        severity: Severity::Medium,
        status: Status::Firing,
        account: seen.account.clone(),
        region: Some(seen.region.clone()),
        subject_kind: SubjectKind::CustomizationJobDependency,
        subject_id: subject.to_owned(),
        principal: None,
        actor: Actor::default(),
        first_event_time: at,
        last_event_time: at,
        event_ids: Vec::new(),
        event_count: 0,
        facts: serde_json::Map::new(),
        attack: Vec::new(),
        runbook: String::new(),
        repair: Vec::new(),
    };
    (alert, world)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ObservedGroup, ObservedJob, ObservedRule};

    fn seen(subnets: &[&str], groups: &[&str]) -> Observation {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let job = ObservedJob {
            job_arn: "arn:aws:bedrock:eu-west-1:111122223333:model-customization-job/titan:0:4k/abc".to_owned(),
            job_name: Some("support-tone".to_owned()),
            status: "Completed".to_owned(),
            base_model: Some("amazon.titan-text-lite-v1:0:4k".to_owned()),
            hyper_parameters: [("epochCount".to_owned(), "2".to_owned())].into(),
            subnet_ids: texts(subnets),
            security_group_ids: texts(groups),
            ..ObservedJob::default()
        };
        let place = ("111122223333".to_owned(), "eu-west-1".to_owned());
        Observation { at: crate::Second(100), account: place.0, region: place.1, jobs: vec![job], ..Default::default() }
    }

    fn check(remediation: &[Remediation], present: &[&str]) {
        let text: String = remediation.iter().map(|one| format!("## {}\n{}\n", one.title, one.command)).collect();
        let mut rest = text.as_str();
        for wanted in present {
            let Some((_, after)) = rest.split_once(wanted) else { panic!("missing: {wanted}\n{text}") };
            rest = after;
        }
    }

    #[test]
    fn a_missing_group_is_made_anew_and_the_job_with_it() {
        check(
            &replace_group(&seen(&["subnet-1"], &["sg-1", "sg-2"]), "sg-1"),
            &[
                "describe-subnets",
                "create-security-group",
                "create-model-customization-job",
                "epochCount",
                "NEW_GROUP",
                "sg-2",
            ],
        );
    }

    #[test]
    fn a_group_of_another_vpc_is_copied_into_the_right_one() {
        let rule = ObservedRule {
            egress: true,
            protocol: "tcp".to_owned(),
            from_port: Some(443),
            to_port: Some(443),
            peer: "10.0.0.0/8".to_owned(),
            rule_id: None,
        };
        let group = ObservedGroup {
            group_id: "sg-1".to_owned(),
            group_name: Some("tuning".to_owned()),
            vpc_id: Some("vpc-right".to_owned()),
            rules: vec![rule],
            description: None,
        };
        let seen = Observation { security_groups: vec![group], ..seen(&["subnet-1"], &["sg-1"]) };
        check(
            &replace_group(&seen, "sg-1"),
            &["--group-name tuning", "vpc-right", "10.0.0.0/8", "create-model-customization-job"],
        );
    }

    #[test]
    fn a_job_without_vpc_gets_one_to_fill_in() {
        check(
            &put_in_vpc(&seen(&[], &[])),
            &["create-model-customization-job", "epochCount", "--vpc-config", "SUBNET_IDS", "GROUP_IDS"],
        );
    }
}
