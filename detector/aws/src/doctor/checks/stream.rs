//! Where the service reads: streams and queues.

use super::{Facts, Finding, aws};
use crate::doctor::{
    facts::{Asked, Entry, Queue, Stream, Why},
    finding::Level,
};

/// Hours that a stream must keep records, so that a night's outage loses nothing.
const RETENTION_MIN_H: i32 = 24;
/// Hours that are advised, so that a long weekend's outage loses nothing either.
const RETENTION_ADVISED_H: i32 = 96;
/// What a shard takes in a minute, in bytes and records (Kinesis Data Streams quotas: 1 MB/s or 1,000 records/s).
const SHARD_BYTES_A_MINUTE: f64 = 60.0 * 1_048_576.0;
const SHARD_RECORDS_A_MINUTE: f64 = 60.0 * 1_000.0;
/// The share of its limit from which a shard is near it.
const SHARE_MAX: f64 = 0.7;

/// Every entry exists and keeps what it is given.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let of = |entry: &Entry| match entry {
        Entry::Stream { name, stream } => stream_links(facts, name, stream),
        Entry::Queue { url, queue } | Entry::LogFiles { url, queue } => queue_links(facts, url, queue),
        Entry::Http => {
            let why = "events come in by HTTP: whether an API destination leads here is not looked at";
            vec![Finding::not_checked("stream", "http", why)]
        }
    };
    facts.entries.iter().flat_map(of).collect()
}

fn stream_links(facts: &Facts, name: &str, stream: &Asked<Stream>) -> Vec<Finding> {
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) if error.why == Why::NotFound => {
            return vec![
                Finding::broken("stream", name, Level::High, format!("the stream does not exist in {}", facts.region))
                    .mended_by("Make it", aws("kinesis create-stream", &facts.region, &[("--stream-name", name)])),
            ];
        }
        Err(error) => return vec![Finding::not_asked("stream", name, error)],
    };
    let Stream { status, mode, open_shards, .. } = stream;
    if !matches!(status.as_str(), "ACTIVE" | "UPDATING") {
        return vec![Finding::broken("stream", name, Level::High, format!("the stream is {status}"))];
    }
    let found = Finding::fine("stream", name, format!("{status}, {mode}, {open_shards} open shard(s)"));
    vec![found, retention(facts, name, stream), near_limit(name, stream)]
}

fn retention(facts: &Facts, name: &str, stream: &Stream) -> Finding {
    const LINK: &str = "stream-retention";
    let hours = stream.retention_h;
    if hours < RETENTION_MIN_H {
        let what = format!("records are kept for {hours} h: an outage longer than that loses them");
        let to = RETENTION_ADVISED_H.to_string();
        return Finding::broken(LINK, name, Level::Medium, what).mended_by(
            "Keep them longer",
            aws(
                "kinesis increase-stream-retention-period",
                &facts.region,
                &[("--stream-name", &stream.name), ("--retention-period-hours", &to)],
            ),
        );
    }
    let advice = if hours < RETENTION_ADVISED_H { "; 96 h would outlast a long weekend" } else { "" };
    Finding::fine(LINK, name, format!("records are kept for {hours} h{advice}"))
}

/// Whether a shard comes near what it takes. All events of an account go to one shard, so that of a stream whose busiest
/// minute is more than one shard's share only the refusals say for certain which side of the limit it is on.
fn near_limit(name: &str, stream: &Stream) -> Finding {
    const LINK: &str = "shard-limit";
    let traffic = match &stream.traffic {
        Ok(traffic) => traffic,
        Err(error) => return Finding::not_asked(LINK, name, error),
    };
    let shards = f64::from(stream.open_shards.max(1));
    // In shards: how many would have been full.
    let busiest = (traffic.busiest_minute_bytes / SHARD_BYTES_A_MINUTE)
        .max(traffic.busiest_minute_records / SHARD_RECORDS_A_MINUTE);
    let percent = busiest * 100.0;
    if traffic.refused > 0.0 {
        let what = format!(
            "{:.0} writes were refused in the last 24 h because a shard was at its limit: EventBridge tries again for a \
             day, so alerts come late",
            traffic.refused
        );
        return Finding::broken(LINK, name, Level::Medium, what).mended_by(
            "Split shards; should one account alone be too much for a shard, give it a stream of its own",
            "",
        );
    }
    if busiest >= SHARE_MAX * shards {
        let what = format!("the busiest minute of the last 24 h took {:.0} % of all shards together", percent / shards);
        return Finding::broken(LINK, name, Level::Low, what).mended_by("Split shards before writes are refused", "");
    }
    let certain = if busiest < SHARE_MAX { "" } else { "; how it was spread over shards is not known" };
    let what = format!("no write was refused in the last 24 h; the busiest minute took {percent:.0} % of one shard");
    Finding::fine(LINK, name, format!("{what}{certain}"))
}

fn queue_links(facts: &Facts, url: &str, queue: &Asked<Queue>) -> Vec<Finding> {
    let queue = match queue {
        Ok(queue) => queue,
        Err(error) if error.why == Why::NotFound => {
            let name = url.rsplit('/').next().unwrap_or(url);
            return vec![
                Finding::broken("queue", url, Level::High, "the queue does not exist")
                    .mended_by("Make it", aws("sqs create-queue", &facts.region, &[("--queue-name", name)])),
            ];
        }
        Err(error) => return vec![Finding::not_asked("queue", url, error)],
    };
    let redrive = if queue.has_redrive {
        Finding::fine("queue-redrive", url, "messages that are no events end in its dead-letter queue")
    } else {
        let what = "the queue has no dead-letter queue: a message that is no event is dropped with a line in the log";
        let policy = r#"{"RedrivePolicy":"{\"deadLetterTargetArn\":\"YOUR-QUEUE-ARN\",\"maxReceiveCount\":\"5\"}"}"#;
        Finding::broken("queue-redrive", url, Level::Low, what).mended_by(
            "Give it one",
            aws("sqs set-queue-attributes", &facts.region, &[("--queue-url", url), ("--attributes", policy)]),
        )
    };
    vec![Finding::fine("queue", url, "exists"), redrive]
}
