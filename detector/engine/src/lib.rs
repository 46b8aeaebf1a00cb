//! The pure core of bedrock-watch: records in, alerts out, time is an argument.
//!
//! ```text
//! bytes -> prefilter -> decode -> Activity -> world       -> state events -> rules -> findings -> alert book -> changes
//!                                           -> principals -> seconds      -^
//!                                           ------------------------------^
//! ```
//!
//! The engine does no I/O, reads no clock, uses no randomness and does not depend on hash order: the same input gives
//! the same output, byte for byte. It cannot fail on any input; a bad record is a counted value.

#![warn(clippy::arithmetic_side_effects)]

mod account;
mod accounts;
mod activity;
pub mod alert;
pub mod bedrock;
mod bytes;
pub mod decode;
mod detector_observation;
mod engine;
mod firsts;
mod hashing;
mod limit;
mod observation;
mod order;
pub mod prefilter;
mod principals;
mod remedy;
pub mod rule;
mod seen_events;
mod settings;
mod snapshot;
mod stats;
mod summary;
mod table;
mod time;
mod usage;
mod world;

pub use activity::{Activity, ApiCall, Identity, InvocationLog, JobStateChange, OtherEvent};
pub use detector_observation::{DetectorObservation, DetectorState};
pub use engine::{Engine, SnapshotError};
pub use limit::{Limit, LimitCounts};
pub use observation::{
    Observation, ObservedDependent, ObservedEndpoint, ObservedGroup, ObservedJob, ObservedLogging, ObservedRule,
};
pub use remedy::{Inquiry, Language, put_in_vpc, replace_group};
pub use settings::{Limits, Settings};
pub use stats::Stats;
pub use summary::{
    ACTIVITY_MINUTES, AccountSummary, DEPENDENTS_MAX, DependencySummary, DependentSummary, LOGGING_PLACES_MAX,
    LoggingPosture, LoggingSummary, LossSummary, PRINCIPALS_MAX, PrincipalActivity, Summary,
};
pub use time::{DAY_S, MINUTE_S, Second, day_to_string};
pub use usage::{ModelPrice, Prices, PricesError};
