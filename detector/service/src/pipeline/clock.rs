//! What time it is for the loop: the only place in the service where a clock is read.

use std::time::Duration;

use bedrock_watch_engine::Second;

/// A clock that never goes back.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock. Records too far ahead of it are put aside, so that one bad record cannot make every other
    /// one look late.
    Wall {
        /// The latest moment given out.
        latest: Second,
    },
    /// The greatest event time seen, for recordings: time passes only with records, and none lies in the future.
    Event {
        /// The greatest event time seen.
        latest: Second,
    },
}

/// A record lies in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Future;

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn wall() -> Self {
        Self::Wall { latest: Second::MIN }
    }

    /// A clock that follows the records.
    #[must_use]
    pub const fn event() -> Self {
        Self::Event { latest: Second::MIN }
    }

    /// What time it is.
    pub(super) fn now(&self) -> Second {
        match self {
            Self::Wall { latest } => wall().max(*latest),
            Self::Event { latest } => *latest,
        }
    }

    /// Takes notice of a record's time.
    pub(super) fn see(&mut self, time: Option<Second>, future_s: u32) -> Result<(), Future> {
        match self {
            Self::Wall { latest } => {
                *latest = wall().max(*latest);
                if time.is_some_and(|time| time > latest.plus(future_s)) { Err(Future) } else { Ok(()) }
            }
            Self::Event { latest } => {
                *latest = time.unwrap_or_default().max(*latest);
                Ok(())
            }
        }
    }

    /// How long it is until `at`; `None` when only a record can bring it nearer.
    pub(super) fn until(&self, at: Second) -> Option<Duration> {
        let now = self.now();
        match self {
            // A second late rather than early, so that the engine need not be asked twice.
            Self::Wall { .. } => Some(Duration::from_secs(u64::from(at.since(now)))),
            Self::Event { .. } => (at <= now).then_some(Duration::ZERO),
        }
    }
}

fn wall() -> Second {
    Second::from_unix(jiff::Timestamp::now().as_second()).unwrap_or(Second::MAX)
}
