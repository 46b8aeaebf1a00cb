//! What AWS and the machine answered: everything the checks look at.
//!
//! An answer that could not be had is a fact too. Deliberately no SDK type here, so that every check can be tried with
//! facts that no emulator can produce.

use std::collections::{BTreeMap, BTreeSet};

/// An answer, or why there is none.
pub type Asked<T> = Result<T, NotAsked>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.explained())]
pub struct NotAsked {
    /// The IAM action of the call, such as `cloudtrail:DescribeTrails`.
    pub action: String,
    /// What kind of failure it was.
    pub why: Why,
    /// What AWS said.
    pub message: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The caller may not ask.
    Denied,
    /// What was asked about does not exist.
    NotFound,
    /// Anything else.
    Failed,
}

impl NotAsked {
    fn explained(&self) -> String {
        let Self { action, why, message } = self;
        match why {
            Why::Denied => format!("the permission {action} is missing ({message})"),
            Why::NotFound => format!("{action} found nothing: {message}"),
            Why::Failed => format!("{action} failed: {message}"),
        }
    }
}

/// Everything about one account and region.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The region.
    pub region: String,
    /// The account and ARN of the caller.
    pub caller: Asked<Caller>,
    /// The trails that concern the region.
    pub trails: Asked<Vec<Trail>>,
    /// Where the service reads, as configured.
    pub entries: Vec<Entry>,
    /// The rules on the default bus that lead to an entry.
    pub rules: Asked<Vec<Rule>>,
    /// The rules of the region in which global services log (us-east-1) that lead to this region's bus; `None` in that
    /// region itself.
    pub global_rules: Option<Asked<Vec<Rule>>>,
    /// The roles of targets, by ARN.
    pub roles: BTreeMap<String, Asked<Role>>,
    /// The customer keys of streams and queues, by what names them there.
    pub keys: BTreeMap<String, Asked<Key>>,
    /// The queues that are named as dead-letter queues, by ARN.
    pub dead_letters: BTreeMap<String, Asked<DeadLetters>>,
    /// What the caller may do.
    pub rights: Rights,
    /// How many agents there are.
    pub agents: Asked<usize>,
    /// How many knowledge bases there are.
    pub knowledge_bases: Asked<usize>,
    /// Whether invocations are logged.
    pub invocation_logging: Asked<bool>,
    /// Whether an alternate security contact is set.
    pub security_contact: Asked<bool>,
    /// How far the own clock is ahead of AWS's, in seconds.
    pub clock_ahead_s: Asked<i64>,
    /// Each sink by name, and what it answered.
    pub sinks: Vec<(String, SinkAnswer)>,
    /// What the daemon answers at `/readyz`; `None` where its address is not known.
    pub daemon: Option<Daemon>,
    /// Whether a canary came back; `None` where none was sent.
    pub canary: Option<Canary>,
}

/// What the caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What it may not do, of everything the configuration needs: actions.
    pub denied: Asked<BTreeSet<String>>,
    /// What else the configuration needs, and why it was not looked at.
    pub unknown: Vec<String>,
    /// What it may do and should not: actions. `None` where a person asks, who is not expected to have so little.
    pub excess: Option<Asked<BTreeSet<String>>>,
}

/// What came of asking a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkAnswer {
    /// It answers.
    Answers(String),
    /// It cannot be asked, for this reason.
    NotAsked(String),
    /// It does not answer.
    Fails(String),
}

impl From<Result<String, String>> for SinkAnswer {
    fn from(answer: Result<String, String>) -> Self {
        answer.map_or_else(Self::Fails, Self::Answers)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: String,
    /// The ARN.
    pub arn: String,
}

/// A trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// The ARN.
    pub arn: String,
    /// Whether it covers every region.
    pub multi_region: bool,
    /// Whether it covers every account of the organization.
    pub organization: bool,
    /// Whether it records global services.
    pub global_services: bool,
    /// The bucket of its log files.
    pub bucket: Option<String>,
    /// Whether it logs right now.
    pub logging: Asked<bool>,
    /// What it logs.
    pub selectors: Asked<Selectors>,
}

/// What a trail logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Management events that read are logged.
    pub management_reads: bool,
    /// Management events that write are logged.
    pub management_writes: bool,
    /// Event sources whose management events are left out.
    pub excluded_sources: Vec<String>,
    /// Resource types whose data events are logged.
    pub data_resource_types: BTreeSet<String>,
}

