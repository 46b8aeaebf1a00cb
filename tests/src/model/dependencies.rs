//! What jobs stand on besides their own configuration: how a dependency is lost, and how it comes back.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    event::{Call, Event, Time, What},
    jobs::Job,
    json::{list, text},
};

/// One event that took something away from whoever depends on it.
#[derive(Debug)]
pub(super) struct Loss<'a> {
    pub event: &'a Event,
    pub call: &'a Call,
    pub kind: &'static str,
    /// The resource; for roles `ACCOUNT/NAME`, because IAM events give no ARN.
    pub key: String,
    pub change: &'static str,
    /// When the dependency was back.
    pub back: Option<Time>,
}

/// The VPCs that security groups and endpoints lie in.
#[derive(Debug, Default)]
pub(super) struct Vpcs(BTreeMap<String, String>);

impl Vpcs {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut vpcs = BTreeMap::new();
        for event in events {
            if let Some(call) = event.success("ec2.amazonaws.com") {
                let (id, vpc) = match call.name.as_str() {
                    "CreateSecurityGroup" => ("/responseElements/groupId", "/requestParameters/vpcId"),
                    "CreateVpcEndpoint" => (
                        "/responseElements/CreateVpcEndpointResponse/vpcEndpoint/vpcEndpointId",
                        "/requestParameters/CreateVpcEndpointRequest/VpcId",
                    ),
                    _ => continue,
                };
                if let (Some(id), Some(vpc)) = (text(&call.record, id), text(&call.record, vpc)) {
                    vpcs.insert(id.to_owned(), vpc.to_owned());
                }
            } else if let What::Inventory(detail) = &event.what {
                let groups = list(detail, "/securityGroups").into_iter().map(|group| (group, "/groupId"));
                let endpoints = list(detail, "/vpcEndpoints").into_iter().map(|endpoint| (endpoint, "/vpcEndpointId"));
                for (resource, id) in groups.chain(endpoints) {
                    if let (Some(id), Some(vpc)) = (text(resource, id), text(resource, "/vpcId")) {
                        vpcs.insert(id.to_owned(), vpc.to_owned());
                    }
                }
            }
        }
        Self(vpcs)
    }

    /// "A VPC endpoint concerns a job when its VPC is the VPC of one of the job's groups."
    fn concerns(&self, endpoint: &str, job: &Job) -> bool {
        let Some(vpc) = self.0.get(endpoint) else { return false };
        job.groups.iter().any(|group| self.0.get(group) == Some(vpc))
    }
}

impl Loss<'_> {
    /// The name under which `job` depends on what was lost, if it does: the alert's subject.
    pub(super) fn subject_for(&self, job: &Job, vpcs: &Vpcs) -> Option<String> {
        let named = |names: &BTreeSet<String>| names.get(&self.key).cloned();
        match self.kind {
            "security_group" => named(&job.groups),
            "subnet" => named(&job.subnets),
            "vpc_endpoint" => vpcs.concerns(&self.key, job).then(|| self.key.clone()),
            "role" => job.roles.iter().find(|arn| role_key(arn) == self.key).cloned(),
            "kms_key" => named(&job.keys),
            _ => named(&job.buckets),
        }
    }

    /// Whether `job` had something to lose: it had not ended before, and started before the dependency was back.
    pub(super) fn affects(&self, job: &Job) -> bool {
        job.not_ended_before(self.event.time()) && self.back.is_none_or(|back| job.start < back)
    }
}

/// `ACCOUNT/NAME` of a role's ARN.
pub(super) fn role_key(arn: &str) -> String {
    let account = arn.split(':').nth(4).unwrap_or_default();
    format!("{account}/{}", arn.rsplit('/').next().unwrap_or_default())
}

/// Every loss of the history, whether or not anybody depended on it, in judging order.
pub(super) fn losses(events: &[Event]) -> Vec<Loss<'_>> {
    let mut losses = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Some(call) = event.call().filter(|call| call.error.is_none()) else { continue };
        for (kind, key, change) in lost_by(event, call) {
            let later = events.iter().skip(index + 1);
            let back = later.filter(|later| brings_back(later, event, call, kind, &key)).map(Event::time).next();
            losses.push(Loss { event, call, kind, key, change, back });
        }
    }
    losses
}

