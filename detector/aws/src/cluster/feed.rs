//! The sources of a unit: its own shard, and every stream of state whole.

use std::time::Duration;

use bedrock_watch_service::{
    cloud::{Attached, CloudError},
    config::aws::{KinesisMode, KinesisSource, KinesisStart},
    source::Records,
    units::{Feed, Unit},
};
use tokio::sync::oneshot;

use super::shards::Known;
use crate::{
    Aws,
    kinesis::{
        self, End, How, IntakeSink, Lags, Lookout, Position, Shard, ShardBatch, ShardSink as _, Shared, Start, Stream,
    },
};

/// Every unit reads every shard of state, and Kinesis answers five reads a second for one shard. All units of all
/// workers together ask twice a second, so that there is room for a rolling deployment and for others.
const STATE_PAUSE_PER_UNIT: Duration = Duration::from_millis(500);

/// The sources of units.
#[derive(Debug)]
pub(super) struct ShardFeed {
    aws: Aws,
    activity: KinesisSource,
    state: Vec<KinesisSource>,
    known: Known,
}

impl ShardFeed {
    pub(super) const fn new(aws: Aws, activity: KinesisSource, state: Vec<KinesisSource>, known: Known) -> Self {
        Self { aws, activity, state, known }
    }

    /// A stream of state as one unit reads it: less often the more units there are.
    fn paced(&self, source: &KinesisSource) -> KinesisSource {
        let units = u32::try_from(self.known.open()).unwrap_or(u32::MAX);
        let pause = STATE_PAUSE_PER_UNIT.saturating_mul(units).as_millis();
        let pause = u64::try_from(pause).unwrap_or(u64::MAX);
        KinesisSource { poll_ms: source.poll_ms.max(pause), ..source.clone() }
    }

    /// Where a unit begins to read its shard; `None` if it has read it to its end.
    fn start(&self, unit: &Unit, attached: &Attached) -> Option<Start> {
        match attached.positions.get(&unit.source).map(|position| Position::parse(position)) {
            Some(Ok(position)) => Start::from_position(&position),
            Some(Err(text)) => {
                tracing::error!(shard = unit.shard, "the position {text:?} cannot be read; the shard is read as new");
                Some(Start::TrimHorizon)
            }
            // What went before is in the parents, to their end.
            None if !unit.parents.is_empty() => Some(Start::TrimHorizon),
            // It was begun before, and its memory was not kept since.
            None if attached.ahead.contains_key(&unit.source) => Some(Start::TrimHorizon),
            None => Some(match self.activity.start {
                KinesisStart::TrimHorizon => Start::TrimHorizon,
                KinesisStart::Latest => Start::Latest,
            }),
        }
    }
}

impl Feed for ShardFeed {
    fn attach(&self, unit: &Unit, attached: Attached, ended: oneshot::Sender<()>) -> Result<(), CloudError> {
        // Every unit reads the shards of state, each as far as it comes.
        let lags = Lags::default();
        for source in &self.state {
            kinesis::attach(&self.aws, &self.paced(source), attached.clone(), &lags);
        }
        let (shard, known, id) = (self.known.shard(&unit.shard), self.known.clone(), unit.shard.clone());
        let start = self.start(unit, &attached);
        let committed = attached.ahead.get(&unit.source).and_then(|position| Position::parse(position).ok());
        let sink = IntakeSink::new(attached.intake.named(&unit.source), committed);
        let (aws, source, name) = (self.aws.clone(), self.activity.clone(), unit.source.clone());
        let mut reading = Reading { aws, source, name, lags, sink, attached: attached.clone() };
        attached.tracker.spawn(async move {
            let has_ended = match (start, shard) {
                (Some(start), Some(shard)) => Box::pin(reading.run_to_its_end(shard, start)).await,
                // It was there when the lease was gained.
                (Some(_), None) => {
                    let is_gone = reading.attached.stop.run_until_cancelled(known.is_gone(&id)).await;
                    is_gone == Some(true) && reading.give_up_the_rest().await
                }
                (None, _) => true,
            };
            if has_ended {
                // The unit may be gone.
                ended.send(()).unwrap_or_default();
            }
        });
        Ok(())
    }

    fn reads(&self, unit: &Unit, source: &str) -> bool {
        let is_state =
            |stream: &KinesisSource| source.starts_with(&Stream::new(self.aws.own(), &stream.stream).source_prefix());
        source == unit.source || self.state.iter().any(is_state)
    }
}

/// Reads the shard of a unit.
struct Reading {
    aws: Aws,
    source: KinesisSource,
    /// What the shard is called as a source.
    name: String,
    lags: Lags,
    sink: IntakeSink,
    attached: Attached,
}

impl Reading {
    /// Reads until the shard ends; false if it was stopped before.
    async fn run_to_its_end(&mut self, shard: Shard, start: Start) -> bool {
        let stream = Stream::new(self.aws.own(), &self.source.stream);
        let how = match &self.source.mode {
            KinesisMode::Polling => Some(How::Polling(Duration::from_millis(self.source.poll_ms))),
            KinesisMode::FanOut { consumer } => kinesis::fan_out(&stream, consumer, &self.attached, &self.lags).await,
        };
        let Some(how) = how else { return false };
        let (status, lag_max) = (&self.attached.status, Duration::from_secs(self.source.lag_max_s));
        let lookout = Lookout::new(self.name.clone(), lag_max, &self.lags, status);
        let reader = Shared::new(stream, how, self.lags.clone(), status.clone()).reader(shard);
        let reading = Box::pin(reader.run(start, &mut self.sink, &self.attached.stop));
        let end = lookout.during(reading).await;
        match end {
            End::ShardEnd { .. } => true,
            End::Gone => self.give_up_the_rest().await,
            End::Stopped => false,
        }
    }

    /// The shard is not there any more. It counts as read to its end, so that its memory is kept and the shards that came
    /// of it begin; false if nothing is taken any more.
    async fn give_up_the_rest(&mut self) -> bool {
        tracing::error!(source = self.name, "the shard is no longer there: what was not read of it is lost");
        self.attached.status.telemetry().meters.stream_lost.add(1);
        let batch = ShardBatch { records: Records::default(), position: Position::ShardEnd, arrived: None };
        self.sink.take(batch).await.is_ok()
    }
}
