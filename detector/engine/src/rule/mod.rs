//! Sigma rules, compiled: files in, a [`RuleSet`] out, and the question "does this event match" answered quickly.
//!
//! Conditions, modifiers, wildcards and times are read by `rsigma-parser`; the structure of a file is read here, with
//! places, so that every problem can be shown where it is. Deliberately no counting over principals and no state: that
//! is what the computed `watch.*` fields are for. Correlations count for themselves, in event time.

mod bound;
mod clause;
mod condition;
mod correlation;
mod correlation_kind;
mod correlation_link;
mod correlation_number;
mod correlator;
mod correlator_entry;
mod correlator_group;
mod correlator_limit;
mod correlator_sweep;
mod definition;
mod detection;
mod dispatch;
mod encoding;
mod exclusion;
mod explain;
mod extension;
mod facts;
mod field;
mod filter;
mod first_times;
mod floors;
mod json_fields;
mod lint;
mod load;
mod logic;
mod matcher;
mod metadata;
mod modifier;
mod name_pattern;
mod pattern;
mod placeholder;
mod plan;
mod problem;
mod set;
mod stage;
mod template;
mod threshold;
mod tuning;
#[cfg(test)]
mod tuning_tests;
mod value;
pub mod vocabulary;
mod yaml;

pub use bound::{Bound, Term};
pub use clause::Clause;
pub use correlation::{CorrelationRule, SPAN_MAX_S};
pub use correlator::{Allowance, CorrelatedEvent, CorrelationHit, Correlator};
pub(crate) use definition::FirstTimes;
pub use definition::{About, Counts, Maturity, Rule};
pub(crate) use dispatch::{Dispatch, NAME_BYTES_MAX};
pub use exclusion::Exclusion;
pub(crate) use facts::{ITEMS_MAX, texts};
pub(crate) use floors::Floor;
pub use json_fields::JsonFields;
pub use name_pattern::{NameKind, NamePattern};
pub use placeholder::Placeholders;
pub use problem::Problem;
pub use set::{RuleIndex, RuleSet};
pub use stage::Stage;
pub use template::{Placeholder, Template};
pub use threshold::Threshold;
pub use tuning::{Mode, RuleTuning, Tuning, TuningProblem};
pub use value::{Field, Fields, Metric, RecordField, Value};

/// A rule file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Where it was read, for messages.
    pub path: String,
    /// The rule's id: its folder's name, or the file's stem when it lies alone.
    pub id: String,
    /// The YAML.
    pub text: String,
}
