//! From bytes to records: files, folders, standard input and message bodies, in constant memory.
//!
//! What a stream contains is found out from its bytes, never from a name: plain or gzip; JSON Lines, pretty-printed
//! JSON, `{"Records": [...]}`, arrays, CloudWatch Logs subscription messages, or several of these after one another.
//! A broken record is reported with its place and never stops the rest. Whether a record is a valid event is not
//! decided here: that is the engine's decoding.
//!
//! Everything is synchronous and lends its bytes, so a record nobody is interested in is never copied.

mod inflate;
mod merge;
mod reader;
mod sort;
mod splitter;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

pub use inflate::Inflate;
pub use merge::{Merge, OPEN_INPUTS_MAX, OPEN_REMOTE_MAX};
pub use reader::{BODY_BYTES_MAX, Body, Reader, record_of, records_of};
pub use sort::Sorted;
pub use splitter::{Piece, RECORD_BYTES_MAX, Splitter};
pub use walk::{Input, Remote, walk};

/// Something that gives one item after the other.
///
/// No `Iterator`, because a record is lent until the next call.
pub trait Records {
    /// The next item, or `None` at the end.
    fn next(&mut self) -> Option<Item<'_>>;
}

/// What comes out of an input.
#[derive(Debug)]
pub enum Item<'a> {
    /// The bytes of one record, not yet decoded.
    Record(Record<'a>),
    /// Bytes that are no record.
    Rejected(Rejected),
    /// Something to tell the user about an input as a whole.
    Note(Note),
}

/// The bytes of one record and where they come from.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// One JSON value.
    pub bytes: &'a [u8],
    /// The input's name.
    pub input: &'a str,
    /// The line on which it begins, from 1, after decompression.
    pub line: u64,
    /// The byte at which it begins, from 0, after decompression.
    pub offset: u64,
}

/// Bytes that are no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The input's name.
    pub input: Arc<str>,
    /// The line on which they begin, from 1, after decompression.
    pub line: u64,
    /// The byte at which they begin, from 0, after decompression.
    pub offset: u64,
    /// What is wrong, as a lowercase fragment.
    pub reason: String,
}

/// Something to tell the user about an input as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The input's name.
    pub input: Arc<str>,
    /// Whether records may have been lost: it could not be read, or only in part.
    pub is_failure: bool,
    /// What happened, as a lowercase fragment.
    pub text: String,
}
