//! What sinks send, made by pure functions: an alert and what is known around it in, JSON out.
//!
//! Nearly every string in an alert may have been chosen by an attacker, so none enters a message but through `text`.

mod context;
mod links;
mod meaning;
pub mod pagerduty;
pub mod slack;
mod slack_blocks;
mod slack_incident;
pub mod text;
pub mod webhook;

pub use context::Context;
