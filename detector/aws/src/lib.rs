//! Everything of bedrock-watch that touches an AWS SDK: streams, stores, inventory, sinks.
//!
//! The service knows this crate only as [`bedrock_watch_service::cloud::Cloud`]; no other crate may name an SDK type,
//! because the SDK dominates the build and a build without it must stay possible.

pub mod audit;
pub mod calls;
pub mod canary;
mod clients;
mod cloud;
mod cluster;
pub mod doctor;
pub mod dynamodb;
mod evidence;
mod failure;
mod inventory;
pub mod kinesis;
pub mod leases;
mod s3;
mod secrets;
mod signed;
mod sinks;
mod sqs;

pub use clients::{Aws, Place};
pub use s3::{Location, Progress, Recorded};
