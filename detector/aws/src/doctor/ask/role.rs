//! Roles: who may assume them, and what they may do. AWS is asked to simulate, because only it knows boundaries and
//! service control policies.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_iam::{Client, types::PolicyEvaluationDecisionType};

use super::refused;
use crate::doctor::facts::{Asked, Role};

/// Pages of decisions that are read.
const PAGES_MAX: usize = 50;

/// The role of targets, and what it may not do with them and with their keys: by what names a key at its target, its ARN.
pub(super) async fn of_target(
    config: &SdkConfig,
    arn: &str,
    targets: &BTreeSet<String>,
    keys: &BTreeMap<String, String>,
) -> Asked<Role> {
    let role = Client::new(config).get_role().role_name(name_of(arn)).send().await;
    let role = role.map_err(|error| refused("iam:GetRole", &error))?;
    let trust = role.role().and_then(|role| role.assume_role_policy_document()).map(percent_decoded);
    let trust = trust.unwrap_or_default();
    Ok(Role {
        trust,
        denied: denied_targets(config, arn, targets).await,
        denied_keys: denied_keys(config, arn, keys).await,
    })
}

async fn denied_targets(config: &SdkConfig, arn: &str, targets: &BTreeSet<String>) -> Asked<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    for target in targets {
        let actions: &[&str] = match target.split(':').nth(2) {
            Some("kinesis") => &["kinesis:PutRecord", "kinesis:PutRecords"],
            Some("sqs") => &["sqs:SendMessage"],
            Some("events") => &["events:PutEvents"],
            _ => continue,
        };
        let actions: Vec<String> = actions.iter().map(|action| (*action).to_owned()).collect();
        missing.extend(denied(config, arn, &actions, std::slice::from_ref(target)).await?);
    }
    Ok(missing)
}

/// The keys with which the role may not encrypt, by its own policies.
async fn denied_keys(config: &SdkConfig, arn: &str, keys: &BTreeMap<String, String>) -> Asked<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    for (id, key) in keys {
        let action = ["kms:GenerateDataKey".to_owned()];
        if !denied(config, arn, &action, std::slice::from_ref(key)).await?.is_empty() {
            missing.insert(id.clone());
        }
    }
    Ok(missing)
}

/// The ARN by which the caller's policies are simulated; `None` for the root user, who may do everything.
pub(super) async fn of_caller(config: &SdkConfig, arn: &str) -> Asked<Option<String>> {
    if arn.ends_with(":root") {
        return Ok(None);
    }
    let Some((_, session)) = arn.split_once(":assumed-role/") else { return Ok(Some(arn.to_owned())) };
    // A session's ARN lacks the role's path.
    let name = session.split('/').next().unwrap_or_default();
    let role = Client::new(config).get_role().role_name(name).send().await;
    let role = role.map_err(|error| refused("iam:GetRole", &error))?;
    Ok(role.role().map(|role| role.arn().to_owned()))
}

/// What `source` may not do, of `actions` with all of `resources`.
pub(super) async fn denied(
    config: &SdkConfig,
    source: &str,
    actions: &[String],
    resources: &[String],
) -> Asked<BTreeSet<String>> {
    let client = Client::new(config);
    let mut denied = BTreeSet::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let call = client.simulate_principal_policy().policy_source_arn(source);
        let call = call.set_action_names(Some(actions.to_vec())).set_resource_arns(Some(resources.to_vec()));
        let page = call.set_marker(next).send().await;
        let page = page.map_err(|error| refused("iam:SimulatePrincipalPolicy", &error))?;
        for result in page.evaluation_results() {
            if *result.eval_decision() != PolicyEvaluationDecisionType::Allowed {
                denied.insert(result.eval_action_name().to_owned());
            }
        }
        next = page.marker;
        if next.is_none() {
            break;
        }
    }
    Ok(denied)
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// IAM gives policies as they stand in a URL.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        assert_eq!(percent_decoded("%7B%22a%22%3A1%7D 100%"), "{\"a\":1} 100%");
        assert_eq!(percent_decoded("plain"), "plain");
        assert_eq!(name_of("arn:aws:iam::1:role/path/name"), "name");
    }
}
