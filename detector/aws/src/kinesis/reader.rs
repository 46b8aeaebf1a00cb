//! Reads one shard, from a place to its end, by polling or by enhanced fan-out.
//!
//! Knows nothing of other shards, of leases or of a stream's history: whoever runs it says where it begins and takes
//! what it reads.

use std::{sync::Arc, time::Duration};

use bedrock_watch_service::{source::Refused, status::Status};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    failure::Failure,
    fan_out,
    handover::ShardSink,
    lag::Lags,
    polling,
    position::Start,
    progress::Progress,
    shards::{Shard, Shards},
    stream::Stream,
    trouble::Trouble,
};

/// Answers of GetRecords that may be in memory at once, of all shards: each has up to 10 MiB of records, and is in
/// memory about three times while it is read.
const ANSWERS_MAX: usize = 8;

/// How shards are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By GetRecords, this often.
    Polling(Duration),
    /// By SubscribeToShard, as the consumer of this ARN.
    FanOut(String),
}

/// What the readers of a stream share. Clones are the same.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The stream.
    pub stream: Stream,
    /// How its shards are read.
    pub how: How,
    /// How far behind each is.
    pub lags: Lags,
    /// What does not work.
    pub status: Status,
    answers: Arc<Semaphore>,
}

/// Why a reader ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The shard is closed and read to its end, which was handed over as a position.
    ShardEnd {
        /// The shards that came of it, as far as Kinesis told.
        children: Vec<Shard>,
    },
    /// There is no such shard (any more).
    Gone,
    /// It was told to stop, or nothing is taken any more.
    Stopped,
}

/// Reads one shard.
#[derive(Debug, Clone)]
pub struct ShardReader {
    pub(super) shared: Shared,
    pub(super) shard: Shard,
    pub(super) source: String,
}

impl Shared {
    /// What readers of `stream` share.
    #[must_use]
    pub fn new(stream: Stream, how: How, lags: Lags, status: Status) -> Self {
        Self { stream, how, lags, status, answers: Arc::new(Semaphore::new(ANSWERS_MAX)) }
    }

    /// A reader of one of its shards.
    #[must_use]
    pub fn reader(&self, shard: Shard) -> ShardReader {
        let source = self.stream.source(&shard.id);
        ShardReader { shared: self.clone(), shard, source }
    }
}

impl ShardReader {
    /// Reads from `start` and hands everything to `sink`, until the shard's end or until it is stopped. What was read
    /// when it is stopped is still handed over.
    pub async fn run(&self, start: Start, sink: &mut impl ShardSink, stop: &CancellationToken) -> End {
        let lags = &self.shared.lags;
        lags.begin(&self.source);
        tracing::info!(source = self.source, "reading from {start}");
        let mut progress = Progress::new(self, start, sink);
        let end = match &self.shared.how {
            How::Polling(every) => polling::read(self, &mut progress, *every, stop).await,
            How::FanOut(consumer) => fan_out::read(self, &mut progress, consumer, stop).await,
        };
        let end = match end {
            Ok(End::ShardEnd { children }) => match progress.end().await {
                Ok(()) => End::ShardEnd { children },
                Err(_) => End::Stopped,
            },
            Ok(end) => end,
            Err(Refused::Full | Refused::Closed) => End::Stopped,
        };
        lags.end(&self.source);
        end
    }

    /// Waits until another answer may be in memory.
    pub(super) async fn room(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // It is never closed.
        self.shared.answers.acquire().await.ok()
    }

    /// What failed calls of this reader cause.
    pub(super) fn trouble(&self) -> Trouble {
        Trouble::new(&self.source, &self.shared.status, &self.shared.lags)
    }

    /// Whether the end of the shard is to be believed that its last answer claims, and the shards that came of it. Kinesis
    /// has given a null iterator for open shards, and some emulators name no children.
    pub(super) async fn confirm_end(&self, told: Vec<Shard>) -> Result<Vec<Shard>, Failure> {
        if !told.is_empty() {
            return Ok(told);
        }
        let shards = Shards::list(&self.shared.stream).await?;
        if shards.is_over(&self.shard.id) {
            return Ok(shards.children(&self.shard.id));
        }
        Err(Failure::passing(
            "GetRecords",
            "the shard seems to have ended, but it is listed as open and without children",
        ))
    }

    /// Whether the shard is not there, though the stream is.
    pub(super) async fn is_gone(&self) -> bool {
        let listed = Shards::list(&self.shared.stream).await;
        listed.is_ok_and(|shards| shards.iter().next().is_some() && shards.get(&self.shard.id).is_none())
    }
}
