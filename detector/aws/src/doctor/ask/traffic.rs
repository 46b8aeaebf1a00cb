//! How much is written to a stream, as CloudWatch has it.
//!
//! Shard-level metrics cost extra: they are asked for only where the stream has them, and never switched on.

use std::{collections::BTreeSet, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_kinesis::types::{MetricsName, ShardFilter, ShardFilterType};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::refused;
use crate::{
    doctor::facts::{Asked, NotAsked, ShardTraffic, Traffic, Why},
    failure::{Failure, Kind},
    signed::{Call, Signed},
};

const ACTION: &str = "cloudwatch:GetMetricData";
/// Its name in signatures and addresses.
const SERVICE: &str = "monitoring";
/// The operation in the AWS JSON protocol.
const TARGET: &str = "GraniteServiceVersion20100801.GetMetricData";
/// How far back is looked, in seconds.
const PERIOD_S: i64 = 24 * 3_600;
/// The span of one value, in seconds.
const MINUTE_S: i64 = 60;
/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Values that one answer holds at most (CloudWatch's limit).
const VALUES_MAX: usize = 100_800;
/// Shards that are asked about in one call, so that everything fits into one answer: two metrics with a value a minute.
const SHARDS_A_CALL: usize = VALUES_MAX / (2 * 24 * 60);
/// Shards that are asked about at most.
const SHARDS_MAX: usize = 1_000;

/// The metrics of a stream, by the id of the query.
const METRICS: [(&str, &str); 3] =
    [("bytes", "IncomingBytes"), ("records", "IncomingRecords"), ("refused", "WriteProvisionedThroughputExceeded")];

/// Whether these shard-level metrics, which a stream has only where somebody switched them on, say how full a shard is.
pub(super) fn has_shard_level<'a>(metrics: impl Iterator<Item = &'a MetricsName>) -> bool {
    let known: BTreeSet<&str> = metrics.map(MetricsName::as_str).collect();
    known.contains("ALL") || ["IncomingBytes", "IncomingRecords"].iter().all(|name| known.contains(name))
}

/// What was written to `stream` in the 24 hours before `now`; `by_shard` says whether it has shard-level metrics.
pub(super) async fn ask(config: &SdkConfig, stream: &str, by_shard: bool, now: Timestamp) -> Asked<Traffic> {
    let client = Signed::new(SERVICE, TIMEOUT).map_err(|failure| not_asked(&failure))?;
    let now_s = now.as_second();
    let answer = client.send(config, &Call::json(TARGET), &question(stream, now_s)).await;
    let mut traffic = read(&answer.map_err(|failure| not_asked(&failure))?);
    if by_shard {
        traffic.shards = Some(shards(config, &client, stream, now_s).await);
    }
    Ok(traffic)
}

/// The open shards of a stream with their traffic.
async fn shards(config: &SdkConfig, client: &Signed, stream: &str, now_s: i64) -> Asked<Vec<ShardTraffic>> {
    let mut traffic = Vec::new();
    for ids in open_shards(config, stream).await?.chunks(SHARDS_A_CALL) {
        let answer = client.send(config, &Call::json(TARGET), &question_by_shard(stream, ids, now_s)).await;
        traffic.extend(read_by_shard(&answer.map_err(|failure| not_asked(&failure))?, ids));
    }
    Ok(traffic)
}

/// What was split or merged says nothing about the shards of today, so that closed shards are left out.
async fn open_shards(config: &SdkConfig, stream: &str) -> Asked<Vec<String>> {
    const ACTION: &str = "kinesis:ListShards";
    let client = aws_sdk_kinesis::Client::new(config);
    let filter = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    let filter =
        filter.map_err(|error| NotAsked { action: ACTION.to_owned(), why: Why::Failed, message: error.to_string() })?;
    let mut ids = Vec::new();
    let mut next: Option<String> = None;
    loop {
        // A token stands for the stream and the filter; both together are refused.
        let first = next.is_none();
        let call = client.list_shards().set_stream_name(first.then(|| stream.to_owned()));
        let call = call.set_shard_filter(first.then(|| filter.clone())).set_next_token(next);
        let page = call.send().await.map_err(|error| refused(ACTION, &error))?;
        ids.extend(page.shards().iter().map(|shard| shard.shard_id().to_owned()));
        next = page.next_token;
        if next.is_none() || ids.len() >= SHARDS_MAX {
            ids.truncate(SHARDS_MAX);
            return Ok(ids);
        }
    }
}

fn question(stream: &str, now_s: i64) -> Value {
    let dimensions = json!([{ "Name": "StreamName", "Value": stream }]);
    let queries = METRICS.map(|(id, metric)| query(id, metric, &dimensions));
    period(&queries, now_s)
}

/// The same for each shard; its place among `ids` stands in the query's id.
fn question_by_shard(stream: &str, ids: &[String], now_s: i64) -> Value {
    let of = |(place, shard): (usize, &String)| {
        let dimensions = json!([{ "Name": "StreamName", "Value": stream }, { "Name": "ShardId", "Value": shard }]);
        [("bytes", "IncomingBytes"), ("records", "IncomingRecords")]
            .map(|(id, metric)| query(&format!("{id}{place}"), metric, &dimensions))
    };
    let queries: Vec<Value> = ids.iter().enumerate().flat_map(of).collect();
    period(&queries, now_s)
}

fn query(id: &str, metric: &str, dimensions: &Value) -> Value {
    let metric = json!({ "Namespace": "AWS/Kinesis", "MetricName": metric, "Dimensions": dimensions });
    json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": MINUTE_S, "Stat": "Sum" } })
}

fn period(queries: &[Value], now_s: i64) -> Value {
    json!({ "MetricDataQueries": queries, "StartTime": now_s.saturating_sub(PERIOD_S), "EndTime": now_s })
}

fn read(answer: &Value) -> Traffic {
    Traffic {
        busiest_minute_bytes: values(answer, "bytes").fold(0.0, f64::max),
        busiest_minute_records: values(answer, "records").fold(0.0, f64::max),
        refused: values(answer, "refused").sum(),
        shards: None,
    }
}

fn read_by_shard(answer: &Value, ids: &[String]) -> Vec<ShardTraffic> {
    let peak = |id: &str, place: usize| values(answer, &format!("{id}{place}")).fold(0.0, f64::max);
    let of = |(place, shard): (usize, &String)| ShardTraffic {
        shard: shard.clone(),
        busiest_minute_bytes: peak("bytes", place),
        busiest_minute_records: peak("records", place),
    };
    ids.iter().enumerate().map(of).collect()
}

/// The values of one query.
fn values<'a>(answer: &'a Value, id: &str) -> impl Iterator<Item = f64> + use<'a> {
    let mut results = answer.get("MetricDataResults").and_then(Value::as_array).into_iter().flatten();
    let result = results.find(|result| result.get("Id").and_then(Value::as_str) == Some(id));
    let values = result.and_then(|result| result.get("Values")?.as_array());
    values.into_iter().flatten().filter_map(Value::as_f64)
}

