//! The keys that concern AWS.

use super::{Key, Kind, Variant, flag, number, optional_text, required_text, text, texts};

pub(super) const AWS: &[Key] = &[
    optional_text("region", "eu-central-1", "The region; left out, that of the environment."),
    optional_text("endpoint_url", "http://127.0.0.1:4566", "Another address for every service, for emulators."),
    texts(
        "regions",
        "[\"eu-central-1\", \"us-east-1\"]",
        "Regions that inventory and doctor look at. Empty: the one above. [\"*\"]: every enabled one.",
    ),
    number("operation_timeout_ms", 30_000, 100, 600_000, "How long a call may take with its retries, in milliseconds."),
    number("calls_per_s", 10, 1, 1_000, "Calls a second to one service of one account and region, at most."),
];

pub(super) const INVENTORY: &[Key] = &[
    Key {
        name: "mode",
        kind: Kind::Choice { default: Some("auto"), choices: &["auto", "on", "off"] },
        doc: "Whether AWS is asked what there is. auto: where a source or the store is AWS's.",
        sample: "",
        required: false,
    },
    number("interval_s", 300, 10, 86_400, "How often every account and region is asked, in seconds."),
    number(
        "confirm_ms",
        2_000,
        0,
        10_000,
        "How long the first message about a job waits for AWS's word on the job, in milliseconds; 0 asks nothing.",
    ),
    flag(
        "organization",
        false,
        "Whether every account and region of the organization is looked at once an hour, for some that nothing watches.",
    ),
];

pub(super) const CANARY: &[Key] = &[
    flag("enabled", false, "Whether the daemon sends an event to the bus now and then and expects it back."),
    text("bus", "default", "The event bus, by name or ARN."),
    number("interval_s", 300, 10, 86_400, "How often, in seconds."),
    number("within_s", 120, 1, 86_400, "Within which time it must be back, in seconds."),
];

pub(super) const LEASES: &[Key] = &[
    flag("enabled", false, "Whether several workers share the shards of activity streams. Needs the DynamoDB store."),
    text("table", "bedrock-watch-leases", "The DynamoDB table of leases; made if there is none."),
    optional_text(
        "worker",
        "task-1",
        "How this worker's name begins; left out, with the host's. A random part follows.",
    ),
    number("failover_ms", 10_000, 500, 600_000, "A worker silent for this long loses its shards, in milliseconds."),
];

const VISIBILITY: Key =
    number("visibility_s", 60, 5, 43_200, "For how long a received message is hidden from others, in seconds.");

pub(super) const KINESIS: Variant = Variant {
    kind: "kinesis",
    doc: "A Kinesis data stream that EventBridge fills, keyed by $.account.",
    keys: &[
        required_text("stream", "bedrock-watch", "The stream, by name or ARN."),
        Key {
            name: "carries",
            kind: Kind::Choice { default: Some("both"), choices: &["both", "state", "activity"] },
            doc: "With [leases]: state is read whole by every worker, activity is shared, and both is not possible.",
            sample: "",
            required: false,
        },
        Key {
            name: "mode",
            kind: Kind::Choice { default: Some("polling"), choices: &["polling", "fan_out"] },
            doc: "GetRecords, or enhanced fan-out.",
            sample: "",
            required: false,
        },
        optional_text("consumer", "bedrock-watch", "With fan_out: the consumer, by name or ARN; registered if new."),
        Key {
            name: "start",
            kind: Kind::Choice { default: Some("trim_horizon"), choices: &["trim_horizon", "latest"] },
            doc: "Where reading begins where no position is known.",
            sample: "",
            required: false,
        },
        number(
            "poll_ms",
            1_000,
            200,
            60_000,
            "How often a shard is asked while polling, in milliseconds. With [leases], state is asked for by every unit: \
             not more often than once in half a second for each shard of activity, all workers together.",
        ),
        number("lag_max_s", 300, 1, 604_800, "How far behind a shard may be read before /readyz says so, in seconds."),
    ],
};

pub(super) const SQS: Variant = Variant {
    kind: "sqs",
    doc: "An SQS queue that EventBridge fills, for small installations.",
    keys: &[
        required_text("queue_url", "https://sqs.eu-central-1.amazonaws.com/111122223333/bedrock-watch", "The queue."),
        VISIBILITY,
    ],
};

pub(super) const S3: Variant = Variant {
    kind: "s3",
    doc: "CloudTrail's log files in S3, named by the bucket's notifications on an SQS queue.",
    keys: &[
        required_text("queue_url", "https://sqs.eu-central-1.amazonaws.com/111122223333/trail", "That queue."),
        VISIBILITY,
    ],
};
