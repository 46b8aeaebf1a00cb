//! How far a reader has come, and what it hands over: never a record twice, never one out of order.
//!
//! What both ways of reading share. Each brings records from a place that [`Progress::seek`] names; whatever comes that
//! was handed over already is dropped, so a reader may always begin again a little earlier.

use aws_sdk_kinesis::types;
use bedrock_watch_service::{
    source::{Records, Refused},
    status::Status,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    handover::{ShardBatch, ShardSink},
    lag::{Lags, ReadCounters},
    position::{Position, Sequence, Start},
    reader::ShardReader,
    unpack::Unpack,
};

/// How far clocks may be apart: a shard that is read from what comes is read again from this much earlier, should it have
/// to be before its first record.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(10);

/// How far a reader has come.
pub(super) struct Progress<'a, S> {
    source: String,
    unpack: Unpack,
    sink: &'a mut S,
    lags: &'a Lags,
    status: &'a Status,
    /// Where to go on from.
    start: Start,
    /// The record that must come first after a seek, unless it is no longer kept.
    expected: Option<Sequence>,
}

impl<'a, S: ShardSink> Progress<'a, S> {
    /// A reader that begins at `start`.
    pub(super) fn new(reader: &'a ShardReader, start: Start, sink: &'a mut S) -> Self {
        let ShardReader { shared, shard, source } = reader;
        let (lags, status) = (&shared.lags, &shared.status);
        Self { source: source.clone(), unpack: Unpack::new(shard), sink, lags, status, start, expected: None }
    }

    /// Where records are to be asked for next. What was handed over last is asked for again: should it be missing, so
    /// may be what followed.
    pub(super) fn seek(&mut self) -> Start {
        if let Start::After(sequence) = &self.start {
            self.expected = Some(sequence.clone());
        }
        self.start.clone()
    }

    /// Where reading goes on without asking for anything again, because [`Self::passed`] said that it may.
    pub(super) fn go_on(&mut self) -> Start {
        self.expected = None;
        self.start.clone()
    }

    /// Records come from where [`Self::seek`] said. For one that begins with what comes, its beginning is a position
    /// like any other: without it, a restart before the first record would miss what came meanwhile.
    pub(super) async fn begun(&mut self) -> Result<(), Refused> {
        if self.start != Start::Latest {
            return Ok(());
        }
        let now = Timestamp::now();
        let begin = now.checked_sub(CLOCKS_APART).unwrap_or(now);
        let batch = ShardBatch { records: Records::default(), position: Position::Time(begin), arrived: None };
        self.sink.take(batch).await?;
        self.start = Start::At(begin);
        Ok(())
    }

    /// The position cannot be used any more: what is kept is read from its beginning.
    pub(super) fn begin_again(&mut self) {
        // Other beginnings cannot be too old; asking for them again is all there is.
        let Start::After(sequence) = &self.start else { return };
        tracing::error!(
            source = self.source,
            position = %sequence,
            "the stream does not know the position any more: what arrived after {} and is no longer kept is lost; \
             reading from the oldest record that is kept",
            time_of(sequence),
        );
        self.lost();
        self.start = Start::TrimHorizon;
        self.expected = None;
    }

    /// Hands over records, holding the reader back while there is no room.
    pub(super) async fn hand_over(&mut self, records: Vec<types::Record>) -> Result<(), Refused> {
        let (mut batch, mut last, mut met) = (Records::default(), None, ReadCounters::default());
        for record in records {
            let Some(sequence) = Sequence::parse(&record.sequence_number) else {
                tracing::error!(source = self.source, "a record without a sequence number is left out");
                continue;
            };
            let arrived = record.approximate_arrival_timestamp.as_ref().and_then(timestamp);
            if !self.is_new(&sequence, arrived) {
                continue;
            }
            met.add(&self.unpack.add(&record, &sequence, &mut batch));
            last = Some((sequence, arrived));
            if batch.is_full() {
                self.lags.count(&self.source, &std::mem::take(&mut met));
                self.send(std::mem::take(&mut batch), last.take()).await?;
            }
        }
        self.lags.count(&self.source, &met);
        self.send(batch, last).await
    }

    async fn send(&mut self, records: Records, last: Option<(Sequence, Option<Timestamp>)>) -> Result<(), Refused> {
        let Some((sequence, arrived)) = last else { return Ok(()) };
        let position = Position::Sequence(sequence.clone());
        self.sink.take(ShardBatch { records, position, arrived }).await?;
        self.lags.arrived(&self.source, arrived);
        self.start = Start::After(sequence);
        Ok(())
    }

    /// Whether a record was not handed over yet; says so when those before it are gone.
    fn is_new(&mut self, sequence: &Sequence, arrived: Option<Timestamp>) -> bool {
        if let Some(expected) = self.expected.take()
            && *sequence > expected
        {
            let first = arrived.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
            tracing::error!(
                source = self.source,
                position = %expected,
                "the position is older than the stream's retention: what arrived between {} and {first} is lost",
                time_of(&expected),
            );
            self.lost();
        }
        !matches!(&self.start, Start::After(handed_over) if sequence <= handed_over)
    }

    /// Records may have been lost, which was said.
    fn lost(&self) {
        self.lags.count(&self.source, &ReadCounters { lost: 1, ..ReadCounters::default() });
        self.status.telemetry().meters.stream_lost.add(1);
    }

    /// Everything up to `sequence` was given, though no record need have this number.
    pub(super) fn passed(&mut self, sequence: &str) {
        let Some(sequence) = Sequence::parse(sequence) else { return };
        if !matches!(&self.start, Start::After(handed_over) if *handed_over >= sequence) {
            self.start = Start::After(sequence);
        }
    }

    /// Kinesis said how far behind the newest record this is; nothing more is there for now when it is not.
    pub(super) async fn told(&mut self, behind_ms: Option<i64>, records: usize) -> Result<(), Refused> {
        self.lags.told(&self.source, behind_ms);
        if records == 0 && behind_ms.unwrap_or_default() <= 0 {
            return self.sink.at_tip().await;
        }
        Ok(())
    }

    /// The shard is read to its end.
    pub(super) async fn end(&mut self) -> Result<(), Refused> {
        self.sink.take(ShardBatch { records: Records::default(), position: Position::ShardEnd, arrived: None }).await
    }
}

fn time_of(sequence: &Sequence) -> String {
    sequence.time().map_or_else(|| "an unknown time".to_owned(), |time| format!("about {time}"))
}

fn timestamp(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// A time as the SDK takes it.
pub(super) fn date_time(time: Timestamp) -> aws_smithy_types::DateTime {
    aws_smithy_types::DateTime::from_millis(time.as_millisecond())
}
