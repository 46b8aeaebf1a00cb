//! Reads a shard by GetRecords.

use std::time::Duration;

use aws_sdk_kinesis::{
    operation::get_records::GetRecordsOutput,
    types::{ChildShard, ShardIteratorType},
};
use bedrock_watch_service::source::Refused;
use tokio::time::Instant;
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

/// The least time between two reads: Kinesis allows five a second, shared by everybody who reads the shard.
const EVERY_MIN: Duration = Duration::from_millis(200);
/// Records asked for at a time: the most Kinesis gives. Its other limit is 10 MiB.
const RECORDS_MAX: i32 = 10_000;

/// What comes after a read.
enum Next {
    Pause(Duration),
    End(End),
}

/// Reads until the end of the shard or until it is stopped.
pub(super) async fn read<S: ShardSink>(
    reader: &ShardReader,
    progress: &mut Progress<'_, S>,
    every: Duration,
    stop: &CancellationToken,
) -> Result<End, Refused> {
    let mut polling = Polling { reader, every, trouble: reader.trouble(), iterator: None };
    loop {
        match polling.step(progress, stop).await? {
            Next::End(end) => return Ok(end),
            Next::Pause(pause) => {
                if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return Ok(End::Stopped);
                }
            }
        }
    }
}

struct Polling<'a> {
    reader: &'a ShardReader,
    every: Duration,
    trouble: Trouble,
    iterator: Option<String>,
}

impl Polling<'_> {
    /// Asks once. A stop interrupts the asking, never the handing over.
    async fn step<S: ShardSink>(
        &mut self,
        progress: &mut Progress<'_, S>,
        stop: &CancellationToken,
    ) -> Result<Next, Refused> {
        let began = Instant::now();
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => match stop.run_until_cancelled(self.seek(progress.seek())).await {
                None => return Ok(Next::End(End::Stopped)),
                Some(Err(failure)) => return Ok(self.failed(progress, &failure).await),
                Some(Ok(iterator)) => {
                    progress.begun().await?;
                    iterator
                }
            },
        };
        let asked = async {
            let room = self.reader.room().await;
            let answer = self.ask(&iterator).await;
            (room, answer)
        };
        match stop.run_until_cancelled(asked).await {
            None => Ok(Next::End(End::Stopped)),
            Some((_, Err(failure))) => {
                self.iterator = Some(iterator);
                Ok(self.failed(progress, &failure).await)
            }
            Some((room, Ok(answer))) => {
                let GetRecordsOutput { records, next_shard_iterator, millis_behind_latest, child_shards, .. } = answer;
                let count = records.len();
                progress.hand_over(records).await?;
                drop(room);
                progress.told(millis_behind_latest, count).await?;
                self.iterator = next_shard_iterator;
                if self.iterator.is_none() {
                    return Ok(self.end(child_shards.unwrap_or_default(), stop).await);
                }
                self.trouble.over();
                let is_behind = count > 0 && millis_behind_latest.unwrap_or_default() > 0;
                let every = if is_behind { EVERY_MIN } else { self.every };
                Ok(Next::Pause(every.saturating_sub(began.elapsed())))
            }
        }
    }

    async fn seek(&self, start: Start) -> Result<String, Failure> {
        let call = "GetShardIterator";
        let stream = &self.reader.shared.stream;
        let request = stream.client().get_shard_iterator().set_stream_name(stream.name()).set_stream_arn(stream.arn());
        let request = request.shard_id(&self.reader.shard.id);
        let request = match start {
            Start::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Start::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Start::At(time) => request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(date_time(time)),
            Start::After(sequence) => request
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .starting_sequence_number(sequence.as_str()),
        };
        let answer = request.send().await.map_err(|error| Failure::new(call, &error))?;
        answer.shard_iterator.ok_or_else(|| Failure::passing(call, "the answer has no iterator"))
    }

    async fn ask(&self, iterator: &str) -> Result<GetRecordsOutput, Failure> {
        let stream = &self.reader.shared.stream;
        let request = stream.client().get_records().shard_iterator(iterator).limit(RECORDS_MAX);
        let request = request.set_stream_arn(stream.arn());
        request.send().await.map_err(|error| Failure::new("GetRecords", &error))
    }

    /// A call failed: what to keep of what is known, and how long to wait.
    async fn failed<S: ShardSink>(&mut self, progress: &mut Progress<'_, S>, failure: &Failure) -> Next {
        match failure.meaning {
            // What does not pass may be the iterator's fault: one that arrived spoiled would be refused for ever, and
            // with anything but a clear word.
            Meaning::Expired | Meaning::Passing => self.iterator = None,
            // Without an iterator it was the position that was refused.
            Meaning::Unusable if self.iterator.take().is_none() => progress.begin_again(),
            Meaning::Missing => {
                self.iterator = None;
                if self.reader.is_gone().await {
                    return Next::End(End::Gone);
                }
            }
            _ => {}
        }
        Next::Pause(self.trouble.note(failure))
    }

    /// There is no further iterator.
    async fn end(&mut self, children: Vec<ChildShard>, stop: &CancellationToken) -> Next {
        let told = children.into_iter().map(Shard::from).collect();
        match stop.run_until_cancelled(self.reader.confirm_end(told)).await {
            None => Next::End(End::Stopped),
            Some(Ok(children)) => Next::End(End::ShardEnd { children }),
            Some(Err(failure)) => Next::Pause(self.trouble.note(&failure)),
        }
    }
}
