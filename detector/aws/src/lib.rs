//! Everything of bedrock-watch that touches an AWS SDK: streams, stores, inventory, sinks.
//!
//! The service knows this crate only as [`bedrock_watch_service::cloud::Cloud`]; no other crate may name an SDK type,
//! because the SDK dominates the build and a build without it must stay possible.

mod clients;
mod cloud;
mod failure;
pub mod kinesis;
mod s3;
mod secrets;
mod sinks;
mod sqs;

pub use clients::{Aws, Place};
pub use s3::{Location, Progress, Recorded};
