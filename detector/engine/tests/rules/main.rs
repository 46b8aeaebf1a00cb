//! Rules from the outside: loading, matching, bounds, clauses and correlations, against rsigma and naive models.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a helper that fails fails its test")]
#![expect(clippy::format_push_string, reason = "rules are put together line by line")]

mod bounds;
mod chains;
mod correlations;
mod correlations_peer;
mod differential;
mod fuzz;
mod generator;
mod loading;
mod matching;
mod problems;
mod published;
