//! Tests of the commands and queries of whole alerts: a history goes in, what people would paste comes out.

use serde_json::{Map, Value, json};

use crate::{
    Activity, Settings,
    alert::{Actor, Alert, Remediation, Severity, Status, SubjectKind},
    decode,
    time::Second,
    world::{Repair, ResourceKey, World},
};

const ACCOUNT: &str = "111122223333";
const HOSTILE: &str = "'; rm -rf ~; \u{1b}[201~$(reboot)\n`id` \"${HOME}\" !x";

/// A world after these calls, each a second after the other: source, name, request, answer.
fn world(calls: &[(&str, &str, Value, Value)]) -> World {
    let mut world = World::default();
    for (second, (source, name, request, response)) in calls.iter().enumerate() {
        let record = json!({
            "eventVersion": "1.11", "eventID": format!("e{second}"), "eventSource": format!("{source}.amazonaws.com"),
            "eventName": name, "eventTime": Second(1_000_000 + u32::try_from(second).unwrap()).to_rfc3339(),
            "awsRegion": "us-west-2", "recipientAccountId": ACCOUNT, "requestParameters": request,
            "responseElements": response,
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/dev")}
        });
        let bytes = record.to_string();
        match decode::decode(bytes.as_bytes()) {
            Ok(Activity::Call(call)) => drop(world.apply_call(&call, &Settings::standard())),
            other => panic!("{name}: {other:?}"),
        }
    }
    world
}

fn job(name: &str, extra: &Value) -> (&'static str, &'static str, Value, Value) {
    let mut request = json!({
        "jobName": name, "customModelName": "model", "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/ml/Tuner"),
        "baseModelIdentifier": "amazon.titan-text-lite-v1:0:4k", "customizationType": "FINE_TUNING",
        "trainingDataConfig": {"s3Uri": "s3://corp-ml/train.jsonl"}, "outputDataConfig": {"s3Uri": "s3://corp-ml/out"},
        "validationDataConfig": {"validators": [{"s3Uri": "s3://corp-ml/valid.jsonl"}]},
        "hyperParameters": {"epochCount": "2"}, "jobTags": [{"key": "team", "value": "it's ml"}],
        "customModelKmsKeyId": format!("arn:aws:kms:us-west-2:{ACCOUNT}:key/k1"),
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1", "sg-2"]}
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    let arn = format!("arn:aws:bedrock:us-west-2:{ACCOUNT}:model-customization-job/titan:0:4k/{name}");
    ("bedrock", "CreateModelCustomizationJob", request, json!({ "jobArn": arn }))
}

fn group(name: &str) -> (&'static str, &'static str, Value, Value) {
    let request = json!({"groupName": name, "groupDescription": "for tuning", "vpcId": "vpc-1"});
    ("ec2", "CreateSecurityGroup", request, json!({"groupId": "sg-1"}))
}

fn rule(call: &'static str, cidr: &str, port: i64) -> (&'static str, &'static str, Value, Value) {
    let protocol = if port < 0 { "-1" } else { "tcp" };
    let list = if cidr.starts_with("sg-") {
        json!({"groups": {"items": [{"groupId": cidr}]}})
    } else {
        json!({"ipRanges": {"items": [{"cidrIp": cidr}]}})
    };
    let mut permission = json!({"ipProtocol": protocol, "fromPort": port, "toPort": port});
    for (key, value) in list.as_object().into_iter().flatten() {
        permission[key] = value.clone();
    }
    ("ec2", call, json!({"groupId": "sg-1", "ipPermissions": {"items": [permission]}}), json!({"_return": true}))
}

/// An alert a minute after the histories here, by `principal`, with these facts.
fn alert(kind: SubjectKind, subject: &str, principal: &str, facts: Value) -> Alert {
    let at = Second(1_000_060);
    Alert {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        rule: "rule".to_owned(),
        title: "title".to_owned(),
        summary: "summary".to_owned(),
        severity: Severity::High,
        status: Status::Firing,
        account: ACCOUNT.to_owned(),
        region: Some("us-west-2".to_owned()),
        subject_kind: kind,
        subject_id: subject.to_owned(),
        principal: Some(principal.to_owned()).filter(|name| !name.is_empty()),
        actor: Actor { access_key_id: Some("AKIAIOSFODNN7EXAMPLE".to_owned()), ..Actor::default() },
        first_event_time: at,
        last_event_time: at.plus(5),
        event_ids: vec!["e1".to_owned(), "e'2".to_owned()],
        event_count: 2,
        facts: match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        },
        attack: Vec::new(),
        runbook: String::new(),
        remediation: Vec::new(),
        queries: Vec::new(),
    }
}

