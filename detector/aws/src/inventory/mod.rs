//! What there is, as AWS says: customization jobs, what they stand on, invocation logging, knowledge bases and agents; in
//! every account and region that is configured.
//!
//! ```text
//! places (accounts x regions) -> sweep -> jobs -> network: groups, rules, subnets, endpoints
//!                                      -> logging, assistants
//!        daemon: every few minutes -> records -> engine      audit: once -> verdicts
//!        confirm: the jobs of one alert -> records -> engine
//! ```
//!
//! Deliberately no judgement: the engine compares with what the stream told, and `audit` gives its own verdicts. See
//! `detector/docs/inventory.md`.

mod ask;
mod assistants;
mod confirm;
mod daemon;
mod failure;
mod jobs;
mod logging;
mod network;
mod pace;
mod places;
mod records;
mod sweep;

pub(crate) use ask::{Asker, now};
pub(crate) use confirm::AskBedrock;
pub(crate) use daemon::Inventory;
pub(crate) use network::Network;
pub(crate) use places::{Target, own_account, targets};
pub(crate) use sweep::{Scope, Seen, Sweeper};
