//! Applies calls about what stands on other resources besides customization jobs: batch, import and evaluation jobs,
//! custom models and their deployments, knowledge bases with their data sources, agents with their action groups.
//!
//! Field names are those of the service models (botocore, bedrock and bedrock-agent); any of them may be missing.

use serde_json::Value;

use super::{
    Touched, World,
    apply::{Applying, owner_of_arn},
    dependent::{Dependent, Kind, Slot},
    dependents::DependentRef,
    group_rules::text,
    json::At,
    regional::{self, RegionalKind, partition},
    requests::{set, set_key, set_key_text, set_text, texts},
    resource::ResourceKey,
};

/// How a call names what it is about.
struct Named {
    arn: Option<String>,
    name: Option<String>,
    parent: Option<String>,
}

impl World {
    /// Something was made or changed.
    pub(super) fn describe(&mut self, kind: Kind, it: &Applying<'_>) -> Touched {
        let Some(named) = named(kind, it) else { return Touched::new() };
        self.update_named(kind, it, &named, |one| {
            one.existed_at(it.call.time);
            read(one, it);
        })
    }

    /// Something was deleted, or stopped where no event reports an end.
    pub(super) fn end(&mut self, kind: Kind, it: &Applying<'_>) -> Touched {
        let Some(named) = named(kind, it) else { return Touched::new() };
        let status = if matches!(kind, Kind::EvaluationJob | Kind::IngestionJob) { "Stopped" } else { "Deleted" };
        self.update_named(kind, it, &named, |one| one.end(it.call.time, status))
    }

    /// A batch job is asked to stop; its own event says when it has.
    pub(super) fn stop_batch_job(&mut self, it: &Applying<'_>) -> Touched {
        let Some(named) = named(Kind::BatchJob, it) else { return Touched::new() };
        self.update_named(Kind::BatchJob, it, &named, |one| {
            one.existed_at(it.call.time);
            one.stopping = true;
        })
    }

    fn update_named(
        &mut self,
        kind: Kind,
        it: &Applying<'_>,
        named: &Named,
        change: impl FnOnce(&mut Dependent),
    ) -> Touched {
        let owner = named.arn.as_deref().and_then(owner_of_arn);
        let (account, region) = owner.unwrap_or((&it.call.account, &it.call.region));
        let wanted = DependentRef { kind, account, region, arn: named.arn.as_deref(), name: named.name.as_deref() };
        self.update_dependent(wanted, it.settings, |one| {
            if let Some(parent) = &named.parent {
                one.parent = Some(parent.as_str().into());
            }
            change(one);
        })
    }
}

/// What the call is about, by what its answer says, else by what was asked for.
fn named(kind: Kind, it: &Applying<'_>) -> Option<Named> {
    let (request, response) = (&it.request, &it.response);
    let asked = |field: &str| text(request.at(field));
    let whole = |arn: Option<String>, name: Option<String>| Named { arn, name, parent: None };
    let named = match kind {
        Kind::CustomizationJob => return None,
        Kind::BatchJob | Kind::ImportJob | Kind::EvaluationJob => {
            let kind = if kind == Kind::EvaluationJob { "evaluation-job" } else { "model-invocation-job" };
            let stopped = asked("jobIdentifier").map(|id| it.arn_of(kind, &id));
            whole(text(response.at("jobArn")).or(stopped), asked("jobName"))
        }
        Kind::CustomModel => named_either(text(response.at("modelArn")), asked("modelName"), asked("modelIdentifier")),
        Kind::Deployment => {
            let arn =
                text(response.at("customModelDeploymentArn")).or_else(|| text(response.at("provisionedModelArn")));
            let name = asked("modelDeploymentName").or_else(|| asked("provisionedModelName"));
            named_either(arn, name, asked("customModelDeploymentIdentifier").or_else(|| asked("provisionedModelId")))
        }
        Kind::KnowledgeBase => {
            let id = asked("knowledgeBaseId").or_else(|| text(response.at("knowledgeBase").at("knowledgeBaseId")));
            whole(Some(it.arn_of("knowledge-base", &id?)), None)
        }
        Kind::Agent => {
            let id = asked("agentId").or_else(|| text(response.at("agent").at("agentId")));
            whole(Some(it.arn_of("agent", &id?)), None)
        }
        Kind::DataSource => {
            let id = text(response.at("dataSource").at("dataSourceId")).or_else(|| asked("dataSourceId"));
            part(it.arn_of("knowledge-base", &asked("knowledgeBaseId")?), "data-source", &id?)
        }
        Kind::IngestionJob => {
            let id = text(response.at("ingestionJob").at("ingestionJobId")).or_else(|| asked("ingestionJobId"));
            part(it.arn_of("knowledge-base", &asked("knowledgeBaseId")?), "ingestion-job", &id?)
        }
        Kind::ActionGroup => {
            let id = text(response.at("agentActionGroup").at("actionGroupId")).or_else(|| asked("actionGroupId"));
            part(it.arn_of("agent", &asked("agentId")?), "action-group", &id?)
        }
    };
    let name = match kind {
        Kind::DataSource => asked("name"),
        Kind::ActionGroup => asked("actionGroupName"),
        _ => None,
    };
    (named.arn.is_some() || named.name.is_some()).then(|| Named { name: named.name.or(name), ..named })
}

