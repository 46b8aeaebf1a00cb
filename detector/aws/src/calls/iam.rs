//! The IAM actions that an operation needs.
//!
//! Mostly they are called the same; what is not stands here. Source: the Service Authorization Reference.

/// The prefix of actions, for each service as the SDK calls it.
const PREFIXES: [(&str, &str); 18] = [
    ("Account", "account"),
    ("Bedrock", "bedrock"),
    ("Bedrock Agent", "bedrock"),
    ("CloudTrail", "cloudtrail"),
    ("DynamoDB", "dynamodb"),
    ("EC2", "ec2"),
    ("EventBridge", "events"),
    ("IAM", "iam"),
    ("Kinesis", "kinesis"),
    ("KMS", "kms"),
    ("Organizations", "organizations"),
    ("S3", "s3"),
    ("Secrets Manager", "secretsmanager"),
    ("SecurityHub", "securityhub"),
    ("SNS", "sns"),
    ("SQS", "sqs"),
    ("SSO", "sso"),
    ("STS", "sts"),
];

/// Operations that need other actions than one of their own name.
const OTHERWISE: [(&str, &[&str]); 16] = [
    ("s3 AbortMultipartUpload", &["s3:AbortMultipartUpload"]),
    ("s3 CompleteMultipartUpload", &["s3:PutObject"]),
    ("s3 CreateMultipartUpload", &["s3:PutObject"]),
    ("s3 DeleteObjects", &["s3:DeleteObject"]),
    ("s3 HeadBucket", &["s3:ListBucket"]),
    ("s3 HeadObject", &["s3:GetObject"]),
    ("s3 ListObjectsV2", &["s3:ListBucket"]),
    ("s3 UploadPart", &["s3:PutObject"]),
    ("sns PublishBatch", &["sns:Publish"]),
    ("sqs ChangeMessageVisibilityBatch", &["sqs:ChangeMessageVisibility"]),
    ("sqs DeleteMessageBatch", &["sqs:DeleteMessage"]),
    ("sqs SendMessageBatch", &["sqs:SendMessage"]),
    ("dynamodb BatchGetItem", &["dynamodb:BatchGetItem"]),
    ("dynamodb TransactGetItems", &["dynamodb:GetItem"]),
    (
        "dynamodb TransactWriteItems",
        &["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
    ),
    ("kinesis ListStreams", &["kinesis:ListStreams"]),
];

/// Calls that anybody may make, whatever the policies say.
const FREE: [&str; 1] = ["sts:GetCallerIdentity"];

/// The prefix of a service's actions; `None` for a service that is not known here.
#[must_use]
pub fn prefix(service: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(known, _)| *known == service).map(|(_, prefix)| *prefix)
}

/// The actions that an operation of a service (by the prefix of its actions) needs; none for calls that are free.
#[must_use]
pub fn actions(prefix: &str, operation: &str) -> Vec<String> {
    let name = format!("{prefix} {operation}");
    if let Some((_, actions)) = OTHERWISE.iter().find(|(known, _)| *known == name) {
        return actions.iter().map(|action| (*action).to_owned()).collect();
    }
    let own = format!("{prefix}:{operation}");
    if FREE.contains(&own.as_str()) { Vec::new() } else { vec![own] }
}
