//! The cases of rules: short timelines that say where an alert must come and where it must not.
//!
//! A [`RulePack`] is the files of a rules folder, from a disk or embedded. [`load`] turns a rule's case files into
//! deliverable records, [`run`] gives them to a fresh engine and says how its alerts differ from what the case
//! expects. Deliberately no printing and no decision about which rules to load: that is the command's.

mod case;
mod compare;
mod file;
mod junit;
mod lint;
mod pack;
mod prices;
mod record;
mod run;
mod template;
mod timeline;

pub use case::{Case, Delivery, load};
pub use compare::Expected;
pub use junit::junit;
pub use lint::{RUNBOOK_HEADINGS, lint};
pub use pack::{PackError, RulePack};
pub use run::{alerts, run, run_all};
pub use template::new_rule;
