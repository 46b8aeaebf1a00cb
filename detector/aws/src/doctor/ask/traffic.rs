//! How much is written to a stream, as CloudWatch has it.
//!
//! Deliberately no shard-level metrics: they cost extra and most streams do not have them.

use std::time::Duration;

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    doctor::facts::{Asked, NotAsked, Traffic, Why},
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

/// The metrics of a stream, by the id of the query.
const METRICS: [(&str, &str); 3] =
    [("bytes", "IncomingBytes"), ("records", "IncomingRecords"), ("refused", "WriteProvisionedThroughputExceeded")];

/// What was written to `stream` in the 24 hours before `now`.
pub(super) async fn ask(config: &SdkConfig, stream: &str, now: Timestamp) -> Asked<Traffic> {
    let client = Signed::new(SERVICE, TIMEOUT).map_err(|failure| not_asked(&failure))?;
    let answer = client.send(config, &Call::json(TARGET), &question(stream, now.as_second())).await;
    Ok(read(&answer.map_err(|failure| not_asked(&failure))?))
}

fn question(stream: &str, now_s: i64) -> Value {
    let queries = METRICS.map(|(id, metric)| {
        let dimensions = json!([{ "Name": "StreamName", "Value": stream }]);
        let metric = json!({ "Namespace": "AWS/Kinesis", "MetricName": metric, "Dimensions": dimensions });
        json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": MINUTE_S, "Stat": "Sum" } })
    });
    json!({ "MetricDataQueries": queries, "StartTime": now_s.saturating_sub(PERIOD_S), "EndTime": now_s })
}

fn read(answer: &Value) -> Traffic {
    Traffic {
        busiest_minute_bytes: values(answer, "bytes").fold(0.0, f64::max),
        busiest_minute_records: values(answer, "records").fold(0.0, f64::max),
        refused: values(answer, "refused").sum(),
    }
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

    use super::{question, read};

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
}
