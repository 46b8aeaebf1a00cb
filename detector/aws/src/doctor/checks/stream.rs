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

/// How close accounts come to a shard's limit stands in CloudWatch, which is not asked.
fn near_limit(name: &str, stream: &Stream) -> Finding {
    let how = if stream.mode == "ON_DEMAND" {
        "on demand, the stream grows, but one account's events all go to one shard (1 MB/s, 1,000 records/s)"
    } else {
        "provisioned, each shard takes 1 MB/s or 1,000 records/s, and one account's events all go to one shard"
    };
    let why = format!(
        "{how}; whether one comes near that is not checked, because Kinesis itself does not say: watch \
         WriteProvisionedThroughputExceeded of the stream in CloudWatch"
    );
    Finding::not_checked("shard-limit", name, why)
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
