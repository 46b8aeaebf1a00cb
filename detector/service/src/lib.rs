//! The async shell: sources, the loop, the store, sinks, formats.
//!
//! ```text
//! source/ or http/ -> queue -> pipeline/ (owns the engine) -> queue -> its writer -> store/ -> sink/
//!        ^                                                                |
//!        +------------------- accepted, once it is stored ----------------+
//! ```
//!
//! `units` runs several such loops side by side, one for each shard that this worker holds. `daemon` puts these together; `replay` does without them and judges recorded events on one thread. `input` is how
//! both find records in bytes, `format` how alerts are written, `config` what a user can choose, `cases` how rules are
//! tested, `telemetry` what the service says of itself to machines.

pub mod canary;
pub mod cases;
pub mod cloud;
pub mod config;
pub mod daemon;
mod event_time;
pub mod evidence;
pub mod format;
pub mod http;
pub mod incident;
pub mod input;
pub mod live_rules;
pub mod pipeline;
pub mod replay;
pub mod routing;
pub mod sink;
pub mod source;
pub mod state_file;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod units;
