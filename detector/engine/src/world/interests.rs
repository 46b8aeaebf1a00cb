//! The calls that change what the world knows: the one list behind dispatch and prefilter.

use super::{dependent::Kind, exposure::Setting, regional::RegionalKind};

/// What a call means to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    CreateJob,
    StopJob,
    PutLogging,
    DeleteLogging,
    CreateGroup,
    DeleteGroup,
    Authorize {
        egress: bool,
    },
    Revoke {
        egress: bool,
    },
    ModifyRules,
    CreateSubnet,
    DeleteSubnet,
    CreateEndpoint,
    DeleteEndpoints,
    CreateInterface,
    DisableKey,
    ScheduleKeyDeletion,
    KeyBack,
    CreateRole,
    DeleteRole,
    AttachPolicy,
    DetachPolicy,
    PutPolicy,
    DeletePolicy,
    ChangeTrust,
    CreateBucket,
    DeleteBucket,
    CreateLogGroup,
    DeleteLogGroup,
    /// Makes or changes something that stands on others.
    Describe(Kind),
    /// Ends it.
    End(Kind),
    StopBatchJob,
    Lose(RegionalKind),
    Regain(RegionalKind),
    Grant(RegionalKind),
    Ungrant(RegionalKind),
    SetBucket(Setting),
}

const BEDROCK: &str = "bedrock.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const KMS: &str = "kms.amazonaws.com";
const IAM: &str = "iam.amazonaws.com";
const S3: &str = "s3.amazonaws.com";
const LOGS: &str = "logs.amazonaws.com";
const LAMBDA: &str = "lambda.amazonaws.com";
const AOSS: &str = "aoss.amazonaws.com";
const ES: &str = "es.amazonaws.com";
const RDS: &str = "rds.amazonaws.com";
const S3VECTORS: &str = "s3vectors.amazonaws.com";
const NEPTUNE: &str = "neptune-graph.amazonaws.com";
const SECRETS: &str = "secretsmanager.amazonaws.com";

