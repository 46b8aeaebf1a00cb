//! Messages of an SQS queue: events that EventBridge put there, or notifications of CloudTrail's files in S3.
//!
//! ```text
//! queue -> Poller (receives, hides while it is judged) -> Judge -> verdict -> deleted | left | given back
//! ```
//!
//! A message is deleted only after what it holds is stored. Deliberately no order and no duplicates sought here: SQS
//! promises neither, and the engine needs neither.

mod events;
mod message;
mod poller;
mod queue;

pub(crate) use events::Events;
pub(crate) use message::unwrapped;
pub(crate) use poller::{Judge, Polling, Verdict};
pub(crate) use queue::Queue;
