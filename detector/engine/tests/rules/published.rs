//! What published rules for CloudTrail are made of: an equivalent of each construct of SigmaHQ's `rules/cloud/aws` loads
//! unchanged, matches what it should and nothing else. The rules here are our own; none of theirs is copied.

use bedrock_watch_engine::rule::{JsonFields, RuleFile, RuleSet};
use serde_json::{Value, json};

/// A rule as those are written, with this detection.
fn rule(detection: &str) -> String {
    format!(
        "title: An Equivalent\nid: 1a2b3c4d-0000-4000-8000-000000000001\nrelated:\n    - id: \
         1a2b3c4d-0000-4000-8000-000000000002\n      type: similar\nstatus: test\ndescription: |\n    Detects something.\n    \
         In two lines.\nreferences:\n    - https://example.com/a\nauthor: 'somebody, somebody else'\ndate: \
         2021-07-22\nmodified: 2022-10-09\ntags:\n    - attack.defense-evasion\n    - attack.t1562.008\n    - \
         attack.initial-access\nlogsource:\n    product: aws\n    service: cloudtrail\n    definition: 'Requirements: a \
         trail'\ndetection:\n{detection}fields:\n    - eventName\nfalsepositives:\n    - Unknown\nlevel: medium\n\
         regression_tests_path: tests/x.yml\nsimulation:\n    - type: other\n"
    )
}

/// The detection matches every record of `matching`, and none of `others`.
fn check(detection: &str, matching: &[Value], others: &[Value]) {
    let text = rule(detection);
    let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text: text.clone() };
    let rules = RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
    let judged = |record: &Value| rules.rules()[0].matches(&JsonFields(record)).is_some();
    matching.iter().for_each(|record| assert!(judged(record), "{detection} on {record}"));
    others.iter().for_each(|record| assert!(!judged(record), "{detection} on {record}"));
}

#[test]
fn names_and_sources() {
    check(
        "    selection:\n        eventSource: guardduty.amazonaws.com\n        eventName:\n            - CreateIPSet\n            \
         - 'DeleteIPSet'\n    condition: selection\n",
        &[json!({"eventSource": "guardduty.amazonaws.com", "eventName": "DeleteIPSet"})],
        &[json!({"eventSource": "ec2.amazonaws.com", "eventName": "DeleteIPSet"}), json!({"eventName": "CreateIPSet"})],
    );
    check(
        "    selection_source:\n        - eventSource: ecs.amazonaws.com\n    selection_name:\n        - eventName: \
         DescribeX\n        - eventName|startswith: RunT\n    condition: all of selection_*\n",
        &[json!({"eventSource": "ecs.amazonaws.com", "eventName": "RunTask"})],
        &[json!({"eventSource": "ecs.amazonaws.com", "eventName": "StopTask"})],
    );
}

#[test]
fn filters_and_quantifiers() {
    check(
        "    selection:\n        eventName: UpdateX\n    filter_main_service:\n        userIdentity.invokedBy|endswith: \
         .amazonaws.com\n    filter_main_failed:\n        errorCode|contains: Denied\n    filter_optional_ci:\n        \
         userAgent|contains:\n            - terraform\n            - pulumi\n    condition: selection and not 1 of \
         filter_main_* and not 1 of filter_optional_*\n",
        &[json!({"eventName": "UpdateX"}), json!({"eventName": "UpdateX", "errorCode": "Throttling"})],
        &[
            json!({"eventName": "UpdateX", "userIdentity": {"invokedBy": "config.amazonaws.com"}}),
            json!({"eventName": "UpdateX", "errorCode": "AccessDenied"}),
            json!({"eventName": "UpdateX", "userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.5"}),
        ],
    );
    check(
        "    selection_a:\n        eventName: A\n    selection_b:\n        eventName: B\n        errorCode: null\n    \
         condition: 1 of them\n",
        &[json!({"eventName": "A"}), json!({"eventName": "B"})],
        &[json!({"eventName": "B", "errorCode": "X"})],
    );
    check(
        "    selection:\n        eventType: AwsApiCall\n    not_root:\n        userIdentity.type: Root\n    condition: \
         (selection or not_root) and not (not_root and not selection)\n",
        &[json!({"eventType": "AwsApiCall"})],
        &[json!({"userIdentity": {"type": "Root"}})],
    );
}

#[test]
fn values() {
    check(
        "    selection:\n        requestParameters.publiclyAccessible: true\n        requestParameters.port: 22\n        \
         requestParameters.name|contains|all:\n            - prod\n            - db\n    condition: selection\n",
        &[json!({"requestParameters": {"publiclyAccessible": "true", "port": "22", "name": "db-prod"}})],
        &[json!({"requestParameters": {"publiclyAccessible": false, "port": 22, "name": "db-prod"}})],
    );
    check(
        "    selection:\n        responseElements.ConsoleLogin: 'Success'\n        additionalEventData.MFAUsed: 'No'\n    \
         condition: selection\n",
        &[json!({"responseElements": {"ConsoleLogin": "Success"}, "additionalEventData": {"MFAUsed": "NO"}})],
        &[json!({"responseElements": {"ConsoleLogin": "Success"}, "additionalEventData": {"MFAUsed": "Yes"}})],
    );
    check(
        "    selection:\n        requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0\n    condition: \
         selection\n",
        &[
            json!({"requestParameters": {"ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}}}),
        ],
        &[
            json!({"requestParameters": {"ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]}}}),
        ],
    );
    check(
        "    selection:\n        userAgent|re: '(?i)\\b(kali|parrot)\\b'\n        sourceIPAddress|cidr: '192.0.2.0/24'\n        \
         vpcEndpointId|exists: false\n    condition: selection\n",
        &[json!({"userAgent": "aws-cli Kali linux", "sourceIPAddress": "192.0.2.7"})],
        &[json!({"userAgent": "aws-cli kali", "sourceIPAddress": "192.0.2.7", "vpcEndpointId": "vpce-1"})],
    );
    check(
        "    selection:\n        requestParameters.attribute|contains: userData\n        eventName: \
         '*InstanceAttribute'\n    condition: selection\n",
        &[json!({"eventName": "ModifyInstanceAttribute", "requestParameters": {"attribute": "userData"}})],
        &[json!({"eventName": "ModifyInstance", "requestParameters": {"attribute": "userData"}})],
    );
}

#[test]
fn keywords_and_alternatives() {
    check(
        "    keywords:\n        - 's3:PutBucketPolicy'\n        - '\\*AdministratorAccess'\n    selection:\n        \
         eventSource: iam.amazonaws.com\n    condition: selection and keywords\n",
        &[
            json!({"eventSource": "iam.amazonaws.com", "requestParameters": {"policyDocument": "...s3:PutBucketPolicy..."}}),
        ],
        &[json!({"eventSource": "iam.amazonaws.com", "requestParameters": {"policyDocument": "s3:Get"}})],
    );
    check(
        "    selection:\n        - eventName: A\n          errorCode: x\n        - eventName: B\n    condition: selection\n",
        &[json!({"eventName": "B"}), json!({"eventName": "A", "errorCode": "X"})],
        &[json!({"eventName": "A"})],
    );
    check(
        "    one:\n        eventName: A\n    two:\n        eventName: B\n    condition:\n        - one\n        - two and \
         not one\n",
        &[json!({"eventName": "A"}), json!({"eventName": "B"})],
        &[json!({"eventName": "C"})],
    );
}
