//! Where alerts go: Slack, PagerDuty, any HTTP endpoint, files and standard output.
//!
//! ```text
//! store (what waits) -> worker (claims, paces, settles) -> attempt -> Sink (one message)
//!                          health: is the sink as a whole there?
//! ```
//!
//! Delivery is at least once: what was told is settled in the store afterwards, so a crash in between tells it again.
//! Where that could show as a second message, the sink marks it as a possible repeat. Deliberately no queue in memory
//! and no routing here: the store keeps what waits, and `routing` says who should hear.

mod attempt;
mod confirm;
mod conversation;
mod counters;
mod health;
mod http;
mod lines;
mod once;
mod pace;
mod page;
mod pagerduty;
mod probe;
mod slack;
mod start;
mod telling;
mod traces;
mod webhook;
mod worker;

pub use confirm::{Confirm, Confirmations};
pub use conversation::Notebook;
pub use counters::Counted;
pub use once::{Delivered, OnceError, deliver_all};
pub use probe::probe;
pub use start::{SinkReport, StartError, Surroundings, Workers, check_all, start_all, start_sinks};
pub use telling::{Fault, Heard, Messaging, Scope, Sink, SinkError, Telling, Told, ToldEach};
pub use worker::{Now, Parts};

pub mod payload;
