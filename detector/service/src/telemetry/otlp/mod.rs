//! OTLP: how telemetry is written down and sent. Says nothing about what is sent when.

mod client;
mod encode;
mod request;

pub use client::ClientError;
pub(crate) use client::{Client, SendError};
pub(crate) use encode::{metrics, scope, traces};
pub(crate) use request::Request;
