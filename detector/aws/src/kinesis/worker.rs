//! Reads all shards of a stream: finds them, starts a reader for each when its turn comes, and watches their lag.
//!
//! For one worker that reads a stream whole. Sharing shards between workers is not its business.

use std::{collections::BTreeMap, time::Duration};

use bedrock_watch_service::{
    cloud::Attached,
    config::aws::{KinesisMode, KinesisSource},
};
use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    consumer,
    handover::{IntakeSink, ShardBatch, ShardSink as _},
    lag::Lags,
    lookout::Lookout,
    plan::{Plan, Step},
    position::{Position, Start},
    reader::{End, How, Shared},
    shards::{Shard, Shards},
    stream::Stream,
    trouble::Trouble,
};

/// Shards that are read at once. A stream with more needs several workers.
const READERS_MAX: usize = 1_000;
/// How often shards are listed; a reshard is usually found sooner, by the end of a parent.
const LIST_EVERY: Duration = Duration::from_secs(60);
/// The least time between two listings.
const LIST_EVERY_MIN: Duration = Duration::from_millis(200);

/// Reads a stream until it is stopped.
pub(super) async fn run(stream: Stream, source: KinesisSource, attached: Attached, lags: Lags) {
    let name = format!("kinesis {}", stream.configured());
    attached.status.set(&name, "its shards are not known yet");
    let mut trouble = Trouble::new(&name, &attached.status, &lags);
    let how = match &source.mode {
        KinesisMode::Polling => Some(How::Polling(Duration::from_millis(source.poll_ms))),
        KinesisMode::FanOut { consumer } => fan_out(&stream, consumer, &mut trouble, &attached).await,
    };
    let Some(how) = how else { return };
    let prefix = stream.source_prefix();
    let plan = Plan::new(source.start, positions(&prefix, &attached.positions), positions(&prefix, &attached.ahead));
    let worker = Worker {
        lookout: Lookout::new(prefix, Duration::from_secs(source.lag_max_s), &lags, &attached.status),
        shared: Shared::new(stream, how, lags, attached.status.clone()),
        name,
        plan,
        trouble,
        listed: Shards::default(),
        readers: JoinSet::new(),
        read_by: BTreeMap::new(),
        attached,
    };
    worker.run().await;
}

/// The consumer of enhanced fan-out, once it is ready; `None` when told to stop before.
pub(super) async fn fan_out(
    stream: &Stream,
    consumer: &str,
    trouble: &mut Trouble,
    attached: &Attached,
) -> Option<How> {
    loop {
        match attached.stop.run_until_cancelled(consumer::ready(stream, consumer)).await? {
            Ok(arn) => {
                trouble.over();
                return Some(How::FanOut(arn));
            }
            Err(failure) => {
                let pause = trouble.note(&failure);
                attached.stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            }
        }
    }
}

/// The positions of a stream's shards, by shard.
fn positions(prefix: &str, positions: &BTreeMap<String, String>) -> BTreeMap<String, Position> {
    let of_shard = |(source, position): (&String, &String)| {
        let shard = source.strip_prefix(prefix)?;
        match Position::parse(position) {
            Ok(position) => Some((shard.to_owned(), position)),
            Err(text) => {
                tracing::error!(source, "the position {text:?} cannot be read; the shard is read as if it were new");
                None
            }
        }
    };
    positions.iter().filter_map(of_shard).collect()
}

struct Worker {
    /// What the stream is called in `/readyz`.
    name: String,
    shared: Shared,
    attached: Attached,
    plan: Plan,
    trouble: Trouble,
    lookout: Lookout,
    listed: Shards,
    readers: JoinSet<End>,
    /// Which shard each task reads.
    read_by: BTreeMap<Id, String>,
}

