//! What a job stood on comes back, and the job starts again.

use super::*;

#[test]
fn a_deleted_group_is_recreated_with_its_own_rules_and_its_jobs_start_again() {
    let calls = [
        group("tuning group"),
        rule("RevokeSecurityGroupEgress", "0.0.0.0/0", -1),
        rule("AuthorizeSecurityGroupEgress", "10.0.0.0/8", 443),
        rule("AuthorizeSecurityGroupIngress", "sg-1", 8080),
        job("tuning", &Value::Null),
    ];
    let text = all(&sg(&world(&calls), json!({"dependency_account": ACCOUNT})));
    check(
        &text,
        &[
            "## Recreate the security group",
            "NEW_GROUP=$(aws ec2 create-security-group",
            "--region us-west-2",
            "--group-name 'tuning group'",
            "--description 'for tuning'",
            "--vpc-id vpc-1",
            "aws ec2 revoke-security-group-egress",
            "0.0.0.0/0",
            "aws ec2 authorize-security-group-ingress",
            "\"UserIdGroupPairs\":[{\"GroupId\":\"'\"${NEW_GROUP:?",
            "aws ec2 authorize-security-group-egress",
            "--group-id \"${NEW_GROUP:?",
            r#"[{"FromPort":443,"IpProtocol":"tcp","IpRanges":[{"CidrIp":"10.0.0.0/8"}],"ToPort":443}]"#,
            "## Start the job again: tuning",
            "# aws bedrock stop-model-customization-job --region us-west-2",
            "aws bedrock create-model-customization-job",
            "--job-name tuning-r",
            "--custom-model-name model-r",
            "--base-model-identifier amazon.titan-text-lite-v1:0:4k",
            "--customization-type FINE_TUNING",
            "--role-arn arn:aws:iam::111122223333:role/ml/Tuner",
            r#"--training-data-config '{"s3Uri":"s3://corp-ml/train.jsonl"}'"#,
            r#"--validation-data-config '{"validators":[{"s3Uri":"s3://corp-ml/valid.jsonl"}]}'"#,
            r#"--output-data-config '{"s3Uri":"s3://corp-ml/out"}'"#,
            r#"--hyper-parameters '{"epochCount":"2"}'"#,
            "--custom-model-kms-key-id arn:aws:kms:us-west-2:111122223333:key/k1",
            r#"--job-tags '[{"key":"team","value":"it'\''s ml"}]'"#,
            r#"--vpc-config '{"subnetIds":["subnet-1"],"securityGroupIds":["'"${NEW_GROUP:?"#,
            r#"}"'","sg-2"]}'"#,
        ],
        &["unknown:"],
    );
}

#[test]
fn nothing_is_invented() {
    // A group that let everything out: the new one has that rule by itself, and it is not given twice.
    let default = all(&sg(&world(&[group("g"), job("a", &Value::Null)]), Value::Null));
    check(&default, &["there already"], &["authorize-security-group", "revoke-security-group", "unknown"]);

    // A group that was never seen: nothing is authorised.
    let unseen = all(&sg(&world(&[job("a", &Value::Null)]), Value::Null));
    check(
        &unseen,
        &[
            "VPC_ID=$(aws ec2 describe-subnets",
            "subnet-1",
            "--group-name \"${GROUP_NAME:?",
            "\"${VPC_ID:?",
            "full set is unknown",
        ],
        &["authorize-security-group"],
    );

    // A group of which one rule was seen.
    let partly = all(&sg(
        &world(&[rule("AuthorizeSecurityGroupEgress", "10.1.0.0/16", 443), job("a", &Value::Null)]),
        Value::Null,
    ));
    check(
        &partly,
        &["full set is unknown", "revoke-security-group-egress", "authorize-security-group-egress", "10.1.0.0/16"],
        &[],
    );

    // A job of which next to nothing is known.
    let arn = format!("arn:aws:bedrock:us-west-2:{ACCOUNT}:model-customization-job/titan:0:4k/x");
    let bare = (
        "bedrock",
        "CreateModelCustomizationJob",
        json!({"vpcConfig": {"securityGroupIds": ["sg-1"]}}),
        json!({"jobArn": arn}),
    );
    check(
        &all(&sg(&world(&[group("g"), bare]), Value::Null)),
        &[
            "# unknown: base model, service role, training data, output data",
            "look up with",
            "# aws bedrock get-model-customization-job --region us-west-2 --job-identifier arn:aws:bedrock",
            "--base-model-identifier \"${BASE_MODEL:?",
            "\"${ROLE_ARN:?",
            "{\"s3Uri\":\"'\"${TRAINING_S3_URI:?",
            "{\"subnetIds\":['\"${SUBNET_IDS:?",
        ],
        &["--hyper-parameters", "--customization-type"],
    );
}