fn not_asked(failure: &Failure) -> NotAsked {
    let why = match failure.kind {
        Kind::Denied => Why::Denied,
        Kind::Missing => Why::NotFound,
        _ => Why::Failed,
    };
    NotAsked { action: ACTION.to_owned(), why, message: failure.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MetricsName, SHARDS_A_CALL, has_shard_level, question, question_by_shard, read, read_by_shard};

    #[test]
    fn a_day_is_asked_for_and_its_peaks_are_kept() {
        let asked = question("bedrock-watch", 1_795_000_000);
        assert_eq!((&asked["StartTime"], &asked["EndTime"]), (&json!(1_794_913_600), &json!(1_795_000_000)));
        let answer = json!({"MetricDataResults": [
            {"Id": "bytes", "Values": [10.0, 4e6, 20.0]},
            {"Id": "records", "Values": []},
            {"Id": "refused", "Values": [1.0, 2.0]},
        ]});
        let traffic = read(&answer);
        let expected = (4e6, 0.0, 3.0);
        assert_eq!((traffic.busiest_minute_bytes, traffic.busiest_minute_records, traffic.refused), expected);
    }
    #[test]
    fn each_open_shard_has_its_own_peak() {
        let ids = ["shardId-000000000007", "shardId-000000000008"].map(str::to_owned);
        let asked = question_by_shard("bedrock-watch", &ids, 1_795_000_000);
        let dimensions = &asked["MetricDataQueries"][3]["MetricStat"]["Metric"]["Dimensions"];
        assert_eq!(asked["MetricDataQueries"][3]["Id"], json!("records1"));
        assert_eq!(dimensions[1], json!({"Name": "ShardId", "Value": "shardId-000000000008"}));
        let answer = json!({"MetricDataResults": [
            {"Id": "bytes0", "Values": [1.0, 3.0]},
            {"Id": "records1", "Values": [5.0, 4.0]},
        ]});
        let peaks: Vec<(f64, f64)> = read_by_shard(&answer, &ids)
            .iter()
            .map(|shard| (shard.busiest_minute_bytes, shard.busiest_minute_records))
            .collect();
        assert_eq!(peaks, [(3.0, 0.0), (0.0, 5.0)]);
        assert_eq!(SHARDS_A_CALL, 35, "70 queries of 1,440 values fill an answer");
    }

    #[test]
    fn shards_are_asked_about_only_where_the_stream_has_their_metrics() {
        let check = |metrics: &[MetricsName], expected: bool| {
            assert_eq!(has_shard_level(metrics.iter()), expected, "{metrics:?}");
        };
        check(&[], false);
        check(&[MetricsName::IteratorAgeMilliseconds, MetricsName::IncomingBytes], false);
        check(&[MetricsName::IncomingBytes, MetricsName::IncomingRecords], true);
        check(&[MetricsName::All], true);
    }
}
