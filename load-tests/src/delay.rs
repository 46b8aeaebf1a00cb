//! How long records are under way: what is known of CloudTrail is that most take about a minute and some many.

use rand::Rng;

/// Delays stay below the allowed lateness of 900 s.
const MAX_S: f64 = 890.0;
/// The mean of what is usual.
const MEAN_S: f64 = 60.0;

/// How long records are under way.
#[derive(Debug, Clone, Copy)]
pub enum Delay {
    /// They arrive at once.
    None,
    /// Exponential with a mean of 60 s.
    Exponential,
    /// The same, with one record in twenty anywhere up to the allowed lateness.
    LongTail,
}

impl Delay {
    /// Draws a delay, in seconds.
    pub fn seconds(self, random: &mut impl Rng) -> f64 {
        let mut exponential = || -MEAN_S * (1.0 - random.random_range(0.0..1.0_f64)).ln();
        let delay = match self {
            Self::None => 0.0,
            Self::Exponential => exponential(),
            Self::LongTail => {
                let usual = exponential();
                if random.random_bool(0.05) { random.random_range(0.0..MAX_S) } else { usual }
            }
        };
        delay.min(MAX_S)
    }

    /// Draws a delay, in whole milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 15 minutes")]
    pub fn millis(self, random: &mut impl Rng) -> u64 {
        (self.seconds(random) * 1e3) as u64
    }
}