/// The commands for the loss of `resource`, without containment.
fn lost(world: &World, resource: ResourceKey, subject: &str, facts: Value) -> Vec<Remediation> {
    let alert = alert(SubjectKind::CustomizationJobDependency, subject, "", facts);
    let jobs: Vec<u32> = (0..100).filter(|number| world.jobs().get(*number).is_some()).collect();
    super::of_state(&alert, &Repair::Dependency { resource, jobs }, world)
}

fn sg(world: &World, facts: Value) -> Vec<Remediation> {
    lost(world, ResourceKey::SecurityGroup("sg-1".into()), "sg-1", facts)
}

fn all(remediation: &[Remediation]) -> String {
    let one = |one: &Remediation| format!("## {}\n{}\n", one.title, one.command);
    remediation.iter().map(one).collect()
}

/// Each of `present` is there, in this order, and none of `absent`.
fn check(text: &str, present: &[&str], absent: &[&str]) {
    let mut rest = text;
    for wanted in present {
        let Some((_, after)) = rest.split_once(wanted) else { panic!("missing or out of order: {wanted}\n{text}") };
        rest = after;
    }
    for unwanted in absent {
        assert!(!text.contains(unwanted), "unwanted: {unwanted}\n{text}");
    }
}

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
    let text = all(&sg(&world(&calls), json!({"empty_since": "x"})));
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

#[test]
fn a_refused_attempt_leads_to_the_actor_alone() {
    let world = world(&[group("g"), job("a", &Value::Null)]);
    let user = format!("arn:aws:iam::{ACCOUNT}:user/dev");
    let alert = alert(SubjectKind::CustomizationJobDependency, "sg-1", &user, json!({"attempts": 2}));
    let repair = Repair::Dependency { resource: ResourceKey::SecurityGroup("sg-1".into()), jobs: vec![0] };
    let text = all(&super::of_state(&alert, &repair, &world));
    check(
        &text,
        &["aws iam update-access-key", "--user-name dev", "--access-key-id AKIA", "--status Inactive"],
        &["ec2"],
    );
}

