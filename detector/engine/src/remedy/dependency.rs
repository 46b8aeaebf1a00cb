//! Bringing back the other things a customization job stands on: subnet, VPC endpoint, service role, KMS key, bucket.

use std::collections::BTreeSet;

use crate::{
    alert::{Alert, Remediation},
    world::{Dependent, Loss, ResourceKey},
};

use super::{
    job::{Replaced, start_again},
    role,
    shell::{Aws, Script, Variable, Word},
    text::region_of_arn,
};

const NEW_SUBNET: Variable = Variable { name: "NEW_SUBNET", hint: "first recreate the subnet" };
const VPC: Variable = Variable { name: "VPC_ID", hint: "set VPC_ID to the VPC" };
const CIDR: Variable = Variable { name: "CIDR_BLOCK", hint: "set CIDR_BLOCK to the address range of the lost subnet" };
const ZONE: Variable = Variable { name: "ZONE", hint: "set ZONE to the availability zone of the lost subnet" };
const SERVICE: Variable =
    Variable { name: "SERVICE_NAME", hint: "set SERVICE_NAME to the service of the lost endpoint" };
const BACKUP: Variable = Variable { name: "BACKUP_S3_URI", hint: "set BACKUP_S3_URI to where the data is kept" };

/// What brings `resource` back, and the jobs that have to be started again afterwards.
pub(super) fn restore(
    alert: &Alert,
    resource: &ResourceKey,
    losses: &BTreeSet<Loss>,
    jobs: &[&Dependent],
) -> Vec<Remediation> {
    let deleted = losses.contains(&Loss::Deleted);
    match resource {
        ResourceKey::Subnet(id) => {
            let replaced = Replaced { lost: id, by: NEW_SUBNET };
            with_jobs(vec![subnet(alert, id, jobs)], alert, jobs, Some(replaced))
        }
        ResourceKey::VpcEndpoint(id) => with_jobs(vec![endpoint(alert, id, jobs)], alert, jobs, None),
        ResourceKey::Bucket(name) => with_jobs(bucket(alert, name), alert, jobs, None),
        ResourceKey::Role { .. } => {
            let restored = role::restore(alert, losses);
            if deleted { with_jobs(restored, alert, jobs, None) } else { restored }
        }
        ResourceKey::KmsKey(id) => vec![key(alert, id, losses)],
        // Security groups have their own file, and no job stands on the others.
        ResourceKey::SecurityGroup(_) | ResourceKey::LogGroup { .. } | ResourceKey::Regional { .. } => Vec::new(),
    }
}

fn with_jobs(
    mut restored: Vec<Remediation>,
    alert: &Alert,
    jobs: &[&Dependent],
    replaced: Option<Replaced<'_>>,
) -> Vec<Remediation> {
    restored.extend(start_again(alert, jobs, replaced));
    restored
}

fn place(alert: &Alert) -> String {
    let account = super::fact(alert, "dependency_account").unwrap_or(&alert.account);
    format!("in account {account}, region {}", alert.region.as_deref().unwrap_or("unknown"))
}

/// Looks the VPC up from what the jobs still name.
fn capture_vpc(script: &mut Script, alert: &Alert, lost: &str, jobs: &[&Dependent]) {
    let region = alert.region.as_deref();
    let group = jobs.iter().flat_map(|job| &job.security_groups).next();
    let subnet = jobs.iter().flat_map(|job| &job.subnets).find(|subnet| ***subnet != *lost);
    let lookup = if let Some(group) = group {
        Aws::in_region("ec2 describe-security-groups", region)
            .option("--group-ids", &Word::quoted(group))
            .fixed("--query", "SecurityGroups[0].VpcId")
    } else if let Some(subnet) = subnet {
        Aws::in_region("ec2 describe-subnets", region)
            .option("--subnet-ids", &Word::quoted(subnet))
            .fixed("--query", "Subnets[0].VpcId")
    } else {
        return;
    };
    script.note("the VPC of the job");
    script.capture(VPC, &lookup.fixed("--output", "text"));
}

