//! Customer keys: a stream or queue under one takes nothing from EventBridge that may not use it.

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    facts::{Asked, Entry, Key, NotAsked, Why},
    finding::Level,
    policy,
    rights::root_arn,
};

const LINK: &str = "key";

/// The keys of streams and queues are enabled, and whoever writes may use them.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in &facts.entries {
        let (name, key, arn, by_service) = match entry {
            Entry::Stream { name, stream: Ok(stream) } => (name, &stream.key, stream.arn.as_str(), false),
            Entry::Queue { url, queue: Ok(queue) } => (url, &queue.key, queue.arn.as_str(), true),
            _ => continue,
        };
        let Some(id) = key else { continue };
        findings.push(match facts.keys.get(id) {
            Some(Ok(key)) => one(facts, name, (id, key), &writers(facts, arn, by_service)),
            Some(Err(error)) => Finding::not_asked(LINK, name, error),
            None => Finding::not_checked(LINK, name, format!("the key {id} was not asked for")),
        });
    }
    findings
}

/// Who writes: the roles of targets, or EventBridge itself.
fn writers(facts: &Facts, arn: &str, by_service: bool) -> Vec<String> {
    if by_service {
        return vec!["events.amazonaws.com".to_owned()];
    }
    let targets = facts.rules.iter().flatten().flat_map(|rule| &rule.targets).filter(|target| target.arn == arn);
    let mut roles: Vec<String> = targets.filter_map(|target| target.role.clone()).collect();
    roles.sort();
    roles.dedup();
    roles
}

fn one(facts: &Facts, name: &str, (id, key): (&str, &Key), writers: &[String]) -> Finding {
    if key.aws_managed {
        return Finding::fine(LINK, name, "encrypted with a key of AWS's own");
    }
    if key.state != "Enabled" {
        let what = format!("the key {id} is {}: nothing can be written or read", key.state);
        return Finding::broken(LINK, name, Level::High, what)
            .mended_by("Enable it again", aws("kms enable-key", &facts.region, &[("--key-id", id)]));
    }
    for writer in writers {
        match may_use(facts, (id, key), writer) {
            Ok(true) => {}
            Ok(false) => {
                let what = format!(
                    "{writer} may not use the key {id}: neither the key policy, nor a grant, nor its own policies let it"
                );
                let options = [("--key-id", id), ("--grantee-principal", writer.as_str())];
                return Finding::broken(LINK, name, Level::High, what).mended_by(
                    "Grant it",
                    aws("kms create-grant --operations GenerateDataKey Decrypt", &facts.region, &options),
                );
            }
            Err(error) => return Finding::not_asked(LINK, name, &error),
        }
    }
    Finding::fine(LINK, name, format!("the key {id} is enabled, and whoever writes may use it"))
}

/// By the key policy itself, by a grant, or by the role's own policies where the key policy leaves it to them.
fn may_use(facts: &Facts, (id, key): (&str, &Key), writer: &str) -> Asked<bool> {
    const ACTION: &str = "kms:GenerateDataKey";
    let text = key.policy.clone()?;
    let is_granted = key.grantees.as_ref().is_ok_and(|grantees| grantees.contains(writer));
    if policy::allows(&text, writer, ACTION) || is_granted {
        return Ok(true);
    }
    let is_role = writer.starts_with("arn:");
    if is_role && policy::allows(&text, &root_arn(&facts.region, account(facts)), ACTION) && !denies(facts, id, writer)?
    {
        return Ok(true);
    }
    // Whether there is a grant after all is not known if nobody may list them.
    key.grantees.clone().map(|_| false)
}

/// Whether a role's own policies do not let it use a key.
fn denies(facts: &Facts, id: &str, role: &str) -> Asked<bool> {
    match facts.roles.get(role) {
        Some(role) => Ok(role.clone()?.denied_keys?.contains(id)),
        None => Err(NotAsked {
            action: "iam:GetRole".to_owned(),
            why: Why::Failed,
            message: format!("{role} was not asked for"),
        }),
    }
}
