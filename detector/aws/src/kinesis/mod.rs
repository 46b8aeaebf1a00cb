//! Kinesis Data Streams as a source.
//!
//! ```text
//! worker: shards of the stream -> plan: whose turn is it, from where -> one reader each
//! reader: polling or fan_out (answers by wire) -> progress: what is new -> unpack (kpl) -> handover -> the daemon's queue
//! ```
//!
//! A shard is a source of its own, called `kinesis STREAM/SHARD`; its position is the sequence number of the last record
//! handed over, or `SHARD_END`. The reader of one shard is usable by itself. Leases are deliberately not here.

mod behind;
mod consumer;
mod failure;
mod fan_out;
mod handover;
mod kpl;
mod lag;
mod lookout;
mod plan;
mod polling;
mod position;
mod progress;
mod reader;
mod shards;
mod stream;
mod trouble;
mod unpack;
mod wire;
mod worker;

use bedrock_watch_service::{cloud::Attached, config::aws::KinesisSource};

pub use failure::{Failure, Meaning};
pub use handover::{IntakeSink, ShardBatch, ShardSink};
pub use lag::{Lags, ReadCounters, ShardLag};
pub use position::{Position, Sequence, Start};
pub use reader::{End, How, ShardReader, Shared};
pub use shards::{Shard, Shards};
pub use stream::Stream;

pub(crate) use self::lookout::Lookout;
use self::trouble::Trouble;
use crate::Aws;

/// How a stream is read by enhanced fan-out, once its consumer is ready; `None` when told to stop before.
pub(crate) async fn fan_out(stream: &Stream, consumer: &str, attached: &Attached, lags: &Lags) -> Option<How> {
    let mut trouble = Trouble::new(&format!("kinesis {}", stream.configured()), &attached.status, lags);
    worker::fan_out(stream, consumer, &mut trouble, attached).await
}

/// Reads a whole stream into the daemon, until it is stopped.
pub(crate) fn attach(aws: &Aws, source: &KinesisSource, attached: Attached, lags: &Lags) {
    let stream = Stream::new(aws.own(), &source.stream);
    let tracker = attached.tracker.clone();
    tracker.spawn(worker::run(stream, source.clone(), attached, lags.clone()));
}