fn lost_by(event: &Event, call: &Call) -> Vec<(&'static str, String, &'static str)> {
    let role = || call.request("/roleName").map(|name| format!("{}/{name}", event.account));
    let (kind, key, change) = match (call.source.as_str(), call.name.as_str()) {
        ("ec2.amazonaws.com", "DeleteSecurityGroup") => ("security_group", deleted_group(call), "deleted"),
        ("ec2.amazonaws.com", "DeleteSubnet") => ("subnet", call.request("/subnetId").map(str::to_owned), "deleted"),
        ("ec2.amazonaws.com", "DeleteVpcEndpoints") => {
            return deleted_endpoints(call).into_iter().map(|id| ("vpc_endpoint", id, "deleted")).collect();
        }
        ("iam.amazonaws.com", "DeleteRole") => ("role", role(), "deleted"),
        ("iam.amazonaws.com", "DetachRolePolicy" | "DeleteRolePolicy") => ("role", role(), "permissions_removed"),
        ("iam.amazonaws.com", "UpdateAssumeRolePolicy") if !trusts_bedrock(call) => ("role", role(), "trust_removed"),
        ("kms.amazonaws.com", "DisableKey") => ("kms_key", Some(key_of(event, call)), "disabled"),
        ("kms.amazonaws.com", "ScheduleKeyDeletion") => {
            ("kms_key", Some(key_of(event, call)), "scheduled_for_deletion")
        }
        ("s3.amazonaws.com", "DeleteBucket") => ("bucket", call.request("/bucketName").map(str::to_owned), "deleted"),
        _ => return Vec::new(),
    };
    key.map(|key| (kind, key, change)).into_iter().collect()
}

/// Whether `later` undoes what `lost` did: "rule authorised, key enabled or its deletion cancelled, bucket or role
/// recreated", and the policy or trust that was taken away given again.
fn brings_back(later: &Event, lost: &Event, loss: &Call, kind: &str, key: &str) -> bool {
    let Some(call) = later.call().filter(|call| call.error.is_none() && call.source == loss.source) else {
        return false;
    };
    let same = |path: &str| call.request(path) == loss.request(path);
    let same_role = later.account == lost.account && same("/roleName");
    match (loss.name.as_str(), call.name.as_str()) {
        // "role recreated": a new role comes with a trust policy, but policies are attached to it one by one.
        ("DeleteRole" | "UpdateAssumeRolePolicy", "CreateRole") => same_role,
        ("DetachRolePolicy", "AttachRolePolicy") => same_role && same("/policyArn"),
        ("DeleteRolePolicy", "PutRolePolicy") => same_role && same("/policyName"),
        ("UpdateAssumeRolePolicy", "UpdateAssumeRolePolicy") => same_role && trusts_bedrock(call),
        ("DeleteBucket", "CreateBucket") => same("/bucketName"),
        (_, "EnableKey" | "CancelKeyDeletion") => kind == "kms_key" && key_of(later, call) == key,
        _ => false,
    }
}

/// The group that a DeleteSecurityGroup names: by id, or by the id in its answer.
pub(super) fn deleted_group(call: &Call) -> Option<String> {
    let id = call.request("/groupId").or_else(|| text(&call.record, "/responseElements/groupId"));
    id.map(str::to_owned)
}

/// "bulk API: success does not mean every item was deleted".
fn deleted_endpoints(call: &Call) -> Vec<String> {
    let kept: Vec<&str> = list(&call.record, "/responseElements/DeleteVpcEndpointsResponse/unsuccessful/item")
        .into_iter()
        .filter_map(|item| text(item, "/resourceId"))
        .collect();
    list(&call.record, "/requestParameters/DeleteVpcEndpointsRequest/VpcEndpointId")
        .into_iter()
        .filter_map(|item| text(item, "/content"))
        .filter(|id| !kept.contains(id))
        .map(str::to_owned)
        .collect()
}

/// The key's ARN: as the event's resource, as the request writes it, or made from a bare key id.
fn key_of(event: &Event, call: &Call) -> String {
    let resources = list(&call.record, "/resources");
    let resource =
        resources.into_iter().filter_map(|resource| text(resource, "/ARN")).find(|arn| arn.contains(":key/"));
    let id = call.request("/keyId").unwrap_or_default();
    match resource {
        Some(arn) => arn.to_owned(),
        None if id.starts_with("arn:") => id.to_owned(),
        None => format!("arn:aws:kms:{}:{}:key/{id}", event.region, event.account),
    }
}

/// A trust policy names the service; IAM writes the document as JSON text, sometimes URL-encoded, which leaves the
/// letters and dots of the name as they are.
fn trusts_bedrock(call: &Call) -> bool {
    call.request("/policyDocument").is_some_and(|document| document.contains("bedrock.amazonaws.com"))
}
