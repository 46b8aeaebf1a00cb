//! Everything of bedrock-watch that touches an AWS SDK: streams, stores, inventory, sinks.
//!
//! The service knows this crate only as [`bedrock_watch_service::cloud::Cloud`]; no other crate may name an SDK type,
//! because the SDK dominates the build and a build without it must stay possible.

pub mod calls;
pub mod canary;
mod clients;
mod cloud;
pub mod doctor;
pub mod kinesis;

pub use clients::{Aws, Place};
