//! The model against what each rule says of itself, on histories small enough to judge by eye.

use serde_json::{Value, json};

use super::final_alerts;

const START: i64 = 1_795_168_800; // 2026-11-20T10:00:00Z
const JOB: &str = "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/base:0/j1";
const USER: &str = "arn:aws:iam::111122223333:user/u";

fn rfc3339(offset: i64) -> String {
    super::alert::rfc3339(START + offset)
}

/// A call of the user `u` at an offset from the start; `change` is merged over the record.
fn call(offset: i64, source: &str, name: &str, request: Value, change: Value) -> Value {
    let mut record = json!({
        "eventTime": rfc3339(offset),
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": USER, "accessKeyId": "ASIAX"},
        "requestParameters": request,
    });
    if let (Value::Object(record), Value::Object(change)) = (&mut record, change) {
        record.extend(change);
    }
    record
}

fn created(offset: i64) -> Value {
    let request = json!({
        "jobName": "j", "roleArn": "arn:aws:iam::111122223333:role/service-role/R",
        "customModelKmsKeyId": "k-1",
        "trainingDataConfig": {"s3Uri": "s3://data/train"},
        "vpcConfig": {"securityGroupIds": ["sg-1"], "subnetIds": ["subnet-1"]},
    });
    call(offset, "bedrock", "CreateModelCustomizationJob", request, json!({"responseElements": {"jobArn": JOB}}))
}

fn ended(offset: i64) -> Value {
    json!({
        "id": "n", "source": "aws.bedrock", "detail-type": "Model Customization Job State Change",
        "account": "111122223333", "region": "us-east-1", "time": rfc3339(offset + 30),
        "detail": {"jobArn": JOB, "jobStatus": "Completed", "endTime": rfc3339(offset)},
    })
}

fn delete_group(offset: i64, error: Option<&str>) -> Value {
    call(offset, "ec2", "DeleteSecurityGroup", json!({"groupId": "sg-1"}), json!({"errorCode": error}))
}

fn egress(offset: i64, name: &str) -> Value {
    let permission = json!({"ipProtocol": "-1", "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}});
    let request = json!({"groupId": "sg-1", "ipPermissions": {"items": [permission]}});
    call(offset, "ec2", &format!("{name}SecurityGroupEgress"), request, json!({}))
}

fn created_group(offset: i64) -> Value {
    let response = json!({"responseElements": {"groupId": "sg-1"}});
    call(offset, "ec2", "CreateSecurityGroup", json!({"vpcId": "vpc-1"}), response)
}

fn put_logging(offset: i64, config: Value) -> Value {
    let request = json!({"loggingConfig": config});
    call(offset, "bedrock", "PutModelInvocationLoggingConfiguration", request, json!({}))
}

fn delete_logging(offset: i64) -> Value {
    call(offset, "bedrock", "DeleteModelInvocationLoggingConfiguration", Value::Null, json!({}))
}

fn invoke(offset: i64, model: &str, change: Value) -> Value {
    call(offset, "bedrock", "InvokeModel", json!({"modelId": model}), change)
}

/// Gives every CloudTrail record an id by its position, and compares "RULE SUBJECT STATUS COUNT" of every alert.
fn check(records: Vec<Value>, expected: &[&str]) -> Vec<Value> {
    let numbered = records.into_iter().enumerate().map(|(index, mut record)| {
        if let Value::Object(fields) = &mut record {
            fields.entry("eventID").or_insert_with(|| json!(format!("e{index}")));
        }
        record
    });
    let alerts = final_alerts(&numbered.collect::<Vec<Value>>());
    let mut found: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let text = |pointer: &str| alert.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            let count = &alert["event_count"];
            format!("{} {} {} {count}", text("/rule"), text("/subject/id"), text("/status"))
        })
        .collect();
    found.sort();
    assert_eq!(found, expected);
    alerts
}