#[test]
fn other_dependencies_come_back() {
    let call = |source: &'static str, name: &'static str, request: Value| (source, name, request, Value::Null);
    let role = format!("arn:aws:iam::{ACCOUNT}:role/ml/Tuner");
    let role_key = || ResourceKey::Role { account: ACCOUNT.into(), name: "Tuner".into() };
    let key_arn = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/k1");
    let managed = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let detach = call("iam", "DetachRolePolicy", json!({"roleName": "Tuner", "policyArn": managed}));
    let check_lost = |calls: &[(&'static str, &'static str, Value, Value)],
                      key,
                      subject: &str,
                      present: &[&str],
                      absent: &[&str]| {
        let calls: Vec<_> = std::iter::once(job("a", &Value::Null)).chain(calls.iter().cloned()).collect();
        check(&all(&lost(&world(&calls), key, subject, Value::Null)), present, absent);
    };
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
fn logging_is_put_back() {
    let config = r#"{"s3Config":{"bucketName":"logs","keyPrefix":"p/"},"textDataDeliveryEnabled":"true","x":{}}"#;
    let check_logging =
        |facts: Value, subject: &str, configuration: Option<&str>, present: &[&str], absent: &[&str]| {
            let alert = alert(SubjectKind::InvocationLogging, subject, "", facts);
            let repair = Repair::Logging { configuration: configuration.map(Into::into) };
            check(&all(&super::of_state(&alert, &repair, &World::default())), present, absent);
        };
    let put = "aws bedrock put-model-invocation-logging-configuration";
    check_logging(
        Value::Null,
        "e1",
        Some(config),
        &[
            put,
            r#"--logging-config '{"s3Config":{"bucketName":"logs","keyPrefix":"p/"},"textDataDeliveryEnabled":true}'"#,
        ],
        &["template"],
    );
    check_logging(Value::Null, "e1", None, &["template", put, "\"${LOG_GROUP:?"], &[]);
    check_logging(
        json!({"destination_kind": "bucket", "destination": "logs"}),
        "logs",
        Some(config),
        &[
            "aws s3api create-bucket",
            "put-bucket-policy",
            "logs/p/AWSLogs/111122223333/BedrockModelInvocationLogs",
            put,
        ],
        &["s3 sync"],
    );
    check_logging(
        json!({"destination_kind": "log_group"}),
        "/bedrock",
        None,
        &["create-log-group", "/bedrock", put],
        &[],
    );
    let role = "arn:aws:iam::111122223333:role/Logs";
    let group = r#"{"cloudWatchConfig":{"logGroupName":"g","roleArn":"arn:aws:iam::111122223333:role/Logs"}}"#;
    check_logging(
        json!({"destination_kind": "role"}),
        role,
        Some(group),
        &["create-role", "log-group:g:log-stream", put],
        &[],
    );
}

#[test]
fn principals_are_contained_by_what_they_are() {
    let check_contained = |principal: &str, actor: Actor, present: &[&str]| {
        let mut alert = alert(SubjectKind::Principal, principal, principal, Value::Null);
        alert.actor = actor;
        check(&all(&super::of_principal(&alert)), present, &[]);
    };
    let with_key = |key: &str| Actor { access_key_id: Some(key.to_owned()), ..Actor::default() };
    let user = "arn:aws:iam::111122223333:user/team/dev";
    check_contained(user, with_key("AKIA1"), &["aws iam update-access-key", "--user-name dev", "AKIA1", "Inactive"]);
    check_contained(
        user,
        with_key("ASIA1"),
        &["aws iam put-user-policy", "AWSRevokeOlderSessions", "aws:TokenIssueTime"],
    );
    let api_key = Actor { via: Some("api_key".to_owned()), ..Actor::default() };
    check_contained(user, api_key, &["list-service-specific-credentials", "update-service-specific-credential"]);
    check_contained(
        "arn:aws:iam::111122223333:role/app/web",
        with_key("ASIA1"),
        &[
            "aws iam put-role-policy",
            "--role-name web",
            "AWSRevokeOlderSessions",
            r#""aws:TokenIssueTime":"1970-01-12T13:47:45Z""#,
        ],
    );
    let shared = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_01/kim";
    check_contained(
        shared,
        Actor::default(),
        &["identitystore list-users", "\"kim\"", "sso-admin delete-account-assignment"],
    );
    check_contained("identitycenter:90f1", Actor::default(), &["delete-account-assignment", "--principal-id 90f1"]);
    check_contained("arn:aws:iam::111122223333:root", Actor::default(), &["service control policy"]);
    check_contained("service:bedrock.amazonaws.com", Actor::default(), &["no credentials to take away"]);
    check_contained("AKIA1", with_key("AKIA1"), &["get-access-key-last-used", "update-access-key"]);
    check_contained("unknown@111122223333", Actor::default(), &["do not say whose"]);
}

#[test]
fn queries_are_about_the_alert() {
    let role = "arn:aws:iam::111122223333:role/app/web";
    let texts = |kind, subject: &str, facts| -> String {
        let queries = super::queries(&alert(kind, subject, role, facts));
        assert!(queries.iter().all(|query| ["cloudtrail-lake", "athena"].contains(&query.language.as_str())));
        queries.iter().map(|query| format!("## {} ({})\n{}\n", query.title, query.language, query.text)).collect()
    };
    let principal = texts(SubjectKind::Principal, role, Value::Null);
    check(
        &principal,
        &[
            "FROM $EDS_ID",
            "'1970-01-12 13:47:40' AND '1970-01-12 13:47:45'",
            "eventID IN ('e1', 'e''2')",
            "sessionIssuer.arn = 'arn:aws:iam::111122223333:role/app/web'",
            "FROM cloudtrail_logs",
            "'1970-01-11T13:47:40Z' AND '1970-01-13T13:47:45Z'",
            "json_extract_scalar",
            "FROM bedrock_model_invocation_metadata_unfiltered",
            "strpos(identity.arn, 'arn:aws:sts::111122223333:assumed-role/web/') = 1",
            "CREATE EXTERNAL TABLE",
        ],
        &["Who touched"],
    );
    let key = "arn:aws:kms:us-west-2:444455556666:key/k1";
    let dependency = texts(SubjectKind::CustomizationJobDependency, key, json!({"dependency_account": "444455556666"}));
    check(
        &dependency,
        &["Who touched the resource", "IN ('111122223333', '444455556666')", "strpos(v, 'k1')"],
        &["EXTERNAL"],
    );
    let logging = texts(SubjectKind::InvocationLogging, "e1", json!({"blind_seconds": 60}));
    check(
        &logging,
        &["Changes of invocation logging", "nothing may have been logged", "awsRegion = 'us-west-2'"],
        &["Who touched"],
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

#[test]
fn hostile_names_stay_words() {
    let extra = json!({"customModelName": HOSTILE, "roleArn": HOSTILE, "hyperParameters": {HOSTILE: HOSTILE},
        "trainingDataConfig": {"s3Uri": HOSTILE}, "vpcConfig": {"subnetIds": [HOSTILE], "securityGroupIds": ["sg-1", HOSTILE]}});
    let world = world(&[group(HOSTILE), rule("AuthorizeSecurityGroupIngress", HOSTILE, 1), job(HOSTILE, &extra)]);
    let principals = [
        format!("arn:aws:iam::{ACCOUNT}:user/{HOSTILE}"),
        format!("arn:aws:iam::{ACCOUNT}:role/{HOSTILE}"),
        format!("service:{HOSTILE}"),
        HOSTILE.to_owned(),
    ];
    for principal in principals {
        let mut alert = alert(SubjectKind::CustomizationJobDependency, HOSTILE, &principal, Value::Null);
        alert.actor.access_key_id = Some(HOSTILE.to_owned());
        alert.event_ids = vec![HOSTILE.to_owned()];
        let repair = Repair::Dependency { resource: ResourceKey::SecurityGroup("sg-1".into()), jobs: vec![0] };
        let remediation = super::of_state(&alert, &repair, &world);
        for one in &remediation {
            for line in super::shell::tests::unquoted_rest(&one.command).lines() {
                let known = ["aws ", "  -", "NEW_GROUP=$(aws ", "USER_NAME=$(aws ", "#"];
                assert!(known.iter().any(|start| line.starts_with(start)), "{line}\n{}", one.command);
                assert!(
                    !["reboot", "rm -rf", "`", "HOME", "!"].iter().any(|bad| line.contains(bad)),
                    "{line}\n{}",
                    one.command
                );
            }
            assert!(!one.command.chars().any(|character| character.is_control() && character != '\n'));
            assert!(!one.title.contains(['\'', '$', '`', '\n']), "{}", one.title);
        }
        for query in super::queries(&alert) {
            assert!(!query.text.chars().any(|character| character.is_control() && character != '\n'), "{}", query.text);
            assert!(query.text.matches('\'').count() % 2 == 0, "{}", query.text);
        }
        assert_eq!(super::of_state(&alert, &repair, &world), remediation, "the same twice");
    }
}
