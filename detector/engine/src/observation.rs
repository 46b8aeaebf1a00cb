//! What AWS answered when it was asked: inventory, as an input of the engine.
//!
//! The engine never asks itself. The same observations can be written as events (EventBridge `source`
//! `bedrock-watch`, `detail-type` `Inventory Observation`, this structure as `detail`), which is how recorded
//! inventories are replayed and how rule cases state them.

use serde::{Deserialize, Serialize};

use crate::time::Second;

/// One sweep's findings about one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// Names the observation among others of the same second; the envelope's `id` when it came as an event.
    #[serde(default)]
    pub id: String,
    /// When AWS was asked; the envelope's `time` when it came as an event.
    #[serde(default)]
    pub at: Second,
    /// The account that was asked.
    #[serde(default)]
    pub account: String,
    /// The region that was asked.
    #[serde(default)]
    pub region: String,
    /// Customization jobs, as `GetModelCustomizationJob` describes them.
    #[serde(default)]
    pub jobs: Vec<ObservedJob>,
    /// Batch, import and evaluation jobs, deployed models, knowledge bases, data sources, agents and action groups.
    #[serde(default)]
    pub dependents: Vec<ObservedDependent>,
    /// Security groups that exist, as `DescribeSecurityGroups` describes them.
    #[serde(default)]
    pub security_groups: Vec<ObservedGroup>,
    /// Security group ids that a job names and AWS says do not exist (`InvalidGroup.NotFound`).
    #[serde(default)]
    pub missing_security_groups: Vec<String>,
    /// VPC endpoints that exist.
    #[serde(default)]
    pub vpc_endpoints: Vec<ObservedEndpoint>,
    /// The invocation-logging configuration: `None` when it was not asked for.
    #[serde(default)]
    pub invocation_logging: Option<ObservedLogging>,
}

/// A customization job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedJob {
    /// `jobArn`.
    pub job_arn: String,
    /// `jobName`.
    #[serde(default)]
    pub job_name: Option<String>,
    /// `status`.
    pub status: String,
    /// `creationTime`, RFC 3339.
    #[serde(default)]
    pub creation_time: Option<String>,
    /// `endTime`, RFC 3339.
    #[serde(default)]
    pub end_time: Option<String>,
    /// `outputModelName`.
    #[serde(default)]
    pub output_model_name: Option<String>,
    /// `outputModelArn`.
    #[serde(default)]
    pub output_model_arn: Option<String>,
    /// `roleArn`.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// `baseModelArn`.
    #[serde(default)]
    pub base_model: Option<String>,
    /// `customizationType`.
    #[serde(default)]
    pub customization_type: Option<String>,
    /// `outputModelKmsKeyArn`.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// `trainingDataConfig.s3Uri`.
    #[serde(default)]
    pub training_s3_uri: Option<String>,
    /// `validationDataConfig.validators[].s3Uri`.
    #[serde(default)]
    pub validation_s3_uris: Vec<String>,
    /// `outputDataConfig.s3Uri`.
    #[serde(default)]
    pub output_s3_uri: Option<String>,
    /// `hyperParameters`.
    #[serde(default)]
    pub hyper_parameters: std::collections::BTreeMap<String, String>,
    /// `vpcConfig.subnetIds`.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// `vpcConfig.securityGroupIds`.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
}

/// Something else than a customization job that stands on other resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedDependent {
    /// `batch_inference_job`, `model_import_job`, `evaluation_job`, `ingestion_job`, `custom_model`,
    /// `custom_model_deployment`, `knowledge_base`, `data_source`, `agent` or `agent_action_group`; of any other kind
    /// nothing is kept.
    pub kind: String,
    /// Its ARN. Parts that have none are named by the path of their API below the ARN of the whole:
    /// `KNOWLEDGE-BASE-ARN/data-source/ID`, `KNOWLEDGE-BASE-ARN/ingestion-job/ID`, `AGENT-ARN/action-group/ID`.
    pub arn: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// ARN of what it is a part of.
    #[serde(default)]
    pub parent_arn: Option<String>,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub creation_time: Option<String>,
    /// The status it ended with; absent while it lives.
    #[serde(default)]
    pub ended: Option<String>,
    /// When it ended, RFC 3339; else the time of the observation counts.
    #[serde(default)]
    pub end_time: Option<String>,
    /// Its service role.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The customer key that encrypts it, or the model it makes.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// The name of the custom model it makes.
    #[serde(default)]
    pub output_model_name: Option<String>,
    /// The ARN of the custom model it makes.
    #[serde(default)]
    pub output_model_arn: Option<String>,
    /// `vpcConfig.subnetIds`.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// `vpcConfig.securityGroupIds`.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// Everything else it stands on: ARNs of functions, stores, secrets, buckets and deployed custom models, and `s3://`
    /// URIs.
    #[serde(default)]
    pub resources: Vec<String>,
}

/// A security group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedGroup {
    /// `GroupId`.
    pub group_id: String,
    /// `GroupName`.
    #[serde(default)]
    pub group_name: Option<String>,
    /// `Description`.
    #[serde(default)]
    pub description: Option<String>,
    /// `VpcId`.
    #[serde(default)]
    pub vpc_id: Option<String>,
    /// Every rule of the group.
    #[serde(default)]
    pub rules: Vec<ObservedRule>,
}

/// One security group rule, as `DescribeSecurityGroupRules` lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedRule {
    /// `SecurityGroupRuleId`.
    #[serde(default)]
    pub rule_id: Option<String>,
    /// `IsEgress`.
    pub egress: bool,
    /// `IpProtocol`; `-1` is every protocol.
    pub protocol: String,
    /// `FromPort`; absent for every port.
    #[serde(default)]
    pub from_port: Option<i64>,
    /// `ToPort`.
    #[serde(default)]
    pub to_port: Option<i64>,
    /// The other side: a CIDR block, a prefix list id or a group id.
    pub peer: String,
}

/// A VPC endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedEndpoint {
    /// `VpcEndpointId`.
    pub vpc_endpoint_id: String,
    /// `VpcId`.
    pub vpc_id: String,
    /// `ServiceName`.
    #[serde(default)]
    pub service_name: Option<String>,
}

/// The answer to `GetModelInvocationLoggingConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedLogging {
    /// `loggingConfig` as AWS returned it; `None` when logging is off.
    #[serde(default)]
    pub logging_config: Option<serde_json::Value>,
}