#[test]
fn deleted_group() {
    let firing = ["customization-job-security-group-deleted sg-1 firing 1"];
    let resolved = ["customization-job-security-group-deleted sg-1 resolved 1"];
    check(vec![created(0), delete_group(60, None)], &firing);
    check(vec![created(60), delete_group(0, None)], &firing);
    check(vec![created(0), delete_group(60, None), ended(60)], &resolved);
    check(vec![created(0), delete_group(61, None), ended(60)], &[]);
    check(vec![delete_group(60, None)], &[]);
    let alerts = check(vec![ended(90), delete_group(60, None), created(0)], &resolved);
    assert_eq!(alerts[0]["facts"]["jobs"], json!([{"arn": JOB, "name": "j", "status": "Completed"}]));
}

#[test]
fn refused_deletion() {
    let one = ["customization-job-security-group-delete-refused sg-1 firing 1"];
    for code in ["Client.DependencyViolation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"]
    {
        check(vec![created(0), delete_group(60, Some(code)), ended(90)], &one);
    }
    check(vec![created(0), delete_group(60, Some("Client.DryRunOperation"))], &[]);
    check(vec![created(61), delete_group(60, Some("Client.DependencyViolation"))], &[]);
}

#[test]
fn emptied_group() {
    let firing = ["customization-job-security-group-emptied sg-1 firing 1"];
    let resolved = ["customization-job-security-group-emptied sg-1 resolved 1"];
    check(vec![created_group(0), created(1), egress(60, "Revoke")], &firing);
    check(vec![created_group(0), created(1), egress(60, "Revoke"), egress(179, "Authorize")], &[]);
    check(vec![created_group(0), created(1), egress(60, "Revoke"), egress(180, "Authorize")], &resolved);
    check(vec![created_group(0), created(1), egress(60, "Revoke"), ended(179)], &[]);
    check(vec![created_group(0), created(1), egress(60, "Revoke"), ended(180)], &resolved);
    check(vec![created(1), egress(60, "Revoke")], &[]);
    // Within one second, eventIDs do not tell that the group was made before it got its second rule.
    let mut made = created_group(0);
    made["eventID"] = json!("z");
    let request =
        json!({"groupId": "sg-1", "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIp": "10.0.0.0/8"});
    let second_rule = call(0, "ec2", "AuthorizeSecurityGroupEgress", request, json!({}));
    check(vec![second_rule, made, created(1), egress(60, "Revoke")], &[]);
}

#[test]
fn lost_and_found_dependencies() {
    let role = "arn:aws:iam::111122223333:role/service-role/R";
    let key = "arn:aws:kms:us-east-1:111122223333:key/k-1";
    let changes: [(&str, &str, Value, Option<&str>, &str); 7] = [
        ("ec2", "DeleteSubnet", json!({"subnetId": "subnet-1"}), None, "subnet-1"),
        ("iam", "DeleteRole", json!({"roleName": "R"}), Some("CreateRole"), role),
        ("iam", "DetachRolePolicy", json!({"roleName": "R", "policyArn": "p"}), Some("AttachRolePolicy"), role),
        ("iam", "DeleteRolePolicy", json!({"roleName": "R", "policyName": "p"}), Some("PutRolePolicy"), role),
        ("kms", "DisableKey", json!({"keyId": "k-1"}), Some("EnableKey"), key),
        ("kms", "ScheduleKeyDeletion", json!({"keyId": key}), Some("CancelKeyDeletion"), key),
        ("s3", "DeleteBucket", json!({"bucketName": "data"}), Some("CreateBucket"), "data"),
    ];
    for (source, loses, request, restores, subject) in changes {
        let lost = call(60, source, loses, request.clone(), json!({}));
        let firing = format!("customization-job-dependency-lost {subject} firing 1");
        check(vec![created(0), lost.clone()], &[&firing]);
        check(vec![created(0), lost.clone(), ended(59)], &[]);
        if let Some(restores) = restores {
            let back = call(90, source, restores, request, json!({}));
            let resolved = format!("customization-job-dependency-lost {subject} resolved 1");
            check(vec![created(0), lost.clone(), back.clone()], &[&resolved]);
            check(vec![created(90), lost, back], &[]);
        }
    }
}