#[test]
fn an_emptied_group_gets_its_egress_rules_back() {
    let calls = [
        group("g"),
        rule("AuthorizeSecurityGroupEgress", "10.0.0.0/8", 443),
        rule("AuthorizeSecurityGroupIngress", "10.0.0.0/8", 22),
        job("a", &Value::Null),
        rule("RevokeSecurityGroupEgress", "0.0.0.0/0", -1),
    ];
    let text = all(&sg(&spaced_world(&calls, 1_200), json!({"empty_since": "x"})));
    check(
        &text,
        &[
            "## Authorise the revoked egress rules again",
            "\naws ec2 authorize-security-group-egress",
            "10.0.0.0/8",
            "hour before",
            "# aws ec2 authorize-security-group-egress",
            "0.0.0.0/0",
        ],
        &["ingress", "create-security-group", "NEW_GROUP"],
    );
}

/// A call without an answer.
fn call(source: &'static str, name: &'static str, request: Value) -> Call {
    (source, name, request, Value::Null)
}

/// What is done about a lost `resource` after these calls.
fn check_lost(calls: &[Call], resource: ResourceKey, subject: &str, present: &[&str], absent: &[&str]) {
    let calls: Vec<_> = std::iter::once(job("a", &Value::Null)).chain(calls.iter().cloned()).collect();
    check(&all(&lost(&world(&calls), resource, subject, Value::Null)), present, absent);
}

#[test]
fn keys_buckets_and_networks_come_back() {
    let key_arn = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/k1");
    check_lost(
        &[call("kms", "DisableKey", json!({"keyId": key_arn}))],
        ResourceKey::KmsKey("k1".into()),
        &key_arn,
        &["aws kms enable-key", "--region eu-west-1", &key_arn],
        &["cancel", "create-model-customization-job"],
    );
    check_lost(
        &[
            call("kms", "DisableKey", json!({"keyId": key_arn})),
            call("kms", "ScheduleKeyDeletion", json!({"keyId": key_arn})),
        ],
        ResourceKey::KmsKey("k1".into()),
        &key_arn,
        &["aws kms cancel-key-deletion", "aws kms enable-key"],
        &[],
    );
    check_lost(
        &[call("s3", "DeleteBucket", json!({"bucketName": "corp-ml"}))],
        ResourceKey::Bucket("corp-ml".into()),
        "corp-ml",
        &[
            "gone",
            "aws s3api create-bucket",
            "--bucket corp-ml",
            "LocationConstraint=us-west-2",
            "aws s3 sync \"${BACKUP_S3_URI",
            "create-model-customization-job",
        ],
        &[],
    );
    check_lost(
        &[call("ec2", "DeleteSubnet", json!({"subnetId": "subnet-1"}))],
        ResourceKey::Subnet("subnet-1".into()),
        "subnet-1",
        &[
            "VPC_ID=$(aws ec2 describe-security-groups",
            "NEW_SUBNET=$(aws ec2 create-subnet",
            "--vpc-config '{\"subnetIds\":[\"'\"${NEW_SUBNET:?",
        ],
        &["NEW_GROUP"],
    );
    check_lost(
        &[],
        ResourceKey::VpcEndpoint("vpce-1".into()),
        "vpce-1",
        &["aws ec2 create-vpc-endpoint", "\"${SERVICE_NAME:?", "create-model-customization-job"],
        &[],
    );
}

#[test]
fn roles_come_back() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/ml/Tuner");
    let role_key = || ResourceKey::Role { account: ACCOUNT.into(), name: "Tuner".into() };
    let managed = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let detach = call("iam", "DetachRolePolicy", json!({"roleName": "Tuner", "policyArn": managed}));
    check_lost(
        &[detach.clone(), call("iam", "DeleteRole", json!({"roleName": "Tuner"}))],
        role_key(),
        &role,
        &[
            "aws iam create-role",
            "--role-name Tuner",
            "--path /ml/",
            "bedrock.amazonaws.com",
            "attach-role-policy",
            managed,
            "create-model-customization-job",
        ],
        &[],
    );
    check_lost(
        &[detach, call("iam", "DeleteRolePolicy", json!({"roleName": "Tuner", "policyName": "inline"}))],
        role_key(),
        &role,
        &["attach-role-policy", managed, "put-role-policy", "--policy-name inline", "\"${POLICY_DOCUMENT:?"],
        &["create-role", "create-model-customization-job"],
    );
    check_lost(
        &[call("iam", "UpdateAssumeRolePolicy", json!({"roleName": "Tuner", "policyDocument": "{}"}))],
        role_key(),
        &role,
        &["aws iam update-assume-role-policy", "model-customization-job/*"],
        &["create-role"],
    );
}

#[test]
fn at_most_five_jobs_are_spelled_out() {
    let calls: Vec<_> =
        std::iter::once(group("g")).chain((0..8).map(|n| job(&format!("job{n}"), &Value::Null))).collect();
    let remediation = sg(&world(&calls), Value::Null);
    assert_eq!(remediation.len(), 7, "{}", all(&remediation));
    check(&all(&remediation), &["job0", "job4", "3 more jobs"], &["job5", "job7"]);
}
