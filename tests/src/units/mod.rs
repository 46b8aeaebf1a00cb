//! Several workers in one process: streams in memory, a coordinator that does what the test says, and events whose
//! alerts do not depend on who judges them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test; this is a library only so that several test files can share it"
)]

pub mod crew;
pub mod events;
pub mod log;