#[test]
fn deleted_endpoint() {
    let made = json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": "vpce-1"}}});
    let request = json!({"CreateVpcEndpointRequest": {"VpcId": "vpc-1"}});
    let made = call(-9, "ec2", "CreateVpcEndpoint", request, json!({"responseElements": made}));
    let deletion = |unsuccessful: Value| {
        let request = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"tag": 1, "content": "vpce-1"}}});
        let response = json!({"DeleteVpcEndpointsResponse": {"unsuccessful": unsuccessful}});
        call(60, "ec2", "DeleteVpcEndpoints", request, json!({"responseElements": response}))
    };
    let firing = ["customization-job-dependency-lost vpce-1 firing 1"];
    check(vec![created_group(-9), made.clone(), created(0), deletion(json!(""))], &firing);
    check(vec![made.clone(), created(0), deletion(json!(""))], &[]);
    let kept = json!({"item": [{"resourceId": "vpce-1"}]});
    check(vec![created_group(-9), made, created(0), deletion(kept)], &[]);
}

#[test]
fn missing_group() {
    let observed = json!({
        "id": "o", "source": "bedrock-watch", "detail-type": "Inventory Observation",
        "account": "111122223333", "region": "us-east-1", "time": rfc3339(60),
        "detail": {"missingSecurityGroups": ["sg-1"]},
    });
    check(vec![created(0), observed.clone()], &["customization-job-security-group-missing sg-1 firing 1"]);
    check(vec![created(0), observed.clone(), ended(59)], &[]);
    let deleted = ["customization-job-security-group-deleted sg-1 firing 1"];
    check(vec![created(0), observed, delete_group(30, None)], &deleted);
}

#[test]
fn logging_switched_off() {
    let on = json!({"s3Config": {"bucketName": "b"}});
    let all_false = json!({
        "s3Config": {"bucketName": "b"}, "textDataDeliveryEnabled": false, "imageDataDeliveryEnabled": false,
        "embeddingDataDeliveryEnabled": false, "videoDataDeliveryEnabled": false, "audioDataDeliveryEnabled": false,
    });
    check(vec![delete_logging(0), delete_logging(60)], &["invocation-logging-disabled e0 firing 1"]);
    check(vec![put_logging(0, on.clone()), put_logging(9, all_false)], &["invocation-logging-disabled e1 firing 1"]);
    check(vec![put_logging(0, Value::Null)], &[]);
    let again = vec![delete_logging(0), put_logging(5, Value::Null), delete_logging(9)];
    check(again, &["invocation-logging-disabled e0 firing 1", "invocation-logging-disabled e2 firing 1"]);
    let blind = vec![
        invoke(9, "m", json!({})),
        delete_logging(10),
        invoke(10, "m", json!({"errorCode": "AccessDenied"})),
        invoke(19, "m", json!({})),
        invoke(20, "m", json!({})),
        put_logging(20, on),
    ];
    let alerts = check(blind, &["invocation-logging-disabled e1 resolved 1"]);
    assert_eq!(alerts[0]["facts"]["blind_invocations"], json!(2));
    assert_eq!(alerts[0]["facts"]["blind_principals"], json!([USER]));
    assert_eq!(alerts[0]["facts"]["blind_seconds"], json!(10));
}

#[test]
fn logging_weakened_or_its_destination_lost() {
    let both = json!({"s3Config": {"bucketName": "b"}, "cloudWatchConfig": {"logGroupName": "g"}});
    let without_text = json!({"s3Config": {"bucketName": "b"}, "textDataDeliveryEnabled": false});
    let moved = json!({"s3Config": {"bucketName": "c"}});
    check(vec![put_logging(0, without_text.clone())], &[]);
    let weakened = ["invocation-logging-weakened e1 firing 1"];
    check(vec![put_logging(0, both.clone()), put_logging(9, without_text.clone())], &weakened);
    check(vec![put_logging(0, json!({"s3Config": {"bucketName": "b"}})), put_logging(9, moved)], &weakened);
    let restored = vec![put_logging(0, both.clone()), put_logging(9, without_text), put_logging(20, both.clone())];
    check(restored, &["invocation-logging-weakened e1 resolved 1"]);
    let gone = call(9, "s3", "DeleteBucket", json!({"bucketName": "b"}), json!({}));
    let lost = ["invocation-logging-destination-lost b firing 1"];
    check(vec![put_logging(0, both.clone()), gone.clone()], &lost);
    let elsewhere = vec![put_logging(0, both.clone()), gone, put_logging(20, both)];
    check(elsewhere, &["invocation-logging-destination-lost b resolved 1"]);
}

