//! Matching where the Sigma specification is clear and the oracle of `differential` deliberately left out, and where
//! only an example says what is meant.

use bedrock_watch_engine::rule::{JsonFields, RuleFile, RuleSet};
use serde_json::{Value, json};

/// One search, written as YAML flow, against one record.
fn check(search: &str, record: &Value, expected: bool) {
    let text = format!(
        "title: t\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  s: {search}\n  condition: s\n"
    );
    let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text };
    let rules = RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{search}: {problems:?}"));
    assert_eq!(rules.rules()[0].matches(&JsonFields(record)).is_some(), expected, "{search} on {record}");
}

#[test]
fn where_the_oracle_differs_from_sigma() {
    check("{userAgent|startswith: 'a*c'}", &json!({"userAgent": "abcd"}), true);
    check("{userAgent|startswith: 'a*c'}", &json!({"userAgent": "xabc"}), false);
    check("{userAgent|endswith: 'a*c'}", &json!({"userAgent": "xabc"}), true);
    check("{userAgent: 'a*c'}", &json!({"userAgent": "a\nc"}), true);
    check("{errorCode: [null, x]}", &json!({}), true);
    check("{errorCode: [null, x]}", &json!({"errorCode": "X"}), true);
    check("{errorCode: [null, x]}", &json!({"errorCode": "y"}), false);
    check("[123456789012]", &json!({"a": {"b": ["arn:aws:iam::123456789012:root"]}}), true);
    check("{'|all': [alice, delete]}", &json!({"a": "Alice", "b": "DeleteTrail"}), true);
    check("{'|all': [alice, delete]}", &json!({"a": "Alice", "b": "StopLogging"}), false);
    check("{requestParameters.s|base64offset: secret}", &json!({"requestParameters": {"s": "eHNlY3JldHg="}}), true);
    check("{a|fieldref: b}", &json!({"a": ["x", "y"], "b": "Y"}), true);
    check("{a|fieldref: b}", &json!({"a": ["x", "y"], "b": ["z"]}), false);
    check("{a|fieldref|cased: b}", &json!({"a": "x", "b": "X"}), false);
}

#[test]
fn by_example() {
    let tags =
        json!({"requestParameters": {"tags": [{"key": "Env", "value": "prod"}, {"key": "Owner", "value": "a"}]}});
    check("{requestParameters.tags.key: owner}", &tags, true);
    check("{requestParameters.tags.key|contains|all: [env, own]}", &tags, true);
    check("{requestParameters.tags.key|neq: owner}", &tags, false);
    check("{requestParameters.tags|exists: true}", &tags, true);
    check("{requestParameters.other|exists: false}", &tags, true);
    check("{requestParameters.other|neq: x}", &tags, false);
    check("{errorCode: null}", &json!({"errorCode": null}), true);
    check("{errorCode: ''}", &json!({"errorCode": null}), false);
    check("{sourceIPAddress|cidr: [10.0.0.0/8, '2001:db8::/32']}", &json!({"sourceIPAddress": "2001:db8::1"}), true);
    check("{sourceIPAddress|cidr: 10.0.0.0/8}", &json!({"sourceIPAddress": "AWS Internal"}), false);
    check("{a|gte: 10}", &json!({"a": "12"}), true);
    check("{a: true}", &json!({"a": "TRUE"}), true);
    check("{userAgent|re: '^Boto3/1\\.\\d+'}", &json!({"userAgent": "Boto3/1.26"}), true);
    check("{userAgent|re: '^boto3'}", &json!({"userAgent": "Boto3/1.26"}), false);
    check("{userAgent|re|i: '^boto3'}", &json!({"userAgent": "Boto3/1.26"}), true);
    check("[{eventName: A, errorCode: x}, {eventName: B}]", &json!({"eventName": "b"}), true);
    check("[{eventName: A, errorCode: x}, {eventName: B}]", &json!({"eventName": "a"}), false);
    let night = json!({"eventTime": "2026-11-22T23:05:00Z"});
    check("{eventTime|hour|gte: 22}", &night, true);
    check("{eventTime|hour: [1, 23]}", &night, true);
    check("{eventTime|minute: 6}", &night, false);
    check("{eventTime|day: 22, eventTime|month: 11, eventTime|year: 2026, eventTime|week: 47}", &night, true);
    check("{eventTime|hour|lt: 6}", &json!({"eventTime": "2026-11-23T00:05:00+01:00"}), false);
    check("{eventName|hour: 1}", &json!({"eventName": "x"}), false);
}