/// By ARN and name as they were given, else by an identifier that is one or the other.
fn named_either(arn: Option<String>, name: Option<String>, identifier: Option<String>) -> Named {
    let (as_arn, as_name) = match identifier {
        Some(identifier) if identifier.starts_with("arn:") => (Some(identifier), None),
        other => (None, other),
    };
    Named { arn: arn.or(as_arn), name: name.or(as_name), parent: None }
}

/// A part of something; AWS gives it no ARN of its own, so it is named by the path that its API has.
fn part(whole: String, kind: &str, id: &str) -> Named {
    Named { arn: Some(format!("{whole}/{kind}/{id}")), name: None, parent: Some(whole) }
}

/// What the request says it stands on.
fn read(one: &mut Dependent, it: &Applying<'_>) {
    let request = &it.request;
    let (at, id) = (it.call.time, &*it.call.event_id);
    let vpc = request.at("vpcConfig");
    one.security_groups.extend(texts(vpc.at("securityGroupIds")));
    one.subnets.extend(texts(vpc.at("subnetIds")));
    match one.kind {
        Kind::CustomizationJob => {}
        Kind::BatchJob | Kind::ImportJob | Kind::EvaluationJob | Kind::IngestionJob => read_job(one, request),
        Kind::CustomModel => {
            set_key(&mut one.kms_key, request.at("modelKmsKeyArn"));
            set(&mut one.output_model, request.at("modelName"));
            set(&mut one.output_model_arn, it.response.at("modelArn"));
        }
        Kind::Deployment => {
            let model = text(request.at("modelArn")).or_else(|| text(request.at("modelId")));
            let custom = model.filter(|model| model.contains(":custom-model/") || !model.contains([':', '.', '/']));
            one.needs.extend(custom.map(|model| ResourceKey::custom_model(&model, &one.account, &one.region)));
        }
        Kind::KnowledgeBase => {
            one.rename(at, id, text(request.at("name")));
            one.exchange_role(at, id, text(request.at("roleArn")).as_deref());
            named_in(request.at("storageConfiguration"), &mut |key| {
                one.needs.insert(key);
            });
            let supplemental = request.at("knowledgeBaseConfiguration").at("vectorKnowledgeBaseConfiguration");
            named_in(supplemental.at("supplementalDataStorageConfiguration"), &mut |key| {
                one.needs.insert(key);
            });
            let vectors = request.at("storageConfiguration").at("s3VectorsConfiguration");
            one.needs.extend(vector_index(vectors));
        }
        Kind::DataSource => {
            let source = request.at("dataSourceConfiguration");
            let bucket = text(source.at("s3Configuration").at("bucketArn"));
            one.needs.extend(bucket.as_deref().and_then(ResourceKey::bucket_named));
            set_key(&mut one.kms_key, request.at("serverSideEncryptionConfiguration").at("kmsKeyArn"));
            named_in(source, &mut |key| {
                one.needs.insert(key);
            });
        }
        Kind::Agent => {
            one.rename(at, id, text(request.at("agentName")));
            one.exchange_role(at, id, text(request.at("agentResourceRoleArn")).as_deref());
            let key = text(request.at("customerEncryptionKeyArn"));
            one.exchange(Slot::Key, at, id, key.map(|key| ResourceKey::kms_key(&key, &one.account)));
            let lambda = request.at("promptOverrideConfiguration").at("overrideLambda");
            one.needs.extend(text(lambda).and_then(|arn| regional::of_arn(&arn)));
        }
        Kind::ActionGroup => {
            let lambda = text(request.at("actionGroupExecutor").at("lambda"));
            one.exchange(Slot::Function, at, id, lambda.and_then(|arn| regional::of_arn(&arn)));
        }
    }
}

