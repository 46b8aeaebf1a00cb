//! What principals do with Bedrock: their recent calls, their normal, and what the rules find in them.
//!
//! A principal is judged second by second, in event time, whatever order its records arrive in.

mod actor;
mod baseline;
mod calls;
mod day;
mod history;
mod judge;
mod moment;
mod names;
mod packed;
mod principal;
mod registry;
mod verdict;

pub(crate) use actor::{SharedStrings, StoredActor, actor_of};
pub(crate) use baseline::PrincipalBaseline;
pub(crate) use calls::{CallKind, NO_MODEL};
pub(crate) use day::{Day, EVENT_IDS_MAX, Tally, insert_hash, insert_sorted};
pub(crate) use history::Seen;
pub(crate) use judge::{Change, Court, judge, judge_again};
pub(crate) use moment::PrincipalMoment;
pub(crate) use principal::{Enablement, Principal};
pub(crate) use registry::Principals;
pub(crate) use verdict::{Opening, Verdict};
