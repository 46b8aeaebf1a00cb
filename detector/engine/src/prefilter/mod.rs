//! Tells, without parsing, whether a record can interest anybody. Most cannot.
//!
//! [`peek`] finds the four fields by their keys, and answers only where a decoder could not answer otherwise; in any
//! doubt it says nothing and the record is decoded. [`Interest`] says which source and name somebody waits for, and is
//! made from the loaded rules and from what the world follows, never written by hand. What follows from a source and name
//! alone is remembered as [`Relevance`], so that it is worked out once and not for every record.
//!
//! What is skipped is not proven to be well formed: a record that interests nobody may have a fault elsewhere that
//! decoding would have reported.

mod asked;
mod interest;
mod needles;
mod peek;

pub use interest::{Interest, Relevance};
pub use peek::{Peek, peek};
