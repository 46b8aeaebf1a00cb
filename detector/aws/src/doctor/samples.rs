//! The events that must reach the service: one of each kind that its rules and its world live on.

use serde_json::{Value, json};

use super::partition;

/// An event that must arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How it is called here.
    pub name: &'static str,
    /// `source`.
    pub(super) source: &'static str,
    /// `detail-type`.
    detail_type: &'static str,
    /// Whether CloudTrail marks it as reading, which a rule in the state `ENABLED` never sees.
    pub read_only: bool,
    /// Whether it is an event of a global service, which arrives only where IAM logs: us-east-1.
    pub global: bool,
}

const CALL: &str = "AWS API Call via CloudTrail";

const fn call(name: &'static str, source: &'static str) -> Sample {
    Sample { name, source, detail_type: CALL, read_only: false, global: false }
}

/// Every sample.
pub const SAMPLES: &[Sample] = &[
    Sample { read_only: true, ..call("InvokeModel", "aws.bedrock") },
    Sample { read_only: true, ..call("Converse", "aws.bedrock") },
    call("CreateModelCustomizationJob", "aws.bedrock"),
    call("DeleteModelInvocationLoggingConfiguration", "aws.bedrock"),
    Sample {
        detail_type: "Model Customization Job State Change",
        ..call("Model Customization Job State Change", "aws.bedrock")
    },
    call("DeleteSecurityGroup", "aws.ec2"),
    call("DeleteSubnet", "aws.ec2"),
    call("ScheduleKeyDeletion", "aws.kms"),
    call("DeleteBucket", "aws.s3"),
    call("DeleteLogGroup", "aws.logs"),
    call("StopLogging", "aws.cloudtrail"),
    call("DisableRule", "aws.events"),
    call("DeleteStream", "aws.kinesis"),
    Sample { global: true, ..call("DeleteRole", "aws.iam") },
];

impl Sample {
    /// The event as EventBridge would deliver it, as far as patterns look at it.
    #[must_use]
    pub fn event(&self, account: &str, region: &str) -> Value {
        let by_cloudtrail = self.detail_type == CALL;
        let region = if self.global { partition::global_region(region) } else { region };
        let service = self.source.strip_prefix("aws.").unwrap_or(self.source);
        let detail = if by_cloudtrail {
            json!({
                "eventVersion": "1.11",
                "eventSource": format!("{service}.amazonaws.com"),
                "eventName": self.name,
                "awsRegion": region,
                "eventType": "AwsApiCall",
                "eventCategory": "Management",
                "managementEvent": true,
                "readOnly": self.read_only,
                "recipientAccountId": account,
            })
        } else {
            json!({ "jobArn": "", "jobStatus": "InProgress" })
        };
        json!({
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": self.detail_type,
            "source": self.source,
            "account": account,
            "time": "2026-11-20T10:00:00Z",
            "region": region,
            "resources": [],
            "detail": detail,
        })
    }
}
