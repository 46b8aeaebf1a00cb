//! Where the service reads: streams and queues.

use super::{Facts, Finding, aws};
use crate::doctor::{
    facts::{Asked, Entry, Queue, ShardTraffic, Stream, Why},
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
    vec![found, retention(facts, name, stream), near_limit(facts, name, stream)]
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

/// Whether a shard comes near what it takes. All events of an account go to one shard, so that room in the others is no
/// help: each shard is compared with its own limit, and where only the whole stream is known, that with one shard.
fn near_limit(facts: &Facts, name: &str, stream: &Stream) -> Finding {
    const LINK: &str = "shard-limit";
    let traffic = match &stream.traffic {
        Ok(traffic) => traffic,
        Err(error) => return Finding::not_asked(LINK, name, error),
    };
    if traffic.refused > 0.0 {
        let what = format!(
            "{:.0} writes were refused in the last 24 h because a shard was at its limit: EventBridge tries again for a \
             day, so alerts come late",
            traffic.refused
        );
        return Finding::broken(LINK, name, Level::Medium, what).mended_by(SPLIT, "");
    }
    let share = share(traffic.busiest_minute_bytes, traffic.busiest_minute_records);
    match &traffic.shards {
        // So much less than one shard takes that it does not matter how it was spread.
        _ if share < SHARE_MAX => {
            let percent = share * 100.0;
            let what =
                format!("no write was refused in the last 24 h; the busiest minute took {percent:.0} % of one shard");
            Finding::fine(LINK, name, what)
        }
        Some(Ok(shards)) if shards.iter().any(|shard| share_of(shard) > 0.0) => by_shard(LINK, name, shards),
        Some(Err(error)) => Finding::not_asked(LINK, name, error),
        // Switched off, or on for so short a time that there are no values yet.
        _ => together(facts, LINK, name, (stream, share)),
    }
}

/// What mends a shard that is full.
const SPLIT: &str = "Split shards; should one account alone be too much for a shard, give it a stream of its own";

/// How much of a shard a minute fills; 1 is full.
fn share(bytes: f64, records: f64) -> f64 {
    (bytes / SHARD_BYTES_A_MINUTE).max(records / SHARD_RECORDS_A_MINUTE)
}

fn share_of(shard: &ShardTraffic) -> f64 {
    share(shard.busiest_minute_bytes, shard.busiest_minute_records)
}

/// By shard-level metrics: the fullest shard decides.
fn by_shard(link: &'static str, name: &str, shards: &[ShardTraffic]) -> Finding {
    let fullest = shards.iter().max_by(|one, other| share_of(one).total_cmp(&share_of(other)));
    let (id, share) = fullest.map_or(("", 0.0), |shard| (shard.shard.as_str(), share_of(shard)));
    let what = format!("the busiest minute of the last 24 h took {:.0} % of the shard {id}", share * 100.0);
    if share >= SHARE_MAX {
        return Finding::broken(link, name, Level::Low, what).mended_by(SPLIT, "");
    }
    Finding::fine(link, name, format!("no write was refused in the last 24 h; {what}, the fullest"))
}

/// By the whole stream: whatever does not fit into its shards evenly spread is certain, and the rest is not known.
fn together(facts: &Facts, link: &'static str, name: &str, (stream, share): (&Stream, f64)) -> Finding {
    let shards = f64::from(stream.open_shards.max(1));
    if share >= SHARE_MAX * shards {
        let percent = share * 100.0 / shards;
        let what = format!("the busiest minute of the last 24 h took {percent:.0} % of all shards together");
        return Finding::broken(link, name, Level::Low, what).mended_by(SPLIT, "");
    }
    let why = format!(
        "the busiest minute of the last 24 h took {:.0} % of one shard, and without shard-level metrics nobody knows how \
         it was spread over {shards:.0}: all events of an account go to one",
        share * 100.0
    );
    let command = "kinesis enable-enhanced-monitoring --shard-level-metrics IncomingBytes IncomingRecords";
    Finding::not_checked(link, name, why).mended_by(
        "Switch shard-level metrics on, which CloudWatch charges for, and ask again after a day",
        aws(command, &facts.region, &[("--stream-name", &stream.name)]),
    )
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
