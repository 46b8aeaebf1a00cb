//! Invocation logging: configured, reduced, moved, switched off, and its destinations deleted and made again.

use serde_json::{Value, json};

use super::story::{Deed, Story, put};

pub(super) fn something(story: &mut Story) {
    let (account, region) = (story.account(), story.region());
    if !story.may_change(&format!("{account} {region}")) {
        return;
    }
    match story.dice.index(8) {
        0..=3 => {
            let config = configuration(story, &account);
            configure(story, &account, region, config);
        }
        4 | 5 => switch_off(story, &account, region),
        6 => configure(story, &account, region, Value::Null),
        _ => destination(story, &account, region),
    }
}

fn call(story: &mut Story, place: (&str, &str), service: &str, name: &str, request: Value) -> bool {
    let by = story.somebody_of(place.0);
    let failed = story.dice.chance(8);
    let error = failed.then_some(("AccessDeniedException", "no"));
    let (at, account, region) = (story.now, place.0, place.1);
    story.record(Deed { at, account, region, by: &by, service, name, request, response: Value::Null, error });
    !failed
}

fn configuration(story: &mut Story, account: &str) -> Value {
    let mut config = json!({});
    if story.dice.chance(60) {
        let group = story.dice.one_of(["/bedrock/a", "/bedrock/a", "/bedrock/b"]);
        let role = format!("arn:aws:iam::{account}:role/BedrockLogging");
        put(&mut config, "cloudWatchConfig", json!({"logGroupName": group, "roleArn": role}));
    }
    if story.dice.chance(60) {
        let bucket = story.dice.one_of(["acme-logs", "acme-logs", "acme-other-logs"]);
        put(&mut config, "s3Config", json!({"bucketName": bucket, "keyPrefix": "invocations"}));
    }
    let all_false = story.dice.chance(10);
    let explicit = story.dice.chance(40);
    for kind in ["text", "image", "embedding", "video", "audio"] {
        let flag = format!("{kind}DataDeliveryEnabled");
        if all_false || story.dice.chance(12) {
            put(&mut config, &flag, json!(false));
        } else if explicit {
            put(&mut config, &flag, json!(true));
        }
    }
    config
}

fn configure(story: &mut Story, account: &str, region: &str, config: Value) {
    let missing = if story.dice.chance(50) { Value::Null } else { json!({}) };
    let request = if config.is_null() { missing } else { json!({"loggingConfig": config}) };
    call(story, (account, region), "bedrock", "PutModelInvocationLoggingConfiguration", request);
}

fn switch_off(story: &mut Story, account: &str, region: &str) {
    call(story, (account, region), "bedrock", "DeleteModelInvocationLoggingConfiguration", Value::Null);
}

/// Deletes a destination, or makes it again if it is gone.
fn destination(story: &mut Story, account: &str, region: &str) {
    let (service, deletes, makes, field, name) = story.dice.one_of([
        ("logs", "DeleteLogGroup", "CreateLogGroup", "logGroupName", "/bedrock/a"),
        ("logs", "DeleteLogGroup", "CreateLogGroup", "logGroupName", "/bedrock/b"),
        ("s3", "DeleteBucket", "CreateBucket", "bucketName", "acme-logs"),
        ("iam", "DeleteRole", "CreateRole", "roleName", "BedrockLogging"),
    ]);
    // A bucket's name is taken once in the world, a role's once in an account, a log group's once in a region.
    let which = match service {
        "logs" => format!("{account} {region} {name}"),
        "iam" => format!("{account} {name}"),
        _ => name.to_owned(),
    };
    let gone = story.lost_destinations.contains(&which);
    let region = if service == "iam" { "us-east-1" } else { region };
    let done = call(story, (account, region), service, if gone { makes } else { deletes }, json!({field: name}));
    if done && gone {
        story.lost_destinations.retain(|lost| *lost != which);
    } else if done {
        story.lost_destinations.push(which);
    }
}
