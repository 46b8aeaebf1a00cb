//! OTLP: how telemetry is written down and sent. Says nothing about what is sent when.

mod client;
mod encode;
pub mod messages;
mod signal;

pub use client::ClientError;
pub(crate) use client::{Client, SendError};
pub(crate) use encode::{metrics, nanoseconds, traces};
pub(crate) use signal::Signal;
