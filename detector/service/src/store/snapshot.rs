//! The engine's memory, and the records that are not in it yet.

use std::collections::BTreeMap;

/// The engine's memory at a moment, with what it contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Up to where each source is contained.
    pub positions: BTreeMap<String, String>,
    /// The journal entries up to this number are contained.
    pub journal: u64,
    /// The engine's own bytes.
    pub bytes: Vec<u8>,
}

/// Records of a source that cannot be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The source's name.
    pub source: String,
    /// The records, each in a single-record form.
    pub records: Vec<u8>,
    /// Where each record ends in `records`.
    pub ends: Vec<u32>,
}
