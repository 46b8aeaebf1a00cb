//! The tables that Athena's queries are about: how to make them once, with partitions that need no upkeep.
//!
//! The invocation log's is the table of the AWS playbook for security events of Amazon Bedrock, CloudTrail's that of the
//! CloudTrail user guide. Both have partition projection added, so that a query reads the days it asks for and no more.

use crate::{
    remedy::text::partition,
    time::{Second, day_to_string},
};

/// The playbook's name for the table over the invocation log.
pub(super) const INVOCATION_LOG: &str = "bedrock_model_invocation_metadata_unfiltered";
/// The table over CloudTrail's files.
pub(super) const PROJECTED_TRAIL: &str = "bedrock_watch_cloudtrail";

/// Regions in which Amazon Bedrock can be called, by partition (AWS General Reference, Amazon Bedrock endpoints).
const REGIONS: [(&str, &str); 3] = [
    (
        "aws",
        "us-east-1,us-east-2,us-west-1,us-west-2,af-south-1,ap-east-2,ap-northeast-1,ap-northeast-2,ap-northeast-3,\
         ap-south-1,ap-south-2,ap-southeast-1,ap-southeast-2,ap-southeast-3,ap-southeast-4,ap-southeast-5,\
         ap-southeast-7,ca-central-1,ca-west-1,eu-central-1,eu-central-2,eu-north-1,eu-south-1,eu-south-2,eu-west-1,\
         eu-west-2,eu-west-3,il-central-1,me-central-1,me-south-1,mx-central-1,sa-east-1",
    ),
    ("aws-cn", "cn-north-1,cn-northwest-1"),
    ("aws-us-gov", "us-gov-west-1,us-gov-east-1"),
];

/// A day as the folders of both logs name it.
pub(super) fn day(at: Second) -> String {
    day_to_string(at.day()).replace('-', "/")
}

/// Makes the table over the invocation log. `timestamp` is a reserved word there and wants its quotes.
pub(super) fn invocation_log(account: Option<&str>, region: Option<&str>) -> String {
    format!(
        "\
CREATE EXTERNAL TABLE IF NOT EXISTS {INVOCATION_LOG} (
  schemaType string,
  schemaVersion string,
  `timestamp` string,
  accountId string,
  identity struct<arn: string>,
  region string,
  requestId string,
  operation string,
  modelId string,
  errorCode string,
  input struct<inputBodyJson: string,
               inputBodyS3Path: string,
               inputContentType: string,
               inputTokenCount: int>,
  output struct<outputBodyJson: string,
                outputBodyS3Path: string,
                outputContentType: string,
                outputTokenCount: int,
                outputImageBucketedStepSize: int,
                outputImageHeight: int,
                outputImageWidth: int>
)
PARTITIONED BY (log_account string, log_region string, day string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://<insert_S3_bucket>/<insert_prefix>/AWSLogs/'
{}",
        projection(
            ["log_account", "log_region"],
            account,
            region,
            "<insert_S3_bucket>/<insert_prefix>/AWSLogs/${log_account}/BedrockModelInvocationLogs/${log_region}/${day}"
        )
    )
}

/// Makes the table over CloudTrail's files.
pub(super) fn trail(account: Option<&str>, region: Option<&str>) -> String {
    format!(
        "\
CREATE EXTERNAL TABLE IF NOT EXISTS {PROJECTED_TRAIL} (
  eventVersion string,
  userIdentity struct<type: string, principalId: string, arn: string, accountId: string, invokedBy: string,
    accessKeyId: string, userName: string,
    onBehalfOf: struct<userId: string, identityStoreArn: string>,
    sessionContext: struct<
      attributes: struct<mfaAuthenticated: string, creationDate: string>,
      sessionIssuer: struct<type: string, principalId: string, arn: string, accountId: string, userName: string>,
      ec2RoleDelivery: string,
      webIdFederationData: struct<federatedProvider: string, attributes: map<string,string>>>>,
  eventTime string,
  eventSource string,
  eventName string,
  awsRegion string,
  sourceIPAddress string,
  userAgent string,
  errorCode string,
  errorMessage string,
  requestParameters string,
  responseElements string,
  additionalEventData string,
  requestID string,
  eventID string,
  readOnly string,
  resources array<struct<arn: string, accountId: string, type: string>>,
  eventType string,
  recipientAccountId string,
  sharedEventID string,
  vpcEndpointId string,
  eventCategory string,
  sessionCredentialFromConsole string,
  tlsDetails struct<tlsVersion: string, cipherSuite: string, clientProvidedHostHeader: string>
)
PARTITIONED BY (account string, region string, day string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://<insert_trail_bucket>/AWSLogs/'
{}",
        projection(
            ["account", "region"],
            account,
            region,
            "<insert_trail_bucket>/AWSLogs/${account}/CloudTrail/${region}/${day}"
        )
    )
}

fn projection(
    [account_column, region_column]: [&str; 2],
    account: Option<&str>,
    region: Option<&str>,
    folder: &str,
) -> String {
    let known = partition(region);
    let regions = REGIONS.iter().find(|(name, _)| *name == known).map_or("", |(_, regions)| *regions);
    // An account's id is twelve digits; anything else does not belong into a definition.
    let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let accounts = account.filter(is_account).unwrap_or("<insert_account_ids>");
    format!(
        "\
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.{account_column}.type' = 'enum',
  'projection.{account_column}.values' = '{accounts}',
  'projection.{region_column}.type' = 'enum',
  'projection.{region_column}.values' = '{regions}',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2023/09/01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://{folder}'
)"
    )
}
