//! Applies calls about what jobs and logging stand on: subnets, VPC endpoints, keys, roles, buckets and log groups.
//!
//! Security groups have rules of their own and are applied in `apply`; stores and functions in `apply_stores`.

use serde_json::Value;

use crate::decode::section;

use super::{
    Touched, World,
    apply::Applying,
    group_rules::{items, text},
    interests::Meaning,
    json::At,
    requests::{deleted_endpoints, trusts_bedrock},
    resource::{Effect, Loss, ResourceKey, Return},
};

impl World {
    pub(super) fn change_resource(&mut self, meaning: Meaning, it: &Applying<'_>) -> Touched {
        let account = &*it.call.account;
        let named = |field: &str, key: fn(Box<str>) -> ResourceKey| -> Vec<ResourceKey> {
            it.request.text(field).map(|id| key(id.into())).into_iter().collect()
        };
        let (resources, effect) = match meaning {
            Meaning::DeleteSubnet => (named("subnetId", ResourceKey::Subnet), Effect::Lost(Loss::Deleted)),
            Meaning::DeleteEndpoints => {
                let ids = deleted_endpoints(&it.request, &it.response);
                (ids.into_iter().map(ResourceKey::VpcEndpoint).collect(), Effect::Lost(Loss::Deleted))
            }
            Meaning::DisableKey => (self.keys(it), Effect::Lost(Loss::Disabled)),
            Meaning::ScheduleKeyDeletion => (self.keys(it), Effect::Lost(Loss::ScheduledForDeletion)),
            Meaning::KeyBack => (self.keys(it), Effect::Back(Return::Whole)),
            Meaning::DeleteBucket => (named("bucketName", ResourceKey::Bucket), Effect::Lost(Loss::Deleted)),
            Meaning::CreateBucket => (named("bucketName", ResourceKey::Bucket), Effect::Back(Return::Whole)),
            Meaning::DeleteLogGroup => (it.log_groups(), Effect::Lost(Loss::Deleted)),
            Meaning::CreateLogGroup => (it.log_groups(), Effect::Back(Return::Whole)),
            _ => return Touched::new(),
        };
        let mut touched = Touched::new();
        for resource in resources {
            let ledger = self.ledger_mut(&resource, it.settings);
            ledger.account = Some(account.into());
            touched.extend(self.enter(resource, it.evidence(), effect.clone(), it.settings));
        }
        touched
    }

    /// The keys a KMS call concerns: by the ARN among its resources, and by what the request called it.
    fn keys(&mut self, it: &Applying<'_>) -> Vec<ResourceKey> {
        let resources = it.call.resources.as_deref().map_or(Value::Null, section::value);
        let arn = items(&resources).find_map(|resource| text(resource.at("ARN")));
        let arn = arn.or_else(|| text(it.request.at("keyId")).filter(|id| id.starts_with("arn:")));
        let mut keys: Vec<ResourceKey> = [arn.clone(), text(it.request.at("keyId"))]
            .into_iter()
            .flatten()
            .map(|id| ResourceKey::kms_key(&id, &it.call.account))
            .collect();
        keys.dedup();
        if let (Some(arn), Some(key)) = (arn, keys.first()) {
            self.ledger_mut(key, it.settings).arn = Some(arn.into());
        }
        keys
    }

    pub(super) fn change_role(&mut self, meaning: Meaning, it: &Applying<'_>) -> Touched {
        let Some(name) = text(it.request.at("roleName")) else { return Touched::new() };
        let policy = |field: &str| -> Box<str> { text(it.request.at(field)).unwrap_or_default().into() };
        let effect = match meaning {
            Meaning::CreateRole => Effect::Back(Return::Whole),
            Meaning::DeleteRole => Effect::Lost(Loss::Deleted),
            Meaning::AttachPolicy => Effect::Back(Return::Permissions(policy("policyArn"))),
            Meaning::DetachPolicy => Effect::Lost(Loss::PermissionsRemoved(policy("policyArn"))),
            Meaning::PutPolicy => Effect::Back(Return::Permissions(policy("policyName"))),
            Meaning::DeletePolicy => Effect::Lost(Loss::PermissionsRemoved(policy("policyName"))),
            Meaning::ChangeTrust if trusts_bedrock(it.request.at("policyDocument")) => Effect::Back(Return::Trust),
            Meaning::ChangeTrust => Effect::Lost(Loss::TrustRemoved),
            _ => return Touched::new(),
        };
        let role = ResourceKey::Role { account: (*it.call.account).into(), name: name.into() };
        self.ledger_mut(&role, it.settings).account = Some((*it.call.account).into());
        self.enter(role, it.evidence(), effect, it.settings)
    }
}

impl Applying<'_> {
    fn log_groups(&self) -> Vec<ResourceKey> {
        let name = text(self.request.at("logGroupName"));
        let key = |name: String| ResourceKey::LogGroup {
            account: (*self.call.account).into(),
            region: (*self.call.region).into(),
            name: name.into(),
        };
        name.map(key).into_iter().collect()
    }
}
