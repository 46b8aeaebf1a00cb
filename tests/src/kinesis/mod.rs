//! Streams for tests: a double of Kinesis that misbehaves as told, and a worker that reads a stream into a list.

pub mod aggregate;
pub mod fake;
mod push;
pub mod reading;
