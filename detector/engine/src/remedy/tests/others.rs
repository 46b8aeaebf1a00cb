//! Logging, containment, queries, and names chosen by an attacker.

use super::*;

#[test]
fn a_refused_attempt_leads_to_the_actor_alone() {
    let world = world(&[group("g"), job("a", &Value::Null)]);
    let user = format!("arn:aws:iam::{ACCOUNT}:user/dev");
    let alert = alert(SubjectKind::CustomizationJobDependency, "sg-1", &user, json!({"attempts": 2}));
    let repair = Repair::Dependency { resource: ResourceKey::SecurityGroup("sg-1".into()), users: vec![0] };
    let text = all(&of_state(&alert, &repair, &world));
    check(
        &text,
        &["aws iam update-access-key", "--user-name dev", "--access-key-id AKIA", "--status Inactive"],
        &["ec2"],
    );
}

#[test]
fn logging_is_put_back() {
    let config = r#"{"s3Config":{"bucketName":"logs","keyPrefix":"p/"},"textDataDeliveryEnabled":"true","x":{}}"#;
    let check_logging =
        |facts: Value, subject: &str, configuration: Option<&str>, present: &[&str], absent: &[&str]| {
            let alert = alert(SubjectKind::InvocationLogging, subject, "", facts);
            let repair = Repair::Logging { configuration: configuration.map(Into::into) };
            check(&all(&of_state(&alert, &repair, &World::default())), present, absent);
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
        check(&all(&of_principal(&alert)), present, &[]);
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
        let queries = queries(&alert(kind, subject, role, facts));
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
        let repair = Repair::Dependency { resource: ResourceKey::SecurityGroup("sg-1".into()), users: vec![0] };
        let remediation = of_state(&alert, &repair, &world);
        for one in &remediation {
            for line in super::super::shell::tests::unquoted_rest(&one.command).lines() {
                let known = ["aws ", "  -", "NEW_GROUP=$(aws ", "USER_NAME=$(aws ", "#"];
                assert!(known.iter().any(|start| line.starts_with(start)), "{line}\n{}", one.command);
                let acted_upon: &[&str] = &["$(reboot", "`", "!", ";", "rm -rf", "${HOME"];
                // A comment may carry the letters, but nothing that a shell without comments would act upon.
                let forbidden = acted_upon.get(..if line.starts_with('#') { 4 } else { 6 }).unwrap();
                assert!(!forbidden.iter().any(|bad| line.contains(bad)), "{line}\n{}", one.command);
            }
            assert!(!one.command.chars().any(|character| character.is_control() && character != '\n'));
            assert!(!one.title.contains(['\'', '$', '`', '\n']), "{}", one.title);
        }
        for query in queries(&alert) {
            assert!(!query.text.chars().any(|character| character.is_control() && character != '\n'), "{}", query.text);
            assert!(query.text.matches('\'').count() % 2 == 0, "{}", query.text);
        }
        assert_eq!(of_state(&alert, &repair, &world), remediation, "the same twice");
    }
}
