//! Seeded random choices, in the words the histories are written in.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

#[derive(Debug, Clone)]
pub(super) struct Dice(StdRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high.max(low))
    }

    /// The position of one of `count` things.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.0.random_range(0..count.max(1))
    }

    #[expect(clippy::indexing_slicing, reason = "the index is drawn from the array's own length")]
    pub(super) fn one_of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.index(N)]
    }

    /// One of `choices`, if there are any.
    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        choices.get(self.index(choices.len())).cloned()
    }

    /// `count` of `choices`, or as many as there are, in their order.
    pub(super) fn some_of<T: Clone>(&mut self, choices: &[T], count: usize) -> Vec<T> {
        let mut positions: Vec<usize> = (0..choices.len()).collect();
        positions.shuffle(&mut self.0);
        positions.truncate(count);
        positions.sort_unstable();
        positions.into_iter().filter_map(|position| choices.get(position).cloned()).collect()
    }

    pub(super) fn shuffle<T>(&mut self, things: &mut [T]) {
        things.shuffle(&mut self.0);
    }

    /// A time apart that sits on, just before or just after a boundary, or anywhere near it.
    pub(super) fn around(&mut self, boundary: i64) -> i64 {
        match self.index(6) {
            0 => boundary - 1,
            1 => boundary,
            2 => boundary + 1,
            3 => self.between(0, boundary),
            4 => self.between(0, 2 * boundary),
            _ => self.between(boundary - 10, boundary + 10).max(0),
        }
    }

    /// An id in the form of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low): (u64, u64) = (self.0.random(), self.0.random());
        let hex = format!("{high:016x}{low:016x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// `prefix` and eight hexadecimal digits.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        let number: u32 = self.0.random();
        format!("{prefix}{number:08x}")
    }
}
