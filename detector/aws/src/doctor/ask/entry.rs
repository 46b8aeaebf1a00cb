//! The streams and queues that the configuration names.

use std::collections::{BTreeMap, btree_map};

use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use bedrock_watch_service::config::SourceConfig;
use jiff::Timestamp;

use super::{refused, traffic};
use crate::doctor::facts::{Asked, DeadLetters, Entry, Queue, Stream};

/// Every source that EventBridge or S3 fills.
pub(super) async fn all(config: &SdkConfig, sources: &[SourceConfig]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for source in sources {
        entries.extend(match source {
            SourceConfig::Kinesis(kinesis) => {
                let name = kinesis.stream.clone();
                Some(Entry::Stream { stream: stream(config, &name).await, name })
            }
            SourceConfig::Sqs(sqs) => {
                let url = sqs.queue_url.clone();
                Some(Entry::Queue { queue: queue(config, &url).await, url })
            }
            SourceConfig::S3(s3) => {
                let url = s3.queue_url.clone();
                Some(Entry::LogFiles { queue: queue(config, &url).await, url })
            }
            SourceConfig::Http => Some(Entry::Http),
            SourceConfig::Stdin | SourceConfig::File { .. } => None,
        });
    }
    // HTTP is there for people as well; as a way in it is only looked at where there is no other.
    if entries.len() > 1 {
        entries.retain(|entry| *entry != Entry::Http);
    }
    entries
}

async fn stream(config: &SdkConfig, name: &str) -> Asked<Stream> {
    const ACTION: &str = "kinesis:DescribeStreamSummary";
    let call = aws_sdk_kinesis::Client::new(config).describe_stream_summary();
    let call = if name.starts_with("arn:") { call.stream_arn(name) } else { call.stream_name(name) };
    let asked = call.send().await.map_err(|error| refused(ACTION, &error))?;
    let Some(found) = asked.stream_description_summary() else { return Err(nothing(ACTION)) };
    let mode = found.stream_mode_details().map(|details| details.stream_mode().as_str());
    let metrics = found.enhanced_monitoring().iter().flat_map(|monitoring| monitoring.shard_level_metrics());
    let by_shard = traffic::has_shard_level(metrics);
    let traffic = traffic::ask(config, found.stream_name(), by_shard, Timestamp::now()).await;
    Ok(Stream {
        traffic,
        arn: found.stream_arn().to_owned(),
        name: found.stream_name().to_owned(),
        status: found.stream_status().as_str().to_owned(),
        retention_h: found.retention_period_hours(),
        mode: mode.unwrap_or("PROVISIONED").to_owned(),
        open_shards: found.open_shard_count(),
        key: found.key_id().map(str::to_owned),
    })
}

async fn queue(config: &SdkConfig, url: &str) -> Asked<Queue> {
    const ACTION: &str = "sqs:GetQueueAttributes";
    let client = aws_sdk_sqs::Client::new(config);
    let asked = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
    let asked = asked.map_err(|error| refused(ACTION, &error))?;
    let attribute = |name| asked.attributes().and_then(|attributes| attributes.get(&name)).cloned();
    let Some(arn) = attribute(QueueAttributeName::QueueArn) else { return Err(nothing(ACTION)) };
    Ok(Queue {
        arn,
        has_redrive: attribute(QueueAttributeName::RedrivePolicy).is_some_and(|policy| !policy.is_empty()),
        policy: attribute(QueueAttributeName::Policy),
        key: attribute(QueueAttributeName::KmsMasterKeyId).filter(|key| !key.is_empty()),
    })
}

/// The dead-letter queues of these ARNs.
pub(super) async fn dead_letters(
    config: &SdkConfig,
    arns: impl Iterator<Item = String>,
) -> BTreeMap<String, Asked<DeadLetters>> {
    let client = aws_sdk_sqs::Client::new(config);
    let mut found = BTreeMap::new();
    for arn in arns {
        if let btree_map::Entry::Vacant(place) = found.entry(arn) {
            let asked = dead_letter(&client, place.key()).await;
            place.insert(asked);
        }
    }
    found
}

async fn dead_letter(client: &aws_sdk_sqs::Client, arn: &str) -> Asked<DeadLetters> {
    let mut parts = arn.split(':').skip(4);
    let (account, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let asked = client.get_queue_url().queue_name(name).queue_owner_aws_account_id(account).send().await;
    let asked = asked.map_err(|error| refused("sqs:GetQueueUrl", &error))?;
    let url = asked.queue_url().unwrap_or_default().to_owned();
    let asked = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::Policy).send().await;
    let asked = asked.map_err(|error| refused("sqs:GetQueueAttributes", &error))?;
    let policy = asked.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::Policy)).cloned();
    Ok(DeadLetters { url, policy })
}

fn nothing(action: &str) -> crate::doctor::facts::NotAsked {
    crate::doctor::facts::NotAsked {
        action: action.to_owned(),
        why: crate::doctor::facts::Why::Failed,
        message: "the answer is empty".to_owned(),
    }
}
