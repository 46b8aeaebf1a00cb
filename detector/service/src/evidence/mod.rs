//! Evidence: an append-only log of what the detector did and was told, which shows when somebody changed it.
//!
//! **One chain a writer.** Every line carries its chain's name (`worker`), a number and the hash of the line before. A
//! SQLite file is one chain for as long as the file lives, whoever writes to it: the daemon and the commands beside it
//! are serialised by its transactions. In DynamoDB every process has a chain of its own, with a random part in its name,
//! so that writers never wait for each other and none goes on with a number that another one has used. One chain for all
//! would be one hot item, and a second writer that forks it could not be told from a forger.
//!
//! **Written with what it records.** Where the store does something (an alert's turn, a person's word, a silence, a
//! settled delivery), the line is part of the same transaction: it exists if and only if the thing happened. What
//! happens outside of the store (start and stop, rules, gaps, counts) is written by [`Recorder`] when it happens.
//!
//! **Archived, then forgotten.** `archive` copies chains to files that are written once, in a bucket with object lock or
//! in a folder, reads them back, and only then lets the store forget them; the last line stays, because the next one
//! follows on it. Nothing else ever deletes evidence: no TTL, no retention.
//!
//! **What it cannot show.** Who can write to the store and the archive can write another chain. So the archive's bucket
//! is locked, chains witness each other, and the hash of what was archived is in the log, which goes elsewhere.

pub mod archive;
mod archivist;
pub mod chain;
#[cfg(test)]
mod chain_tests;
mod counts;
pub mod fact;
mod folder;
mod of_store;
pub mod reading;
mod recorder;
#[cfg(test)]
mod recorder_tests;
pub mod report;
mod rules;
pub mod verify;

use jiff::Timestamp;

pub use archivist::Archivist;
pub use fact::{Fact, Turn, Witness};
pub use folder::Folder;
pub use of_store::{of_change, of_redrive, of_resolution, of_settlement, of_silence, of_silence_end};
pub use recorder::{Recorder, Watched};
pub use rules::rules_in_force;

/// A chain, as its store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose it is.
    pub worker: String,
    /// The number of its last line.
    pub seq: u64,
    /// The hash of that line.
    pub hash: String,
    /// When that line was written.
    pub at: Timestamp,
    /// Up to which line it is archived; 0 while none is.
    pub archived: u64,
    /// The hash of that line; empty while none is.
    pub archived_hash: String,
    /// Whether this process writes to it.
    pub own: bool,
}

/// A name for a new chain: what `prefix` says, and a random part, since no two chains may share a name.
#[must_use]
pub fn new_name(prefix: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    let prefix: String = prefix.chars().map(plain).take(NAME_LETTERS_MAX).collect();
    format!("{prefix}-{:016x}", fastrand::u64(..))
}

/// Letters of a chain's name that can be chosen.
const NAME_LETTERS_MAX: usize = 64;
