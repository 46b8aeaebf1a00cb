//! Every form of record, and every way of not being one.

use super::*;
use crate::{ApiCall, JobStateChange, Second, bedrock::Credential};

const CALL: &str = r#"{"eventVersion":"1.99","new":{"field":[1]},"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","accountId":"1","accessKeyId":"AKIA1","sessionContext":{"sessionIssuer":{}}},"eventTime":"2026-11-22T05:39:00.0000000Z","eventSource":"ec2.amazonaws.com","eventName":"DeleteSecurityGroup","awsRegion":"us-east-1","sourceIPAddress":"AWS Internal","userAgent":"a\"b","errorCode":"Client.DependencyViolation","requestParameters":null,"responseElements":{"_return":true},"eventID":"e-1","recipientAccountId":"111122223333"}"#;

fn call(text: &str) -> ApiCall<'_> {
    match decode(text.as_bytes()) {
        Ok(Activity::Call(call)) => *call,
        other => panic!("{other:?}: {text}"),
    }
}

fn envelope(detail_type: &str, source: &str, time: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"env","detail-type":"{detail_type}","source":"{source}","account":"777788889999","time":"{time}","region":"eu-west-1","resources":["arn:job"],"detail":{detail}}}"#
    )
}

fn by_cloudtrail(detail: &str) -> String {
    envelope("AWS API Call via CloudTrail", "aws.ec2", "2026-11-22T05:39:00Z", detail)
}

