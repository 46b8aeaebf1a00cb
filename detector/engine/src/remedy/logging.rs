//! Restoring invocation logging: the last configuration that delivered, and the destination it delivered to.

use serde_json::{Map, Value, json};

use crate::alert::{Alert, Remediation};

use super::{
    dependency, role,
    shell::{Aws, Mixed, Script, Variable, Word},
    text::partition,
};

/// What the API takes, as (name, names inside); CloudTrail may add more.
const FLAGS: [&str; 5] = [
    "textDataDeliveryEnabled",
    "imageDataDeliveryEnabled",
    "embeddingDataDeliveryEnabled",
    "videoDataDeliveryEnabled",
    "audioDataDeliveryEnabled",
];
const S3_FIELDS: [&str; 2] = ["bucketName", "keyPrefix"];

const LOG_GROUP: Variable =
    Variable { name: "LOG_GROUP", hint: "set LOG_GROUP to the log group for the invocation log" };
const LOG_ROLE: Variable = Variable { name: "LOG_ROLE_ARN", hint: "set LOG_ROLE_ARN to a role that may write to it" };

/// What brings logging back. `configuration` is the last one that delivered, as it was put.
pub(super) fn restore(alert: &Alert, configuration: Option<&str>) -> Vec<Remediation> {
    let configuration = configuration.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let known = configuration.as_ref().map(cleaned);
    let mut remediation = match super::fact(alert, "destination_kind") {
        Some("bucket") => {
            let mut restored = dependency::bucket(alert, &alert.subject_id);
            restored.insert(1, allow_bucket(alert, known.as_ref()));
            restored.truncate(2);
            restored
        }
        Some("log_group") => vec![log_group(alert)],
        Some("role") => {
            let group = known.as_ref().and_then(|known| known.pointer("/cloudWatchConfig/logGroupName")?.as_str());
            role::recreate_for_logging(alert, group)
        }
        _ => Vec::new(),
    };
    remediation.push(put(alert, known.as_ref()));
    remediation
}

fn put(alert: &Alert, known: Option<&Value>) -> Remediation {
    let mut script = Script::default();
    let region = alert.region.as_deref();
    script.note(&format!("in account {}, region {}", alert.account, region.unwrap_or("unknown")));
    let config = match known {
        Some(known) => {
            script.note("the last configuration that delivered, as CloudTrail or an inventory showed it");
            Word::json(known)
        }
        None => {
            script.note("unknown: what was configured before, so this is a template to be filled in");
            Mixed::default()
                .text("{\"cloudWatchConfig\":{\"logGroupName\":\"")
                .variable(LOG_GROUP)
                .text("\",\"roleArn\":\"")
                .variable(LOG_ROLE)
                .text("\"},\"textDataDeliveryEnabled\":true,\"imageDataDeliveryEnabled\":true,")
                .text("\"embeddingDataDeliveryEnabled\":true,\"videoDataDeliveryEnabled\":true}")
                .word()
        }
    };
    script.run(
        Aws::in_region("bedrock put-model-invocation-logging-configuration", region)
            .option("--logging-config", &config),
    );
    let title = match known {
        Some(_) => "Put the last logging configuration that delivered again",
        None => "Put a logging configuration",
    };
    Remediation { title: title.to_owned(), command: script.finish() }
}

fn log_group(alert: &Alert) -> Remediation {
    let mut script = Script::default();
    let region = alert.region.as_deref();
    script.note(&format!("in account {}, region {}", alert.account, region.unwrap_or("unknown")));
    script.note("what was logged there is gone. Unknown: its retention and encryption");
    script.run(
        Aws::in_region("logs create-log-group", region).option("--log-group-name", &Word::quoted(&alert.subject_id)),
    );
    Remediation { title: "Recreate the log group".to_owned(), command: script.finish() }
}

/// The bucket policy that the Bedrock user guide gives for invocation logs.
fn allow_bucket(alert: &Alert, known: Option<&Value>) -> Remediation {
    let (partition, account) = (partition(alert.region.as_deref()), &alert.account);
    let bucket = &alert.subject_id;
    let config = ["/s3Config", "/cloudWatchConfig/largeDataDeliveryS3Config"]
        .into_iter()
        .filter_map(|place| known?.pointer(place))
        .find(|config| config["bucketName"].as_str() == Some(bucket));
    let prefix = config.and_then(|config| config["keyPrefix"].as_str()).unwrap_or_default().trim_matches('/');
    let separator = if prefix.is_empty() { "" } else { "/" };
    let policy = role::statement(json!({
        "Effect": "Allow",
        "Principal": { "Service": "bedrock.amazonaws.com" },
        "Action": "s3:PutObject",
        "Resource": format!(
            "arn:{partition}:s3:::{bucket}/{prefix}{separator}AWSLogs/{account}/BedrockModelInvocationLogs/*"
        ),
        "Condition": {
            "StringEquals": { "aws:SourceAccount": account },
            "ArnLike": { "aws:SourceArn": format!(
                "arn:{partition}:bedrock:{}:{account}:*", alert.region.as_deref().unwrap_or("*")
            ) }
        }
    }));
    let mut script = Script::default();
    script.note("this is the whole policy of the new bucket. Unknown: what else the old one allowed or denied");
    script.run(
        Aws::in_region("s3api put-bucket-policy", alert.region.as_deref())
            .option("--bucket", &Word::quoted(bucket))
            .option("--policy", &Word::json(&policy)),
    );
    Remediation { title: "Let Bedrock write the invocation log to the bucket".to_owned(), command: script.finish() }
}

/// A configuration with what the API takes and nothing else; flags that CloudTrail writes as text become flags.
fn cleaned(config: &Value) -> Value {
    let mut clean = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            clean.insert(name.to_owned(), value);
        }
    };
    let cloud_watch = &config["cloudWatchConfig"];
    let mut log_group = texts(cloud_watch, &["logGroupName", "roleArn"]);
    if let (Some(fields), Some(large)) = (&mut log_group, texts(&cloud_watch["largeDataDeliveryS3Config"], &S3_FIELDS))
    {
        fields.insert("largeDataDeliveryS3Config".to_owned(), Value::Object(large));
    }
    keep("cloudWatchConfig", log_group.map(Value::Object));
    keep("s3Config", texts(&config["s3Config"], &S3_FIELDS).map(Value::Object));
    for flag in FLAGS {
        let value = &config[flag];
        keep(flag, value.as_bool().or_else(|| value.as_str()?.parse().ok()).map(Value::Bool));
    }
    Value::Object(clean)
}

/// The texts of an object with these names; `None` when there are none.
fn texts(object: &Value, names: &[&str]) -> Option<Map<String, Value>> {
    let named = names.iter().filter_map(|name| Some(((*name).to_owned(), Value::from(object[*name].as_str()?))));
    let fields: Map<String, Value> = named.collect();
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_cleaned() {
        let config = json!({
            "cloudWatchConfig": {"logGroupName": "g", "roleArn": "r", "x": 1,
                "largeDataDeliveryS3Config": {"bucketName": "b"}},
            "s3Config": {}, "textDataDeliveryEnabled": "false", "imageDataDeliveryEnabled": true, "other": {}
        });
        let expected = json!({
            "cloudWatchConfig": {"logGroupName": "g", "roleArn": "r", "largeDataDeliveryS3Config": {"bucketName": "b"}},
            "textDataDeliveryEnabled": false, "imageDataDeliveryEnabled": true
        });
        assert_eq!(cleaned(&config), expected);
    }
}