fn read_job(one: &mut Dependent, request: &Value) {
    set(&mut one.role_arn, request.at("roleArn"));
    let output = request.at("outputDataConfig");
    let keys = [
        output.at("s3OutputDataConfig").at("s3EncryptionKeyId"),
        request.at("importedModelKmsKeyId"),
        request.at("customerEncryptionKeyId"),
    ];
    keys.into_iter().for_each(|key| set_key(&mut one.kms_key, key));
    for part in [request.at("inputDataConfig"), output, request.at("modelDataSource")] {
        named_in(part, &mut |key| {
            one.needs.insert(key);
        });
    }
}

/// A vector index, and the bucket it lies in.
fn vector_index(configuration: &Value) -> Vec<ResourceKey> {
    let index = text(configuration.at("indexArn")).and_then(|arn| regional::of_arn(&arn));
    let bucket = text(configuration.at("vectorBucketArn")).and_then(|arn| regional::of_arn(&arn));
    let index = match (index, &bucket, text(configuration.at("indexName"))) {
        (None, Some(ResourceKey::Regional { account, region, name, .. }), Some(index)) => {
            Some(RegionalKind::VectorIndex.named(&format!("{name}/index/{index}"), account, region))
        }
        (index, ..) => index,
    };
    let of_index = match &index {
        Some(ResourceKey::Regional { account, region, name, .. }) => {
            name.split_once("/index/").map(|(bucket, _)| RegionalKind::VectorBucket.named(bucket, account, region))
        }
        _ => None,
    };
    [index, bucket.or(of_index)].into_iter().flatten().collect()
}

/// Every store, secret, function and bucket that a configuration names anywhere, by ARN or as `s3://` URI.
fn named_in(configuration: &Value, found: &mut dyn FnMut(ResourceKey)) {
    match configuration {
        Value::String(text) => {
            regional::of_arn(text).or_else(|| ResourceKey::bucket_of_uri(text)).into_iter().for_each(found);
        }
        Value::Array(items) => items.iter().for_each(|item| named_in(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| named_in(field, found)),
        _ => {}
    }
}

impl Applying<'_> {
    /// The ARN of something of Bedrock in the call's account and region, by its id or by the ARN itself.
    fn arn_of(&self, kind: &str, id: &str) -> String {
        if id.starts_with("arn:") {
            return id.to_owned();
        }
        let region = &*self.call.region;
        format!("arn:{}:bedrock:{region}:{}:{kind}/{id}", partition(region), self.call.account)
    }
}

/// What inventory says of one.
pub(super) fn read_observed(
    one: &mut Dependent,
    seen: &crate::observation::ObservedDependent,
    at: crate::time::Second,
) {
    let time = |text: &Option<String>| text.as_deref().and_then(crate::time::Second::parse);
    one.existed_at(time(&seen.creation_time).unwrap_or(at).min(at));
    if let Some(status) = &seen.ended {
        one.end(time(&seen.end_time).unwrap_or(at), status);
    }
    let keep = |field: &mut Option<Box<str>>, value: &Option<String>| {
        if let Some(value) = value {
            set_text(field, value);
        }
    };
    if let Some(key) = &seen.kms_key {
        set_key_text(&mut one.kms_key, key);
    }
    keep(&mut one.parent, &seen.parent_arn);
    keep(&mut one.output_model_arn, &seen.output_model_arn);
    keep(&mut one.output_model, &seen.output_model_name);
    // A role that an update may have exchanged stands in its slot, with the time of the observation.
    let exchangeable = matches!(one.kind, Kind::KnowledgeBase | Kind::Agent);
    if exchangeable {
        one.rename(at, "", seen.name.clone());
        one.exchange_role(at, "", seen.role_arn.as_deref());
    } else {
        keep(&mut one.role_arn, &seen.role_arn);
    }
    one.subnets.extend(seen.subnet_ids.iter().map(|id| id.as_str().into()));
    one.security_groups.extend(seen.security_group_ids.iter().map(|id| id.as_str().into()));
    let named = |name: &String| {
        let other = || {
            ResourceKey::bucket_of_uri(name)
                .or_else(|| name.contains(":s3:::").then(|| ResourceKey::bucket_named(name))?)
        };
        regional::of_arn(name).or_else(other)
    };
    one.needs.extend(seen.resources.iter().filter_map(named));
}