/// Event source, event name, meaning; sorted by name.
pub(crate) const INTERESTS: [(&str, &str, Meaning); 80] = [
    (LAMBDA, "AddPermission20150331v2", Meaning::Grant(RegionalKind::Function)),
    (IAM, "AttachRolePolicy", Meaning::AttachPolicy),
    (EC2, "AuthorizeSecurityGroupEgress", Meaning::Authorize { egress: true }),
    (EC2, "AuthorizeSecurityGroupIngress", Meaning::Authorize { egress: false }),
    (KMS, "CancelKeyDeletion", Meaning::KeyBack),
    (BEDROCK, "CreateAgent", Meaning::Describe(Kind::Agent)),
    (BEDROCK, "CreateAgentActionGroup", Meaning::Describe(Kind::ActionGroup)),
    (S3, "CreateBucket", Meaning::CreateBucket),
    (BEDROCK, "CreateCustomModel", Meaning::Describe(Kind::CustomModel)),
    (BEDROCK, "CreateCustomModelDeployment", Meaning::Describe(Kind::Deployment)),
    (RDS, "CreateDBCluster", Meaning::Regain(RegionalKind::DbCluster)),
    (BEDROCK, "CreateDataSource", Meaning::Describe(Kind::DataSource)),
    (ES, "CreateDomain", Meaning::Regain(RegionalKind::SearchDomain)),
    (BEDROCK, "CreateEvaluationJob", Meaning::Describe(Kind::EvaluationJob)),
    (LAMBDA, "CreateFunction20150331", Meaning::Regain(RegionalKind::Function)),
    (S3VECTORS, "CreateIndex", Meaning::Regain(RegionalKind::VectorIndex)),
    (BEDROCK, "CreateKnowledgeBase", Meaning::Describe(Kind::KnowledgeBase)),
    (LOGS, "CreateLogGroup", Meaning::CreateLogGroup),
    (BEDROCK, "CreateModelCustomizationJob", Meaning::CreateJob),
    (BEDROCK, "CreateModelImportJob", Meaning::Describe(Kind::ImportJob)),
    (BEDROCK, "CreateModelInvocationJob", Meaning::Describe(Kind::BatchJob)),
    (EC2, "CreateNetworkInterface", Meaning::CreateInterface),
    (BEDROCK, "CreateProvisionedModelThroughput", Meaning::Describe(Kind::Deployment)),
    (IAM, "CreateRole", Meaning::CreateRole),
    (EC2, "CreateSecurityGroup", Meaning::CreateGroup),
    (EC2, "CreateSubnet", Meaning::CreateSubnet),
    (S3VECTORS, "CreateVectorBucket", Meaning::Regain(RegionalKind::VectorBucket)),
    (EC2, "CreateVpcEndpoint", Meaning::CreateEndpoint),
    (BEDROCK, "DeleteAgent", Meaning::End(Kind::Agent)),
    (BEDROCK, "DeleteAgentActionGroup", Meaning::End(Kind::ActionGroup)),
    (S3, "DeleteBucket", Meaning::DeleteBucket),
    (S3, "DeleteBucketLifecycle", Meaning::SetBucket(Setting::Lifecycle)),
    (S3, "DeleteBucketPolicy", Meaning::SetBucket(Setting::PolicyDeleted)),
    (S3, "DeleteBucketPublicAccessBlock", Meaning::SetBucket(Setting::PublicAccessBlock)),
    (S3, "DeleteBucketReplication", Meaning::SetBucket(Setting::Replication)),
    (AOSS, "DeleteCollection", Meaning::Lose(RegionalKind::Collection)),
    (BEDROCK, "DeleteCustomModel", Meaning::End(Kind::CustomModel)),
    (BEDROCK, "DeleteCustomModelDeployment", Meaning::End(Kind::Deployment)),
    (RDS, "DeleteDBCluster", Meaning::Lose(RegionalKind::DbCluster)),
    (BEDROCK, "DeleteDataSource", Meaning::End(Kind::DataSource)),
    (ES, "DeleteDomain", Meaning::Lose(RegionalKind::SearchDomain)),
    (LAMBDA, "DeleteFunction20150331", Meaning::Lose(RegionalKind::Function)),
    (NEPTUNE, "DeleteGraph", Meaning::Lose(RegionalKind::Graph)),
    (S3VECTORS, "DeleteIndex", Meaning::Lose(RegionalKind::VectorIndex)),
    (BEDROCK, "DeleteKnowledgeBase", Meaning::End(Kind::KnowledgeBase)),
    (LOGS, "DeleteLogGroup", Meaning::DeleteLogGroup),
    (BEDROCK, "DeleteModelInvocationLoggingConfiguration", Meaning::DeleteLogging),
    (BEDROCK, "DeleteProvisionedModelThroughput", Meaning::End(Kind::Deployment)),
    (IAM, "DeleteRole", Meaning::DeleteRole),
    (IAM, "DeleteRolePolicy", Meaning::DeletePolicy),
    (SECRETS, "DeleteSecret", Meaning::Lose(RegionalKind::Secret)),
    (EC2, "DeleteSecurityGroup", Meaning::DeleteGroup),
    (EC2, "DeleteSubnet", Meaning::DeleteSubnet),
    (S3VECTORS, "DeleteVectorBucket", Meaning::Lose(RegionalKind::VectorBucket)),
    (EC2, "DeleteVpcEndpoints", Meaning::DeleteEndpoints),
    (IAM, "DetachRolePolicy", Meaning::DetachPolicy),
    (KMS, "DisableKey", Meaning::DisableKey),
    (KMS, "EnableKey", Meaning::KeyBack),
    (EC2, "ModifySecurityGroupRules", Meaning::ModifyRules),
    (S3, "PutBucketLifecycle", Meaning::SetBucket(Setting::Lifecycle)),
    (S3, "PutBucketPolicy", Meaning::SetBucket(Setting::Policy)),
    (S3, "PutBucketPublicAccessBlock", Meaning::SetBucket(Setting::PublicAccessBlock)),
    (S3, "PutBucketReplication", Meaning::SetBucket(Setting::Replication)),
    (BEDROCK, "PutModelInvocationLoggingConfiguration", Meaning::PutLogging),
    (IAM, "PutRolePolicy", Meaning::PutPolicy),
    (LAMBDA, "RemovePermission20150331v2", Meaning::Ungrant(RegionalKind::Function)),
    (RDS, "RestoreDBClusterFromSnapshot", Meaning::Regain(RegionalKind::DbCluster)),
    (SECRETS, "RestoreSecret", Meaning::Regain(RegionalKind::Secret)),
    (EC2, "RevokeSecurityGroupEgress", Meaning::Revoke { egress: true }),
    (EC2, "RevokeSecurityGroupIngress", Meaning::Revoke { egress: false }),
    (KMS, "ScheduleKeyDeletion", Meaning::ScheduleKeyDeletion),
    (BEDROCK, "StartIngestionJob", Meaning::Describe(Kind::IngestionJob)),
    (BEDROCK, "StopEvaluationJob", Meaning::End(Kind::EvaluationJob)),
    (BEDROCK, "StopIngestionJob", Meaning::End(Kind::IngestionJob)),
    (BEDROCK, "StopModelCustomizationJob", Meaning::StopJob),
    (BEDROCK, "StopModelInvocationJob", Meaning::StopBatchJob),
    (BEDROCK, "UpdateAgent", Meaning::Describe(Kind::Agent)),
    (BEDROCK, "UpdateAgentActionGroup", Meaning::Describe(Kind::ActionGroup)),
    (IAM, "UpdateAssumeRolePolicy", Meaning::ChangeTrust),
    (BEDROCK, "UpdateKnowledgeBase", Meaning::Describe(Kind::KnowledgeBase)),
];

/// What a call means to the world, if anything.
pub(crate) fn meaning(source: &str, name: &str) -> Option<Meaning> {
    let found = INTERESTS.binary_search_by(|(_, known, _)| (*known).cmp(name)).ok()?;
    let (known_source, _, meaning) = INTERESTS.get(found)?;
    (*known_source == source).then_some(*meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sorted_and_found() {
        assert!(INTERESTS.is_sorted_by_key(|(_, name, _)| *name));
        for (source, name, expected) in INTERESTS {
            assert_eq!(meaning(source, name), Some(expected), "{name}");
        }
        assert_eq!(meaning("example.amazonaws.com", "DeleteBucket"), None);
        assert!(INTERESTS.iter().all(|(source, name, _)| !crate::bedrock::is_inference(source, name)));
    }
}