#[test]
fn a_call_bare_and_in_an_envelope() {
    let enveloped = by_cloudtrail(CALL);
    let detail_first = format!(r#"{{"detail":{CALL},"detail-type":"Amazon API Call via CloudTrail","account":"7"}}"#);
    let spaced = format!("\u{feff} \n{enveloped}\r\n ");
    for text in [CALL, &enveloped, &detail_first, &spaced] {
        let call = call(text);
        assert_eq!(call.event_id, "e-1");
        assert_eq!(call.time.to_rfc3339(), "2026-11-22T05:39:00Z");
        assert_eq!((&*call.source, &*call.name), ("ec2.amazonaws.com", "DeleteSecurityGroup"));
        assert_eq!((&*call.account, &*call.region), ("111122223333", "us-east-1"));
        assert_eq!(call.principal, "arn:aws:iam::1:user/a");
        assert_eq!(call.error_code.as_deref(), Some("Client.DependencyViolation"));
        assert_eq!(call.user_agent.as_deref(), Some("a\"b"));
        assert_eq!((call.request.as_deref(), call.response.as_deref()), (None, Some(r#"{"_return":true}"#)));
        assert_eq!(call.credential, Credential::LongTermKey);
        assert_eq!(call.record, CALL);
        let borrows =
            [&call.source, &call.name, &call.principal, &call.record].map(|field| matches!(field, Cow::Borrowed(_)));
        assert_eq!(borrows, [true; 4]);
    }
}

#[test]
fn the_account_falls_back() {
    let check = |text: &str, expected: &str| assert_eq!(call(text).account, expected, "{text}");
    let without = |account: &str| CALL.replace(r#""recipientAccountId":"111122223333""#, account);
    check(&without(r#""x":0"#), "1");
    check(&without(r#""recipientAccountId":null"#), "1");
    check(&by_cloudtrail(&without(r#""x":0"#)), "777788889999");
    check(&by_cloudtrail(&without(r#""recipientAccountId":"""#)), "777788889999");
    check(&without(r#""x":0"#).replace(r#""accountId":"1","#, ""), "");
}

#[test]
fn credentials_and_ways() {
    let check = |fields: &str, credential: Credential, way: Option<&str>| {
        let text = CALL.replace(r#""requestParameters":null"#, fields);
        let call = call(&text);
        assert_eq!((call.credential, via(&call).as_deref()), (credential, way), "{fields}");
    };
    check(r#""requestParameters":null"#, Credential::LongTermKey, None);
    let bearer = Credential::BedrockApiKey;
    check(r#""additionalEventData":{"callWithBearerToken":true}"#, bearer, Some("api_key"));
    check(r#""additionalEventData":{"x":1,"callWithBearerToken" : "true"}"#, bearer, Some("api_key"));
    check(r#""requestParameters":{"callWithBearerToken":true}"#, bearer, Some("api_key"));
    check(r#""requestParameters":{"callWithBearerToken":false}"#, Credential::LongTermKey, None);
    check(r#""requestParameters":{"note":"callWithBearerToken"}"#, Credential::LongTermKey, None);
    check(r#""sessionCredentialFromConsole":"true""#, Credential::LongTermKey, Some("console"));
    check(r#""sessionCredentialFromConsole":true"#, Credential::LongTermKey, Some("console"));
    check(r#""sessionCredentialFromConsole":"false""#, Credential::LongTermKey, None);
    let temporary = r#""requestParameters":null,"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s","accessKeyId":"ASIA1","invokedBy":"cloudformation.amazonaws.com"}"#;
    check(temporary, Credential::Temporary, Some("service:cloudformation.amazonaws.com"));
    let service = r#""requestParameters":null,"userIdentity":{"type":"AWSService","invokedBy":"config.amazonaws.com"}"#;
    check(service, Credential::Other, None);
}

#[test]
fn escapes_repeated_keys_and_any_order() {
    let text = r#"{"recipientAccountId":"1","event\u004eame":"Invoke\u004dodel","eventSource":"bedrock\u002eamazonaws.com","eventTime":"2026-11-22T05:39:00Z","eventName":"Converse","awsRegion":"us-east-1","awsRegion":"eu\/1"}"#;
    let call = call(text);
    assert_eq!((&*call.name, &*call.source, &*call.region), ("Converse", "bedrock.amazonaws.com", "eu/1"));
}

#[test]
fn a_call_without_id_gets_a_stable_one() {
    let without = CALL.replace(r#""eventID":"e-1","#, "");
    let id = call(&without).event_id.into_owned();
    assert_eq!(id.len(), "sha256:".len() + 64, "{id}");
    assert_eq!(call(&by_cloudtrail(&without)).event_id, id);
    let other = without.replace("DeleteSecurityGroup", "CreateSecurityGroup");
    assert_ne!(call(&other).event_id, id);
}

#[test]
fn bedrocks_own_events() {
    let detail = r#"{"version":"0.0","jobName":"j","jobArn":"arn:aws:bedrock:r:1:model-customization-job/m:1/x","jobStatus":"Completed","creationTime":"2026-11-22T05:00:00Z","lastModifiedTime":null,"endTime":"Sun Nov 22 05:38:00 UTC 2026"}"#;
    let change = |text: &str| -> JobStateChange<'static> {
        match decode(text.to_owned().leak().as_bytes()) {
            Ok(Activity::JobState(change)) => *change,
            other => panic!("{other:?}"),
        }
    };
    let kind = "Model Customization Job State Change";
    let seen = change(&envelope(kind, "aws.bedrock", "Sun Nov 22 05:39:00 UTC 2026", detail));
    assert_eq!((&*seen.envelope_id, &*seen.account, &*seen.region), ("env", "777788889999", "eu-west-1"));
    assert_eq!((&*seen.job_arn, &*seen.status), ("arn:aws:bedrock:r:1:model-customization-job/m:1/x", "Completed"));
    assert_eq!(seen.time.to_rfc3339(), "2026-11-22T05:39:00Z");
    assert_eq!(seen.ended_at.map(Second::to_rfc3339).as_deref(), Some("2026-11-22T05:38:00Z"));
    assert_eq!((seen.created_at.is_some(), seen.modified_at), (true, None));
    let seen = change(&envelope(
        kind,
        "aws.bedrock",
        "2026-11-22T05:39:00Z",
        r#"{"jobStatus":"Stopped","endTime":1795325940}"#,
    ));
    assert_eq!((&*seen.job_arn, seen.ended_at), ("arn:job", Some(Second(1_795_325_940))));
}

#[test]
fn other_events_and_inventory() {
    let batch = envelope(
        "Batch Inference Job State Change",
        "aws.bedrock",
        "Wed Aug 28 22:58:30 UTC 2024",
        r#"{"batchJobName":"nightly","batchJobArn":"arn:aws:bedrock:us-east-1:777788889999:model-invocation-job/a1b2","status":"Expired","creationTime":"Aug 28, 2024, 10:47:53 PM"}"#,
    );
    match decode(batch.as_bytes()) {
        Ok(Activity::JobState(job)) => {
            assert_eq!(
                (job.batch, &*job.status, job.created_at, job.job_name.as_deref()),
                (true, "Expired", None, Some("nightly"))
            );
        }
        other => panic!("{other:?}"),
    }
    let batch = envelope("Something Else", "aws.bedrock", "Wed Aug 28 22:58:30 UTC 2024", r#"{"eventName":7}"#);
    match decode(batch.as_bytes()) {
        Ok(Activity::Other(other)) => {
            assert_eq!((other.time.to_rfc3339().as_str(), &*other.account), ("2024-08-28T22:58:30Z", "777788889999"));
        }
        other => panic!("{other:?}"),
    }
    let inventory = envelope(
        "Inventory Observation",
        "bedrock-watch",
        "2026-11-22T05:39:00Z",
        r#"{"region":"us-east-1","missingSecurityGroups":["sg-1"]}"#,
    );
    match decode(inventory.as_bytes()) {
        Ok(Activity::Inventory(seen)) => {
            assert_eq!((&*seen.id, &*seen.account, &*seen.region), ("env", "777788889999", "us-east-1"));
            assert_eq!(
                (seen.at.to_rfc3339().as_str(), seen.missing_security_groups.len()),
                ("2026-11-22T05:39:00Z", 1)
            );
        }
        other => panic!("{other:?}"),
    }
    let insight = r#"{"eventVersion":"1.11","eventTime":"2026-11-22T05:39:00Z","eventType":"AwsCloudTrailInsight","recipientAccountId":"1","insightDetails":{"eventName":"InvokeModel"}}"#;
    assert!(matches!(decode(insight.as_bytes()), Ok(Activity::Other(_))));
}

#[test]
fn what_is_no_event_says_why() {
    let check = |text: &[u8], expected: &str| {
        let said = decode(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(text));
    };
    check(b"", "empty: no JSON value");
    check(b" \n", "empty: no JSON value");
    check(b"{\"a\":\"\xff\"}", "not UTF-8 at byte 6");
    check(b"hello", "not JSON at line 1, column 1 (byte 0): expected value");
    check(b"{\n\"eventName\":\n?}", "not JSON at line 3, column 1 (byte 15): expected value");
    check(b"{\"eventName\":\"x\"", "truncated: the JSON ends after 16 bytes in the middle of a value");
    check(b"{} {}", "not JSON at line 1, column 4 (byte 3): trailing characters");
    check(b"{}", "not an event: eventSource, eventName, eventTime missing");
    check(b"{\"Records\":[]}", "not an event: eventSource, eventName, eventTime missing");
    check(br#"{"eventName":"x","eventTime":null}"#, "not an event: eventSource, eventTime missing");
    check(
        br#"{"eventName":5}"#,
        "not an event: a field has the wrong type at line 1, column 14 (byte 13): invalid type: integer `5`, expected a string",
    );
    check(
        b"[1]",
        "not an event: a field has the wrong type at line 1, column 0 (byte 0): invalid type: sequence, expected an object",
    );
    check(
        CALL.replace("2026-11-22T05:39:00.0000000Z", "soon").as_bytes(),
        "eventTime is no time: \"soon\" (expected for example 2026-11-22T05:39:00Z, between 1970 and 2106)",
    );
    check(by_cloudtrail(r#"{"eventSource":"s"}"#).as_bytes(), "not an event: eventName, eventTime missing");
    check(
        by_cloudtrail("{\"eventName\":[]}").as_bytes(),
        "not an event: a field has the wrong type at line 1, column 13 (byte 12): invalid type: sequence, expected a string",
    );
    check(br#"{"detail":{},"source":"s"}"#, "not an event: source, detail-type missing");
    check(
        envelope("x", "s", "never", "{}").as_bytes(),
        "time is no time: \"never\" (expected for example 2026-11-22T05:39:00Z, between 1970 and 2106)",
    );
    check(
        envelope("Model Customization Job State Change", "aws.bedrock", "2026-11-22T05:39:00Z", "{}").as_bytes(),
        "not an event: detail.jobArn, detail.jobStatus missing",
    );
    check(
        envelope("Inventory Observation", "bedrock-watch", "2026-11-22T05:39:00Z", "{\"x\":1}").as_bytes(),
        "not an observation of bedrock-watch: unknown field `x`, expected one of `id`, `at`, `account`, `region`, `jobs`, `dependents`, `securityGroups`, `missingSecurityGroups`, `vpcEndpoints`, `invocationLogging` at line 1 column 4",
    );
    let deep = CALL.replace("null", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    check(deep.as_bytes(), "nested deeper than 120 levels");
    check("{".repeat(5_000_000).as_bytes(), "nested deeper than 120 levels");
}
