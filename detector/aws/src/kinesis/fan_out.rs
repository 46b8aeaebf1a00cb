//! Reads a shard by SubscribeToShard: Kinesis pushes records for five minutes, then the reader subscribes again.

use std::time::Duration;

use aws_sdk_kinesis::types::{
    ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
    error::SubscribeToShardEventStreamError,
};
use aws_sdk_kinesis::{operation::subscribe_to_shard::SubscribeToShardOutput, primitives::event_stream::EventReceiver};
use bedrock_watch_service::source::Refused;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    failure::{Failure, Meaning},
    handover::ShardSink,
    position::Start,
    progress::{Progress, date_time},
    reader::{End, ShardReader},
    shards::Shard,
    trouble::Trouble,
};

/// The least time between two subscriptions to a shard; sooner is refused (ResourceInUse, LimitExceeded).
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Kinesis says something every five seconds even where nothing is written. A connection silent for this long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(35);
/// How long Kinesis may take to accept a subscription.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(15);

type Events = EventReceiver<SubscribeToShardEventStream, SubscribeToShardEventStreamError>;

/// How a subscription ended.
enum Ended {
    /// After its five minutes, as planned.
    Over,
    /// With the shard, as its last event says.
    Shard(Vec<Shard>),
    /// Too early.
    Failed(Failure),
    Stopped,
}

/// Reads until the end of the shard or until it is stopped.
pub(super) async fn read<S: ShardSink>(
    reader: &ShardReader,
    progress: &mut Progress<'_, S>,
    consumer: &str,
    stop: &CancellationToken,
) -> Result<End, Refused> {
    let mut fan_out = FanOut { reader, consumer, trouble: reader.trouble(), continues: false };
    loop {
        let began = Instant::now();
        let pause = match fan_out.subscription(progress, stop).await? {
            Ended::Stopped => return Ok(End::Stopped),
            Ended::Over => Duration::ZERO,
            Ended::Shard(told) => match stop.run_until_cancelled(reader.confirm_end(told)).await {
                None => return Ok(End::Stopped),
                Some(Ok(children)) => return Ok(End::ShardEnd { children }),
                Some(Err(failure)) => fan_out.trouble.note(&failure),
            },
            Ended::Failed(failure) => match fan_out.failed(progress, &failure).await {
                Some(pause) => pause,
                None => return Ok(End::Gone),
            },
        };
        let pause = pause.max(EVERY_MIN.saturating_sub(began.elapsed()));
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(End::Stopped);
        }
    }
}

struct FanOut<'a> {
    reader: &'a ShardReader,
    consumer: &'a str,
    trouble: Trouble,
    /// Whether the last event said where to go on, so that nothing need be asked for again.
    continues: bool,
}

impl FanOut<'_> {
    /// Subscribes and reads to the subscription's end. A stop interrupts the waiting, never the handing over.
    async fn subscription<S: ShardSink>(
        &mut self,
        progress: &mut Progress<'_, S>,
        stop: &CancellationToken,
    ) -> Result<Ended, Refused> {
        let start = self.starting_position(progress);
        let mut events = match stop.run_until_cancelled(self.subscribe(start)).await {
            None => return Ok(Ended::Stopped),
            Some(Err(failure)) => return Ok(Ended::Failed(failure)),
            Some(Ok(answer)) => answer.event_stream,
        };
        progress.begun().await?;
        loop {
            let event = match stop.run_until_cancelled(next(&mut events)).await {
                None => return Ok(Ended::Stopped),
                Some(Err(failure)) => return Ok(Ended::Failed(failure)),
                Some(Ok(None)) => return Ok(Ended::Over),
                Some(Ok(Some(event))) => event,
            };
            let SubscribeToShardEvent {
                records, continuation_sequence_number, millis_behind_latest, child_shards, ..
            } = event;
            let count = records.len();
            progress.hand_over(records).await?;
            progress.told(Some(millis_behind_latest), count).await?;
            let children = child_shards.unwrap_or_default();
            if !children.is_empty() || continuation_sequence_number.is_empty() {
                self.continues = false;
                return Ok(Ended::Shard(children.into_iter().map(Shard::from).collect()));
            }
            progress.passed(&continuation_sequence_number);
            self.continues = true;
            self.trouble.over();
        }
    }

    fn starting_position<S: ShardSink>(&self, progress: &mut Progress<'_, S>) -> Option<StartingPosition> {
        let position = StartingPosition::builder();
        let position = match if self.continues { progress.go_on() } else { progress.seek() } {
            Start::TrimHorizon => position.r#type(ShardIteratorType::TrimHorizon),
            Start::Latest => position.r#type(ShardIteratorType::Latest),
            Start::At(time) => position.r#type(ShardIteratorType::AtTimestamp).timestamp(date_time(time)),
            Start::After(sequence) => {
                let r#type = match self.continues {
                    true => ShardIteratorType::AfterSequenceNumber,
                    false => ShardIteratorType::AtSequenceNumber,
                };
                position.r#type(r#type).sequence_number(sequence.as_str())
            }
        };
        // Its only required field is there.
        position.build().ok()
    }

    async fn subscribe(&self, start: Option<StartingPosition>) -> Result<SubscribeToShardOutput, Failure> {
        let call = "SubscribeToShard";
        let request = self.reader.shared.stream.client().subscribe_to_shard().consumer_arn(self.consumer);
        let request = request.shard_id(&self.reader.shard.id).set_starting_position(start);
        match timeout(SUBSCRIBE_TIMEOUT, request.send()).await {
            Ok(answer) => answer.map_err(|error| Failure::new(call, &error)),
            Err(_) => Err(Failure::passing(call, "no answer in time")),
        }
    }

    /// A subscription failed. How long to wait before the next; `None` when the shard is not there any more.
    async fn failed<S: ShardSink>(&mut self, progress: &mut Progress<'_, S>, failure: &Failure) -> Option<Duration> {
        match failure.meaning {
            Meaning::Unusable => {
                self.continues = false;
                progress.begin_again();
            }
            Meaning::Missing if self.reader.is_gone().await => return None,
            _ => {}
        }
        Some(self.trouble.note(failure))
    }
}

/// The next event; `None` at the subscription's planned end.
async fn next(events: &mut Events) -> Result<Option<SubscribeToShardEvent>, Failure> {
    let call = "SubscribeToShard";
    loop {
        match timeout(SILENCE_MAX, events.recv()).await {
            Err(_) => return Err(Failure::passing(call, "the subscription has fallen silent")),
            Ok(Err(error)) => return Err(Failure::new(call, &error)),
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => return Ok(Some(event)),
            // What a later version of Kinesis adds.
            Ok(Ok(Some(_))) => {}
        }
    }
}
