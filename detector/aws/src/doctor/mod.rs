//! `doctor`: proves link by link that events really reach the service, and says how to mend what does not hold.
//!
//! ```text
//! ask (AWS, the machine) -> facts -> checks (pure) -> findings
//! ```
//!
//! Deliberately nothing is changed and no alert is sent. The only thing ever written is the canary, and only where it was
//! asked for.

mod ask;
pub mod checks;
pub mod facts;
mod finding;
mod ours;
pub(crate) mod partition;
pub mod pattern;
mod policy;
mod quote;
mod rights;
mod samples;
mod verdict;

pub use ask::{Local, gather, organization, send_canary};
pub use checks::examine;
pub use finding::{Finding, Level, Report, Step, Verdict};
pub use ours::Ours;
pub use rights::DAEMON_POLICY;
pub use samples::{SAMPLES, Sample};

pub(crate) use ask::{EVERY_REGION, refused, way};
