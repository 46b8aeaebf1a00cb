//! What the tests of sinks share: alerts to tell, a store in memory, and receivers that behave well or badly.

pub mod alerts;
pub mod fake;
pub mod memory_store;
pub mod pagers;
pub mod server;
pub mod strict;
