//! The configuration of invocation logging.

use std::time::Duration;

use aws_sdk_bedrock::types::{LoggingConfig, S3Config};
use bedrock_watch_engine::{ObservedLogging, Second};
use serde_json::{Map, Value, json};

use super::{
    ask::{Asker, now},
    failure::Failure,
    places::Target,
};

const GET: &str = "bedrock:GetModelInvocationLoggingConfiguration";
/// CloudTrail's times have one second; a change within the second of an answer cannot be told from one before it.
const AGAIN: Duration = Duration::from_secs(1);

/// The configuration, and from when on it is known to hold.
///
/// "Off" must not be said for a moment before an event that switched it off: "off already" raises nothing, and the
/// event may arrive later. So it is said for the moment after the answer, and only if it is still off a second later;
/// a configuration that delivers is said for the moment before the question.
pub(super) async fn look(asker: &Asker, target: &Target) -> Result<(Second, ObservedLogging), Failure> {
    let before = now();
    let first = get(asker, target).await?;
    if first.logging_config.is_some() {
        return Ok((before, first));
    }
    let answered = now();
    tokio::time::sleep(AGAIN).await;
    let before = now();
    let second = get(asker, target).await?;
    Ok(if second.logging_config.is_some() { (before, second) } else { (answered, second) })
}

async fn get(asker: &Asker, target: &Target) -> Result<ObservedLogging, Failure> {
    let client = asker.bedrock(target).await;
    let answer = asker.ask(target, GET, client.get_model_invocation_logging_configuration().send()).await?;
    Ok(ObservedLogging { logging_config: answer.logging_config.as_ref().and_then(configuration) })
}

/// The configuration as it is written in CloudTrail; `None` when it names no destination, which is off.
fn configuration(config: &LoggingConfig) -> Option<Value> {
    let mut fields = Map::new();
    if let Some(cloud_watch) = &config.cloud_watch_config {
        let large = cloud_watch.large_data_delivery_s3_config.as_ref();
        let mut value = json!({"logGroupName": cloud_watch.log_group_name, "roleArn": cloud_watch.role_arn});
        if let (Some(large), Some(value)) = (large, value.as_object_mut()) {
            value.insert("largeDataDeliveryS3Config".to_owned(), bucket(large));
        }
        fields.insert("cloudWatchConfig".to_owned(), value);
    }
    if let Some(config) = &config.s3_config {
        fields.insert("s3Config".to_owned(), bucket(config));
    }
    if fields.is_empty() {
        return None;
    }
    let flags = [
        ("textDataDeliveryEnabled", config.text_data_delivery_enabled),
        ("imageDataDeliveryEnabled", config.image_data_delivery_enabled),
        ("embeddingDataDeliveryEnabled", config.embedding_data_delivery_enabled),
        ("videoDataDeliveryEnabled", config.video_data_delivery_enabled),
        ("audioDataDeliveryEnabled", config.audio_data_delivery_enabled),
    ];
    let known = flags.into_iter().filter_map(|(name, flag)| Some((name.to_owned(), json!(flag?))));
    fields.extend(known);
    Some(Value::Object(fields))
}

fn bucket(config: &S3Config) -> Value {
    match &config.key_prefix {
        Some(prefix) => json!({"bucketName": config.bucket_name, "keyPrefix": prefix}),
        None => json!({"bucketName": config.bucket_name}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_cloudtrail_writes_it_and_nothing_is_off() {
        let bucket = S3Config::builder().bucket_name("logs").build().unwrap();
        let on = LoggingConfig::builder().s3_config(bucket).text_data_delivery_enabled(true).build();
        let expected = json!({"s3Config": {"bucketName": "logs"}, "textDataDeliveryEnabled": true});
        assert_eq!(configuration(&on), Some(expected));
        assert_eq!(configuration(&LoggingConfig::builder().build()), None, "an empty configuration delivers nowhere");
        assert_eq!(configuration(&LoggingConfig::builder().text_data_delivery_enabled(true).build()), None);
    }
}