fn subnet(alert: &Alert, id: &str, jobs: &[&Dependent]) -> Remediation {
    let mut script = Script::default();
    script.note(&format!("{}: replaces {id}", place(alert)));
    script.note("unknown: its address range, availability zone, route table and network ACL, CloudTrail has them in CreateSubnet");
    capture_vpc(&mut script, alert, id, jobs);
    let create = Aws::in_region("ec2 create-subnet", alert.region.as_deref())
        .option("--vpc-id", &Word::variable(VPC))
        .option("--cidr-block", &Word::variable(CIDR))
        .option("--availability-zone", &Word::variable(ZONE))
        .fixed("--query", "Subnet.SubnetId")
        .fixed("--output", "text");
    script.capture(NEW_SUBNET, &create);
    Remediation { title: "Recreate the subnet".to_owned(), command: script.finish() }
}

fn endpoint(alert: &Alert, id: &str, jobs: &[&Dependent]) -> Remediation {
    let mut script = Script::default();
    let region = alert.region.as_deref();
    script.note(&format!("{}: replaces {id}", place(alert)));
    script.note(&format!(
        "unknown: its service, type, policy and route tables or subnets. A job reads and writes S3 through \
         com.amazonaws.{}.s3, a Gateway endpoint in most VPCs, which needs --route-table-ids",
        region.unwrap_or("REGION")
    ));
    capture_vpc(&mut script, alert, id, jobs);
    let create = Aws::in_region("ec2 create-vpc-endpoint", region)
        .option("--vpc-id", &Word::variable(VPC))
        .option("--service-name", &Word::variable(SERVICE));
    script.run(create);
    Remediation { title: "Recreate the VPC endpoint".to_owned(), command: script.finish() }
}

/// A deleted bucket: its name first, before somebody else takes it, then its data.
pub(super) fn bucket(alert: &Alert, name: &str) -> Vec<Remediation> {
    let mut script = Script::default();
    let region = alert.region.as_deref();
    script.note("the data that was in the bucket is gone with it: only a backup or a replica brings it back");
    script.note("the name is free for any account in the world now: take it again before somebody else does");
    script.note(&format!("{}: the bucket itself may have been in another region", place(alert)));
    let location = region.filter(|region| *region != "us-east-1");
    let location = location.map(|region| Word::quoted(&format!("LocationConstraint={region}")));
    let create = Aws::in_region("s3api create-bucket", region)
        .option("--bucket", &Word::quoted(name))
        .maybe("--create-bucket-configuration", location.as_ref());
    script.run(create);
    let recreate = Remediation { title: "Recreate the bucket".to_owned(), command: script.finish() };
    let mut script = Script::default();
    script.note("unknown: its policy, encryption and lifecycle rules, and whether there is a copy of its data");
    let target = Word::quoted(&format!("s3://{name}"));
    script.run(Aws::sync(&Word::variable(BACKUP), &target));
    vec![recreate, Remediation { title: "Restore the bucket's data".to_owned(), command: script.finish() }]
}

fn key(alert: &Alert, id: &str, losses: &BTreeSet<Loss>) -> Remediation {
    // The subject is the ARN where it is known; the id of an alias is `ACCOUNT:alias/NAME`.
    let subject = alert.subject_id.as_str();
    let named = if subject.starts_with("arn:") { subject } else { id.split_once(':').map_or(id, |(_, alias)| alias) };
    let region = region_of_arn(subject).or(alert.region.as_deref());
    let mut script = Script::default();
    let account = super::fact(alert, "dependency_account").unwrap_or(&alert.account);
    script.note(&format!("in account {account}, region {}", region.unwrap_or("unknown")));
    let command = |operation: &'static str| Aws::in_region(operation, region).option("--key-id", &Word::quoted(named));
    if losses.contains(&Loss::ScheduledForDeletion) {
        script.note("a key whose deletion is cancelled stays disabled until it is enabled");
        script.run(command("kms cancel-key-deletion"));
    }
    script.run(command("kms enable-key"));
    let title = if losses.contains(&Loss::ScheduledForDeletion) {
        "Cancel the deletion of the key and enable it"
    } else {
        "Enable the key"
    };
    Remediation { title: title.to_owned(), command: script.finish() }
}
