//! The calls that change what the world knows: the one list behind dispatch and prefilter.

/// What a call means to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    CreateJob,
    StopJob,
    PutLogging,
    DeleteLogging,
    CreateGroup,
    DeleteGroup,
    Authorize { egress: bool },
    Revoke { egress: bool },
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
}

const BEDROCK: &str = "bedrock.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const KMS: &str = "kms.amazonaws.com";
const IAM: &str = "iam.amazonaws.com";
const S3: &str = "s3.amazonaws.com";
const LOGS: &str = "logs.amazonaws.com";

/// Event source, event name, meaning; sorted by name.
pub(crate) const INTERESTS: [(&str, &str, Meaning); 30] = [
    (IAM, "AttachRolePolicy", Meaning::AttachPolicy),
    (EC2, "AuthorizeSecurityGroupEgress", Meaning::Authorize { egress: true }),
    (EC2, "AuthorizeSecurityGroupIngress", Meaning::Authorize { egress: false }),
    (KMS, "CancelKeyDeletion", Meaning::KeyBack),
    (S3, "CreateBucket", Meaning::CreateBucket),
    (LOGS, "CreateLogGroup", Meaning::CreateLogGroup),
    (BEDROCK, "CreateModelCustomizationJob", Meaning::CreateJob),
    (EC2, "CreateNetworkInterface", Meaning::CreateInterface),
    (IAM, "CreateRole", Meaning::CreateRole),
    (EC2, "CreateSecurityGroup", Meaning::CreateGroup),
    (EC2, "CreateSubnet", Meaning::CreateSubnet),
    (EC2, "CreateVpcEndpoint", Meaning::CreateEndpoint),
    (S3, "DeleteBucket", Meaning::DeleteBucket),
    (LOGS, "DeleteLogGroup", Meaning::DeleteLogGroup),
    (BEDROCK, "DeleteModelInvocationLoggingConfiguration", Meaning::DeleteLogging),
    (IAM, "DeleteRole", Meaning::DeleteRole),
    (IAM, "DeleteRolePolicy", Meaning::DeletePolicy),
    (EC2, "DeleteSecurityGroup", Meaning::DeleteGroup),
    (EC2, "DeleteSubnet", Meaning::DeleteSubnet),
    (EC2, "DeleteVpcEndpoints", Meaning::DeleteEndpoints),
    (IAM, "DetachRolePolicy", Meaning::DetachPolicy),
    (KMS, "DisableKey", Meaning::DisableKey),
    (KMS, "EnableKey", Meaning::KeyBack),
    (BEDROCK, "PutModelInvocationLoggingConfiguration", Meaning::PutLogging),
    (IAM, "PutRolePolicy", Meaning::PutPolicy),
    (EC2, "RevokeSecurityGroupEgress", Meaning::Revoke { egress: true }),
    (EC2, "RevokeSecurityGroupIngress", Meaning::Revoke { egress: false }),
    (KMS, "ScheduleKeyDeletion", Meaning::ScheduleKeyDeletion),
    (BEDROCK, "StopModelCustomizationJob", Meaning::StopJob),
    (IAM, "UpdateAssumeRolePolicy", Meaning::ChangeTrust),
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
