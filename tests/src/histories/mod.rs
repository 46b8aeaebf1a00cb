//! Random histories of small AWS organisations, and random ways to deliver them.
//!
//! The universe is small on purpose: a handful of groups, roles, keys, buckets, principals and models over one to
//! three accounts and regions, so that joins, collisions and boundary values are frequent. What AWS cannot produce is
//! left out (a deleted group that is used again, a job that ends twice), and so are late records and limits: those lie
//! outside what is promised about order.

mod calls;
mod delivery;
mod dependencies;
mod dependents;
mod dice;
mod groups;
mod inventory;
mod jobs;
mod logging;
mod people;
mod shrink;
mod story;

use serde_json::Value;

pub use self::{
    delivery::{Delivery, deliver, in_event_order},
    shrink::shrink,
};
use self::{dice::Dice, story::Story};

/// One history: the records of everything that happened, in no particular order.
#[derive(Debug, Clone)]
pub struct History {
    /// What it was made from; the same seed makes the same history.
    pub seed: u64,
    /// The records, without copies.
    pub records: Vec<Value>,
}

impl History {
    /// The history of a seed.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        Self { seed, records: Story::new(Dice::new(seed)).tell() }
    }
}
