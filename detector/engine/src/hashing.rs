//! Fixed hashing: the same bytes give the same number in every run.
//!
//! Used only where the order of a table never shows. Deliberately not `std`'s random state, which would make two runs
//! differ.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

/// The hasher of every table in the engine.
pub(crate) type FixedHasher = FixedState;

/// A hash of `value`.
pub(crate) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    FixedState::with_seed(SEED).hash_one(value)
}

/// A hash short enough to be kept by the million; used to count distinct values.
pub(crate) fn short_hash_of<T: Hash + ?Sized>(value: &T) -> u32 {
    let hash = hash_of(value);
    #[expect(clippy::cast_possible_truncation, reason = "folding 64 bits into 32 is the point")]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

const SEED: u64 = 0x6265_6472_6f63_6b77;
