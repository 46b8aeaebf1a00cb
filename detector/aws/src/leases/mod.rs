//! Leases: which worker reads which shard.
//!
//! The table and the algorithm are those of the Kinesis Client Library 2.x, without a leader: every worker looks at the
//! whole table, renews what it holds by raising a counter, and takes what nobody renews. [`protocol`] decides, without
//! I/O, and is explored by tests; [`Coordinator`] runs it. Deliberately nothing here reads a stream or knows what is
//! done with it.

mod balance;
mod coordinator;
pub mod protocol;
mod row;
mod shards;
mod table;

pub use coordinator::{Coordinator, Lease, LeaseEvent, LeaseLost, ListShards, Parts};
pub use row::{Change, Checkpoint, Row, ShardInfo};
pub use table::{CALL_TIMEOUT, DynamoLeases, LeaseError, LeaseTable, Written};
