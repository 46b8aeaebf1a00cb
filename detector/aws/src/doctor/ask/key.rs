//! Customer keys.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_kms::{Client, types::KeyManagerType};

use super::refused;
use crate::doctor::facts::{Asked, Key};

/// Grants a page, and pages of them that are read.
const PAGES_MAX: usize = 50;

pub(super) async fn ask(config: &SdkConfig, id: &str) -> Asked<Key> {
    let client = Client::new(config);
    let described = client.describe_key().key_id(id).send().await;
    let described = described.map_err(|error| refused("kms:DescribeKey", &error))?;
    let metadata = described.key_metadata();
    let aws_managed = metadata.and_then(|key| key.key_manager()) == Some(&KeyManagerType::Aws);
    let state = metadata.and_then(|key| key.key_state()).map_or("unknown", |state| state.as_str()).to_owned();
    let arn = metadata.and_then(|key| key.arn()).unwrap_or(id).to_owned();
    // The other two calls take no alias.
    let id = metadata.map_or(id, |key| key.key_id());
    if aws_managed {
        return Ok(Key { arn, aws_managed, state, policy: Ok(String::new()), grantees: Ok(BTreeSet::new()) });
    }
    let policy = client.get_key_policy().key_id(id).policy_name("default").send().await;
    let policy = policy
        .map(|policy| policy.policy().unwrap_or_default().to_owned())
        .map_err(|error| refused("kms:GetKeyPolicy", &error));
    Ok(Key { arn, aws_managed, state, policy, grantees: grantees(&client, id).await })
}

async fn grantees(client: &Client, id: &str) -> Asked<BTreeSet<String>> {
    let mut grantees = BTreeSet::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let page = client.list_grants().key_id(id).set_marker(next).send().await;
        let page = page.map_err(|error| refused("kms:ListGrants", &error))?;
        grantees.extend(page.grants().iter().filter_map(|grant| grant.grantee_principal().map(str::to_owned)));
        next = page.next_marker;
        if next.is_none() {
            break;
        }
    }
    Ok(grantees)
}