impl Worker {
    async fn run(mut self) {
        let stop = self.attached.stop.clone();
        let mut look = Lookout::times();
        let mut list_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(list_at) => {
                    let Some(every) = stop.run_until_cancelled(self.list()).await else { break };
                    list_at = later(every);
                    self.start().await;
                }
                Some(ended) = self.readers.join_next_with_id() => {
                    match ended {
                        Ok((id, end)) => self.ended(id, Some(end)),
                        Err(error) => {
                            tracing::error!(source = self.name, %error, "a reader failed and is started again");
                            self.ended(error.id(), None);
                        }
                    }
                    list_at = list_at.min(later(LIST_EVERY_MIN));
                    self.start().await;
                }
                _ = look.tick() => self.lookout.look(),
            }
        }
        // What they have read is handed over.
        while self.readers.join_next().await.is_some() {}
        tracing::info!(source = self.name, "reading has ended");
    }

    /// Lists the shards. Returns when to do it again.
    async fn list(&mut self) -> Duration {
        match Shards::list(&self.shared.stream).await {
            Ok(listed) => {
                self.trouble.over();
                self.attached.status.clear(&self.name);
                self.listed = listed;
                LIST_EVERY
            }
            Err(failure) => self.trouble.note(&failure),
        }
    }

    /// Starts what can be read by now.
    async fn start(&mut self) {
        if self.listed.iter().next().is_none() {
            return;
        }
        let room = READERS_MAX.saturating_sub(self.plan.running());
        let (steps, waiting) = self.plan.next(&self.listed, room);
        if waiting > 0 {
            let reason = format!(
                "{waiting} shards are not read, because {READERS_MAX} are already; share them between workers ([leases])"
            );
            tracing::error!(source = self.name, "{reason}");
            self.attached.status.set(&self.name, &reason);
        }
        for step in steps {
            match step {
                Step::Read { shard, start, committed } => self.read(shard, start, committed),
                Step::Skip { shard, lost_after, committed } => self.skip(&shard, lost_after, committed).await,
            }
        }
    }

    fn read(&mut self, shard: Shard, start: Start, committed: Option<Position>) {
        let reader = self.shared.reader(shard.clone());
        let intake = self.attached.intake.named(&self.shared.stream.source(&shard.id));
        let mut sink = IntakeSink::new(intake, committed);
        let stop = self.attached.stop.clone();
        let task = self.readers.spawn(async move {
            let end = reader.run(start, &mut sink, &stop).await;
            if end == End::Gone {
                // Remembered as read, so that it is said once.
                let batch = ShardBatch { records: Default::default(), position: Position::ShardEnd, arrived: None };
                sink.take(batch).await.unwrap_or_default();
            }
            end
        });
        self.read_by.insert(task.id(), shard.id);
    }

    /// Nothing of a shard is read; whoever waits for it is told.
    async fn skip(&self, shard: &str, lost_after: Option<Position>, committed: Option<Position>) {
        let source = self.shared.stream.source(shard);
        if let Some(position) = lost_after {
            tracing::error!(source, %position, "the shard is no longer there: what followed the position is lost");
            self.attached.status.telemetry().meters.stream_lost.add(1);
        }
        let batch = ShardBatch { records: Default::default(), position: Position::ShardEnd, arrived: None };
        // When nothing is taken any more, the service is shutting down.
        IntakeSink::new(self.attached.intake.named(&source), committed).take(batch).await.unwrap_or_default();
    }

    /// A reader has ended; `None` when it failed.
    fn ended(&mut self, id: Id, end: Option<End>) {
        let Some(shard) = self.read_by.remove(&id) else { return };
        let source = self.shared.stream.source(&shard);
        let is_done = match end {
            Some(End::ShardEnd { children }) => {
                let ids: Vec<&str> = children.iter().map(|child| child.id.as_str()).collect();
                tracing::info!(source, children = ids.join(", "), "the shard is read to its end");
                let unknown: Vec<Shard> =
                    children.into_iter().filter(|child| self.listed.get(&child.id).is_none()).collect();
                self.listed.extend(unknown);
                true
            }
            Some(End::Gone) => {
                tracing::error!(source, "the shard is no longer there: what was not read of it is lost");
                self.attached.status.telemetry().meters.stream_lost.add(1);
                true
            }
            Some(End::Stopped) | None => false,
        };
        self.plan.ended(&shard, is_done);
        self.lookout.forget(&source);
    }
}

fn later(than: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(than).unwrap_or(now)
}
