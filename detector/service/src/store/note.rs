//! What incidents need of a store: the ties of alerts, and what each sink remembers of each incident.

use bedrock_watch_engine::Second;
use jiff::Timestamp;

/// Which ties of one key are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The key.
    pub key: String,
    /// Only those of alerts that began at or after this time.
    pub from: Second,
    /// Only those of alerts that began at or before this time.
    pub to: Second,
}

/// What a sink remembers of an incident, such as the message that all its alerts share.
///
/// Whoever wants to say something about the incident as a whole holds its note meanwhile, so that two workers never
/// create that message both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The sink.
    pub sink: String,
    /// The incident.
    pub incident: String,
    /// Grows with every write; 0 while there is none.
    pub version: u64,
    /// Until when somebody holds it, if anybody does.
    pub held_until: Option<Timestamp>,
    /// What the sink wants to remember.
    pub memo: String,
}
