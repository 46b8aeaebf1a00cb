//! Streams for tests: a double of Kinesis that misbehaves as told, what an emulator's stream says of itself, and a worker
//! that reads a stream into a list.

pub mod aggregate;
pub mod fake;
mod push;
pub mod reading;
pub mod stream;