#[test]
fn bursts() {
    let burst = |count: i64, seconds: i64| -> Vec<Value> {
        (0..count).map(|n| invoke(n * seconds / (count - 1), "m", json!({}))).collect()
    };
    let subject = format!("invocation-burst {USER} resolved");
    check(burst(99, 59), &[]);
    check(burst(100, 59), &[&format!("{subject} 100")]);
    check(burst(100, 60), &[]);
    let throttled: Vec<Value> = (0..150).map(|_| invoke(0, "m", json!({"errorCode": "ThrottlingException"}))).collect();
    check(throttled, &[]);
}

#[test]
fn fan_outs() {
    let models = |length: i64| -> Vec<Value> {
        (0..5).map(|n| invoke(n * length / 4, &format!("us.model-{n}"), json!({"errorCode": "AccessDenied"}))).collect()
    };
    let probing = format!("invocation-probing {USER} resolved 5");
    check(models(599), &[&format!("invocation-model-fanout {USER} resolved 5"), &probing]);
    check(models(600), &[&probing]);
    let regions = |length: i64| -> Vec<Value> {
        let regions = ["us-east-1", "us-west-2", "eu-west-1"];
        (0..).zip(regions).map(|(n, region)| invoke(n * length / 2, "m", json!({"awsRegion": region}))).collect()
    };
    let alerts = check(regions(3599), &[&format!("invocation-region-fanout {USER} resolved 3")]);
    assert_eq!(alerts[0]["region"], Value::Null);
    check(regions(3600), &[]);
}

#[test]
fn probing() {
    let limit = json!({"errorCode": "ValidationException", "errorMessage": "max_tokens: -1"});
    let one = format!("invocation-probing {USER} resolved 1");
    check(vec![invoke(0, "m", limit.clone())], &[&one]);
    check(vec![invoke(-3600, "m", json!({})), invoke(0, "m", limit.clone())], &[]);
    check(vec![invoke(-3601, "m", json!({})), invoke(0, "m", limit)], &[&one]);
    let denied = |offset: i64, model: &str| invoke(offset, model, json!({"errorCode": "AccessDenied"}));
    check(vec![denied(0, "a"), denied(300, "a"), denied(599, "a")], &[]);
    let three = format!("invocation-probing {USER} resolved 3");
    check(vec![denied(0, "a"), denied(300, "a"), denied(599, "b")], &[&three]);
    check(vec![denied(0, "a"), denied(300, "a"), denied(600, "b")], &[]);
}

#[test]
fn model_access() {
    let key = json!({"userIdentity": {"type": "IAMUser", "arn": USER, "accessKeyId": "AKIAX"}});
    let rule = format!("model-access-api-with-long-term-key {USER} resolved");
    let ask = |name: &str, change: &Value| call(0, "bedrock", name, Value::Null, change.clone());
    let low = check(vec![ask("GetUseCaseForModelAccess", &key)], &[&format!("{rule} 1")]);
    assert_eq!(low[0]["severity"], json!("low"));
    let both = vec![ask("GetUseCaseForModelAccess", &key), ask("PutUseCaseForModelAccess", &key)];
    assert_eq!(check(both, &[&format!("{rule} 2")])[0]["severity"], json!("high"));
    check(vec![ask("PutUseCaseForModelAccess", &json!({}))], &[]);
    let used = format!("model-access-enabled-then-used {USER} resolved 2");
    let enable = ask("PutFoundationModelEntitlement", &json!({}));
    check(vec![enable.clone(), invoke(3599, "m", json!({}))], &[&used]);
    check(vec![enable.clone(), invoke(3600, "m", json!({}))], &[]);
    check(vec![enable.clone(), invoke(-30 * 86_400, "m", json!({})), invoke(5, "m", json!({}))], &[]);
    check(vec![enable, invoke(-30 * 86_400 - 1, "m", json!({})), invoke(5, "m", json!({}))], &[&used]);
}
