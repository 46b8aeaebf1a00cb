//! Applies calls about what knowledge bases, agents and deployed models stand on: functions, stores, secrets, and the
//! settings of buckets.
//!
//! No public CloudTrail sample of most of them exists; names are those of the service models in the spelling CloudTrail
//! uses, and every one may be missing.

use serde_json::Value;

use super::{
    Touched, World,
    apply::Applying,
    exposure::{self, Setting},
    group_rules::text,
    json::At,
    regional::RegionalKind,
    resource::{Effect, Loss, ResourceKey, Return},
};

impl World {
    /// Something was deleted.
    pub(super) fn lose(&mut self, kind: RegionalKind, it: &Applying<'_>) -> Touched {
        // With a qualifier, only a version of the function is deleted.
        if kind == RegionalKind::Function && text(it.request.at("qualifier")).is_some() {
            return Touched::new();
        }
        self.change_regional(kind, it, Effect::Lost(Loss::Deleted))
    }

    /// Something exists again under its name.
    pub(super) fn regain(&mut self, kind: RegionalKind, it: &Applying<'_>) -> Touched {
        self.change_regional(kind, it, Effect::Back(Return::Whole))
    }

    /// A statement of a function's policy was added. Only one that lets Bedrock call it matters.
    pub(super) fn grant(&mut self, kind: RegionalKind, it: &Applying<'_>) -> Touched {
        let principal = text(it.request.at("principal")).unwrap_or_default();
        if !principal.contains("bedrock.amazonaws.com") {
            return Touched::new();
        }
        let Some(statement) = text(it.request.at("statementId")) else { return Touched::new() };
        self.change_regional(kind, it, Effect::Back(Return::Permissions(statement.into())))
    }

    /// A statement of a function's policy was removed; whether it let Bedrock call it is known from the grant.
    pub(super) fn ungrant(&mut self, kind: RegionalKind, it: &Applying<'_>) -> Touched {
        let Some(statement) = text(it.request.at("statementId")) else { return Touched::new() };
        self.change_regional(kind, it, Effect::Lost(Loss::StatementRemoved(statement.into())))
    }

    /// A setting of a bucket was replaced.
    pub(super) fn set_bucket(&mut self, setting: Setting, it: &Applying<'_>) -> Touched {
        let Some(name) = text(it.request.at("bucketName")) else { return Touched::new() };
        let effect = exposure::effect(setting, &it.request, &it.call.account);
        self.change(ResourceKey::Bucket(name.into()), it, effect)
    }

    fn change_regional(&mut self, kind: RegionalKind, it: &Applying<'_>, effect: Effect) -> Touched {
        let Some(name) = name_of(kind, &it.request, &it.response) else { return Touched::new() };
        let resource = kind.named(&name, &it.call.account, &it.call.region);
        self.change(resource, it, effect)
    }

    fn change(&mut self, resource: ResourceKey, it: &Applying<'_>, effect: Effect) -> Touched {
        self.ledger_mut(&resource, it.settings).account = Some((*it.call.account).into());
        self.enter(resource, it.evidence(), effect, it.settings)
    }
}

/// What a call names, in whichever field its service has for it.
fn name_of(kind: RegionalKind, request: &Value, response: &Value) -> Option<String> {
    let asked = |field: &str| text(request.at(field));
    match kind {
        RegionalKind::Function => asked("functionName"),
        RegionalKind::Collection => asked("id"),
        RegionalKind::SearchDomain => asked("domainName"),
        RegionalKind::DbCluster => asked("dBClusterIdentifier"),
        RegionalKind::VectorBucket => asked("vectorBucketArn").or_else(|| asked("vectorBucketName")),
        RegionalKind::VectorIndex => {
            asked("indexArn").or_else(|| Some(format!("{}/index/{}", asked("vectorBucketName")?, asked("indexName")?)))
        }
        RegionalKind::Graph => asked("graphIdentifier"),
        // The answer has the whole ARN, whatever part of it was asked for.
        RegionalKind::Secret => {
            let answered = ["arn", "aRN", "ARN"].into_iter().find_map(|field| text(response.at(field)));
            answered.or_else(|| asked("secretId"))
        }
        RegionalKind::CustomModel => None,
    }
}
