//! What is configured about AWS: `[aws]`, `[inventory]`, `[canary]`, `[leases]` and the AWS kinds of sources, sinks and
//! stores, as types.
//!
//! Deliberately no SDK type: a build without AWS reads the same files and says what it lacks.

use super::Secret;

/// How AWS is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// The region; `None` leaves it to the environment (`AWS_REGION`, or the task's metadata).
    pub region: Option<String>,
    /// Another address for every service, for emulators and private endpoints.
    pub endpoint_url: Option<String>,
    /// The regions that inventory and `doctor` look at; empty is the region itself, `*` every enabled one.
    pub regions: Vec<String>,
    /// How long one call may take with its retries, in milliseconds.
    pub operation_timeout_ms: u64,
    /// Calls a second at most to one service of one account and region.
    pub calls_per_s: u32,
}

/// Asking AWS what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryConfig {
    /// Whether AWS is asked at all. Where the file leaves it open: where a source or the store is AWS's.
    pub enabled: bool,
    /// How often, in seconds.
    pub interval_s: u64,
    /// How long a first alert about a job waits for AWS's word on the job, in milliseconds; 0 asks nothing.
    pub confirm_ms: u64,
    /// Whether every account and region of the organization is looked at, for some that nothing watches.
    pub organization: bool,
}

/// The daemon's own event, sent to see it come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryConfig {
    /// Whether the daemon sends one.
    pub enabled: bool,
    /// The event bus, by name or ARN.
    pub bus: String,
    /// How often, in seconds.
    pub interval_s: u64,
    /// Within which time it must be back, in seconds.
    pub within_s: u64,
}

/// Sharing shards between workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasesConfig {
    /// Whether shards are shared by leases; without, this worker reads every shard.
    pub enabled: bool,
    /// The DynamoDB table of leases, as the Kinesis Client Library 2.x keeps it; it is made if there is none.
    pub table: String,
    /// How this worker's name begins; `None` takes the host's. A random part follows.
    pub worker: Option<String>,
    /// After how long without a sign of life a worker's leases are taken, in milliseconds.
    pub failover_ms: u64,
}

/// A Kinesis data stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinesisSource {
    /// Its name or ARN.
    pub stream: String,
    /// What it carries; only told apart when shards are shared by leases.
    pub carries: Carries,
    /// How it is read.
    pub mode: KinesisMode,
    /// Where reading begins where no position is known.
    pub start: KinesisStart,
    /// How often a shard is asked, in milliseconds, while polling.
    pub poll_ms: u64,
    /// How far behind its newest record a shard may be read, in seconds; more is said in `/readyz`.
    pub lag_max_s: u64,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Everything.
    Both,
    /// What every worker must know: jobs, what they stand on, logging configuration.
    State,
    /// Inference calls and other Bedrock events, keyed by account.
    Activity,
}

/// How a stream is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KinesisMode {
    /// By GetRecords.
    Polling,
    /// By SubscribeToShard (enhanced fan-out), as the registered consumer of this name or ARN.
    FanOut {
        /// The consumer; it is registered if there is none of that name.
        consumer: String,
    },
}

/// Where reading a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KinesisStart {
    /// With the oldest record that is kept.
    TrimHorizon,
    /// With what comes.
    Latest,
}

/// An SQS queue that EventBridge fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsSource {
    /// Its URL.
    pub queue_url: String,
    /// For how long a received message is hidden from others, in seconds; extended while it is being judged.
    pub visibility_s: u32,
}

/// CloudTrail's log files in S3, as notifications on an SQS queue name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Source {
    /// The queue's URL.
    pub queue_url: String,
    /// As for [`SqsSource`].
    pub visibility_s: u32,
}

/// The store in DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoDbStore {
    /// The table; it is made if there is none.
    pub table: String,
    /// The S3 bucket of the engine's memory.
    pub snapshot_bucket: String,
    /// What the keys there begin with.
    pub snapshot_prefix: String,
}

/// A sink that is a service of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsSink {
    /// EventBridge PutEvents.
    EventBridge {
        /// The bus, by name or ARN.
        bus: String,
        /// The `source` of the events.
        source: String,
    },
    /// SNS Publish.
    Sns {
        /// The topic.
        topic_arn: String,
    },
    /// Security Hub BatchImportFindings.
    SecurityHub {
        /// The region; `None` is that of `[aws]`.
        region: Option<String>,
    },
}

/// How an account other than the daemon's own is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountAccess {
    /// The role to assume there; `None` where the daemon's own credentials are for that account.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<Secret>,
    /// Its regions; empty is those of `[aws]`.
    pub regions: Vec<String>,
}
