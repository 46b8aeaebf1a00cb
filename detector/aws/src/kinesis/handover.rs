//! How a shard's records get to whoever judges them.

use jiff::Timestamp;

use bedrock_watch_service::source::{Intake, Kept, Records, Refused, Repeat};

use super::position::Position;

/// Records of one shard, in its order.
#[derive(Debug)]
pub struct ShardBatch {
    /// The records; none where only the position has moved on.
    pub records: Records,
    /// Up to where the shard is read with them.
    pub position: Position,
    /// When the last of them arrived at the stream.
    pub arrived: Option<Timestamp>,
}

/// Takes what a reader reads. Waiting in it holds the reader back, and only the reader.
pub trait ShardSink: Send {
    /// Takes a batch.
    ///
    /// # Errors
    /// When nothing is taken any more; the reader ends.
    fn take(&mut self, batch: ShardBatch) -> impl Future<Output = Result<(), Refused>> + Send;

    /// Everything there is has been taken, for now.
    ///
    /// # Errors
    /// As for [`Self::take`].
    fn at_tip(&mut self) -> impl Future<Output = Result<(), Refused>> + Send;
}

/// Hands a shard's records to the daemon's queue, and says which of them were judged before a restart.
#[derive(Debug)]
pub struct IntakeSink {
    intake: Intake,
    /// Records up to here were judged before; `None` once that is behind.
    committed: Option<Position>,
}

impl IntakeSink {
    /// Hands over to `intake`, named for the shard. Records up to `committed` are a repeat.
    #[must_use]
    pub const fn new(intake: Intake, committed: Option<Position>) -> Self {
        Self { intake, committed }
    }

    /// Says that what was judged before will not come (again), if that is still expected.
    ///
    /// # Errors
    /// When the service is shutting down.
    pub async fn nothing_repeats(&mut self) -> Result<(), Refused> {
        match self.committed.take() {
            Some(_) => self.intake.send(Records::default(), Kept::Nowhere, Repeat::Last).await,
            None => Ok(()),
        }
    }
}

impl ShardSink for IntakeSink {
    async fn take(&mut self, batch: ShardBatch) -> Result<(), Refused> {
        let repeat = match &self.committed {
            None => Repeat::New,
            Some(committed) if batch.position < *committed => Repeat::Again,
            Some(_) => Repeat::Last,
        };
        if repeat == Repeat::Last {
            self.committed = None;
        }
        self.intake.send(batch.records, Kept::At(batch.position.to_string()), repeat).await
    }

    async fn at_tip(&mut self) -> Result<(), Refused> {
        self.nothing_repeats().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_a_repeat() {
        let check = |committed: Option<&str>, positions: &[&str], expected: &[(Kept, Repeat)]| {
            let (intake, mut batches) = Intake::queue("kinesis s/1", 10);
            let committed = committed.map(|text| Position::parse(text).unwrap());
            let mut sink = IntakeSink::new(intake, committed);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                for position in positions {
                    let position = Position::parse(position).unwrap();
                    sink.take(ShardBatch { records: Records::default(), position, arrived: None }).await.unwrap();
                }
                sink.at_tip().await.unwrap();
            });
            let taken: Vec<_> = std::iter::from_fn(|| batches.try_recv().ok()).collect();
            let taken: Vec<_> = taken.into_iter().map(|batch| (batch.kept, batch.repeat)).collect();
            assert_eq!(taken, expected);
        };
        let at = |position: &str| Kept::At(position.to_owned());
        check(None, &["8", "9"], &[(at("8"), Repeat::New), (at("9"), Repeat::New)]);
        check(
            Some("9"),
            &["8", "9", "10"],
            &[(at("8"), Repeat::Again), (at("9"), Repeat::Last), (at("10"), Repeat::New)],
        );
        check(
            Some("9"),
            &["8", "12", "13"],
            &[(at("8"), Repeat::Again), (at("12"), Repeat::Last), (at("13"), Repeat::New)],
        );
        check(Some("9"), &["8"], &[(at("8"), Repeat::Again), (Kept::Nowhere, Repeat::Last)]);
        check(Some("SHARD_END"), &["8", "SHARD_END"], &[(at("8"), Repeat::Again), (at("SHARD_END"), Repeat::Last)]);
    }
}
