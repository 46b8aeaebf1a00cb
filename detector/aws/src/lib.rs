//! Everything of bedrock-watch that touches an AWS SDK: streams, stores, inventory, sinks.
//!
//! The service knows this crate only as [`bedrock_watch_service::cloud::Cloud`]; no other crate may name an SDK type,
//! because the SDK dominates the build and a build without it must stay possible.

mod clients;
mod cloud;
pub mod dynamodb;
pub mod kinesis;
pub mod leases;

pub use clients::{Aws, Place};