/// A place from which the service reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A Kinesis stream.
    Stream {
        /// As configured.
        name: String,
        /// What AWS says about it.
        stream: Asked<Stream>,
    },
    /// An SQS queue that EventBridge fills.
    Queue {
        /// As configured.
        url: String,
        /// What AWS says about it.
        queue: Asked<Queue>,
    },
    /// The daemon's own HTTP address, as the target of an API destination.
    Http,
    /// A queue of notifications about CloudTrail's log files: it needs no rule.
    LogFiles {
        /// As configured.
        url: String,
        /// What AWS says about it.
        queue: Asked<Queue>,
    },
}

impl Entry {
    /// The ARN, where it is known.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Stream { stream: Ok(stream), .. } => Some(&stream.arn),
            Self::Queue { queue: Ok(queue), .. } => Some(&queue.arn),
            _ => None,
        }
    }
}

/// A stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// The ARN.
    pub arn: String,
    /// The name.
    pub name: String,
    /// `ACTIVE`, `CREATING`, ...
    pub status: String,
    /// Retention, in hours.
    pub retention_h: i32,
    /// `ON_DEMAND` or `PROVISIONED`.
    pub mode: String,
    /// Open shards.
    pub open_shards: i32,
    /// The key it is encrypted with.
    pub key: Option<String>,
    /// What was written to it in the last 24 hours.
    pub traffic: Asked<Traffic>,
}

/// What was written to a stream in the last 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Bytes in its busiest minute.
    pub busiest_minute_bytes: f64,
    /// Records in its busiest minute.
    pub busiest_minute_records: f64,
    /// Writes that were refused because a shard was at its limit.
    pub refused: f64,
    /// How it was spread over the open shards; `None` where the stream has no shard-level metrics.
    pub shards: Option<Asked<Vec<ShardTraffic>>>,
}

/// What was written to a shard in the last 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardTraffic {
    /// The shard's id.
    pub shard: String,
    /// Bytes in its busiest minute.
    pub busiest_minute_bytes: f64,
    /// Records in its busiest minute.
    pub busiest_minute_records: f64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The ARN.
    pub arn: String,
    /// Whether messages that are received too often go to another queue.
    pub has_redrive: bool,
    /// The queue's policy, as JSON text.
    pub policy: Option<String>,
    /// The key it is encrypted with.
    pub key: Option<String>,
}

/// A queue for what could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// The URL.
    pub url: String,
    /// The queue's policy, as JSON text.
    pub policy: Option<String>,
}

/// A rule of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name.
    pub name: String,
    /// `ENABLED`, `DISABLED`, `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub state: String,
    /// The pattern, as JSON text.
    pub pattern: String,
    /// What AWS says about patterns that our own matcher does not know: sample name to match.
    pub tested: BTreeMap<String, bool>,
    /// Where it leads, of the entries.
    pub targets: Vec<Target>,
}

/// A target of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The target's id in its rule.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// The role that EventBridge uses.
    pub role: Option<String>,
    /// `KinesisParameters.PartitionKeyPath`.
    pub partition_key_path: Option<String>,
    /// The ARN of its dead-letter queue.
    pub dead_letter: Option<String>,
    /// Whether the event is changed on its way (`Input`, `InputPath`, `InputTransformer`).
    pub transforms: bool,
}

/// The role of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Who may assume it, as JSON text.
    pub trust: String,
    /// What it may not do, of what it must: actions.
    pub denied: Asked<BTreeSet<String>>,
    /// The keys of its targets that its own policies do not let it use, by what names them at the targets.
    pub denied_keys: Asked<BTreeSet<String>>,
}

/// A customer key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The ARN.
    pub arn: String,
    /// Whether it is AWS's own, which needs no rights.
    pub aws_managed: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion`, ...
    pub state: String,
    /// The key policy, as JSON text.
    pub policy: Asked<String>,
    /// Principals that hold grants.
    pub grantees: Asked<BTreeSet<String>>,
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The address that was asked.
    pub url: String,
    /// `Ok` with the reasons it is not ready, none if it is; or why it did not answer.
    pub answer: Result<BTreeMap<String, String>, String>,
}

/// What became of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    /// It came back.
    Back {
        /// After so many milliseconds.
        after_ms: u64,
        /// Through this stream.
        through: String,
    },
    /// It was sent and did not come back in time.
    Lost {
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// It could not be sent or waited for.
    NotTried(String),
}

/// One account and region, as the organization's coverage sees it.
#[derive(Debug, Clone)]
pub struct Covered {
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The region.
    pub region: String,
    /// The trails that concern it.
    pub trails: Asked<Vec<Trail>>,
    /// The rules on its default bus that may match what is needed, with their targets that lead to the service.
    pub rules: Asked<Vec<Rule>>,
}
