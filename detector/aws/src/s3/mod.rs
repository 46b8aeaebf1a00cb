//! CloudTrail's log files in S3: as a live source, named by notifications on a queue, and as the input of `replay`.
//!
//! ```text
//! live:   queue -> notification -> object (streamed) -> records -> stored -> message deleted
//! replay: prefix -> listing (by day, where only some days are wanted) -> fetched ahead, opened by the merge in order
//! ```
//!
//! Deliberately no writing to any bucket, and no digest files: whether logs were altered is not asked here.

mod buckets;
mod files;
mod key;
mod listing;
mod notification;
mod object;
mod replay;

pub(crate) use buckets::{Buckets, explained};
pub(crate) use files::Files;
pub use replay::{Location, Progress, Recorded};
