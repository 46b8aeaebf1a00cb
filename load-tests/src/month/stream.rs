//! Records on their way: each is delivered some time after it happened, so they come late and out of order, and memory
//! holds no more than the allowed lateness.

use std::{cmp::Reverse, collections::BinaryHeap};

use bedrock_watch_engine::Second;
use bedrock_watch_load_tests::generator::START;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::record::{self, Call, Tokens, Who};

/// Delays are below the allowed lateness of 900 s.
const DELAY_MAX_S: f64 = 850.0;
/// The mean delay.
const DELAY_MEAN_S: f64 = 60.0;
/// One record in so many is delivered twice.
const TWICE: u32 = 200;

/// A place in the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minute(pub(crate) u32);

impl Minute {
    pub(crate) const fn day(self) -> u32 {
        self.0 / 1_440
    }

    pub(crate) const fn hour(self) -> u32 {
        self.0 % 1_440 / 60
    }

    pub(crate) const fn of_hour(self) -> u32 {
        self.0 % 60
    }

    /// The first day of the month is a Sunday.
    pub(crate) const fn is_weekend(self) -> bool {
        matches!(self.day() % 7, 0 | 6)
    }

    /// From eight to six, Monday to Friday.
    pub(crate) const fn is_office(self) -> bool {
        !self.is_weekend() && self.hour() >= 8 && self.hour() < 18
    }

    /// Whether it is this minute of that day.
    pub(crate) const fn is(self, day: u32, hour: u32, minute: u32) -> bool {
        self.0 == day * 1_440 + hour * 60 + minute
    }

    pub(crate) fn start(self) -> Second {
        START.plus(self.0.saturating_mul(60))
    }
}

/// What is under way.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) random: StdRng,
    queue: BinaryHeap<Reverse<(u32, u64, Vec<u8>)>>,
    made: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), queue: BinaryHeap::new(), made: 0 }
    }

    /// How many records were sent so far.
    pub(crate) const fn made(&self) -> u64 {
        self.made
    }

    /// A random second of a minute.
    pub(crate) fn within(&mut self, minute: Minute) -> Second {
        minute.start().plus(self.random.random_range(0..60))
    }

    /// About `mean`, give or take two fifths.
    pub(crate) fn about(&mut self, mean: f64) -> u32 {
        let drawn = mean * self.random.random_range(0.6..1.4);
        let (whole, rest) = (drawn.floor(), drawn.fract());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate a minute")]
        let whole = whole.max(0.0) as u32;
        whole.saturating_add(u32::from(self.random.random_bool(rest.clamp(0.0, 1.0))))
    }

    /// One of `choices`.
    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.random.random_range(0..choices.len())).copied().unwrap_or_default()
    }

    /// Sends a record of a call.
    pub(crate) fn call(&mut self, at: Second, who: &Who, call: &Call<'_>) {
        let request_id = record::uuid(&mut self.random);
        let bytes = record::cloudtrail(&mut self.random, at, who, call, &request_id);
        self.send(at, bytes);
    }

    /// Sends both records of a call of a model: CloudTrail's, and that of the invocation log.
    pub(crate) fn invoke(&mut self, at: Second, who: &Who, region: &str, model: &str, tokens: Tokens) {
        let request = format!(r#"{{"modelId":"{model}"}}"#);
        self.model_call(
            at,
            who,
            &Call { read_only: true, ..Call::new("bedrock", "Converse", region, &request) },
            model,
            tokens,
        );
    }

    /// Sends both records of a call of a model that was refused or throttled.
    pub(crate) fn fail(&mut self, at: Second, who: &Who, region: &str, model: &str, error: (&str, &str)) {
        let request = format!(r#"{{"modelId":"{model}"}}"#);
        let call = Call { read_only: true, ..Call::new("bedrock", "InvokeModel", region, &request) };
        let none = Tokens { read: 0, cached: 0, written: 0 };
        self.model_call(at, who, &call.refused(error.0, error.1), model, none);
    }

    fn model_call(&mut self, at: Second, who: &Who, call: &Call<'_>, model: &str, tokens: Tokens) {
        let request_id = record::uuid(&mut self.random);
        let trail = record::cloudtrail(&mut self.random, at, who, call, &request_id);
        self.send(at, trail);
        // What is refused for lack of permission never reaches the log.
        if call.error.is_none_or(|(code, _)| !code.starts_with("AccessDenied")) {
            self.send(at, record::log(at, who, call, model, tokens, &request_id));
        }
    }

    /// Sends a record.
    pub(crate) fn send(&mut self, at: Second, bytes: Vec<u8>) {
        if self.random.random_ratio(1, TWICE) {
            self.queue_at(at, bytes.clone());
        }
        self.queue_at(at, bytes);
    }

    fn queue_at(&mut self, at: Second, bytes: Vec<u8>) {
        let delay = -DELAY_MEAN_S * (1.0 - self.random.random_range(0.0..1.0_f64)).ln();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the greatest delay")]
        let delay = delay.clamp(0.0, DELAY_MAX_S) as u32;
        self.queue.push(Reverse((at.plus(delay).0, self.made, bytes)));
        self.made = self.made.saturating_add(1);
    }

    /// The next record that has arrived before `until`, with the time of its arrival.
    pub(crate) fn arrived(&mut self, until: Second) -> Option<(Second, Vec<u8>)> {
        let Reverse((arrives, ..)) = self.queue.peek()?;
        if *arrives >= until.0 {
            return None;
        }
        self.queue.pop().map(|Reverse((arrives, _, bytes))| (Second(arrives), bytes))
    }
}
