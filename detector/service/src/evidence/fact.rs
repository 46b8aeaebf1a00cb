//! What can be written into the evidence: what the detector did, and what it was told.
//!
//! The names here are part of the format of archived files: they may grow, and never change their meaning. Deliberately
//! no prompts, no secrets and no alert texts: who, what, when and by which rule is enough to find the rest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::Matcher;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// A daemon began to protect.
    Started(Started),
    /// A daemon ended.
    Stopped(Stopped),
    /// The rules in force, at the start and whenever they change.
    Rules(Rules),
    /// What became of an alert.
    Alert(AlertFact),
    /// A person resolved an alert.
    Answered(Answered),
    /// A person silenced alerts.
    Silence(SilenceFact),
    /// A person ended a silence.
    SilenceEnded(SilenceEnded),
    /// A sink was told of an alert.
    Delivered(Delivered),
    /// A delivery was given up.
    GivenUp(GivenUp),
    /// A person had deliveries made again that were given up.
    Redriven(Redriven),
    /// Part of the protection does not work.
    Gap(Gap),
    /// It works again.
    GapOver(GapOver),
    /// What was counted since the last such entry.
    Counted(Counted),
    /// Something that a later version wrote.
    #[serde(other)]
    Unknown,
}

/// A daemon began to protect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The version of the program.
    pub version: String,
    /// The SHA-256 of the configuration in force, without its secrets; see `Config::digest`.
    pub configuration: String,
    /// Where records come from.
    pub sources: Vec<String>,
    /// Where alerts go.
    pub sinks: Vec<String>,
    /// How far other chains were archived then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Witness>,
}

/// A daemon ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Whether everything accepted was judged and the memory kept.
    pub in_order: bool,
    /// How far other chains were archived then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Witness>,
}

/// How far another chain was archived: should its end vanish, this still says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Whose chain.
    pub worker: String,
    /// The number of the last entry that was archived.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// The rules in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The SHA-256 of all rules as they stand below; equal rules have equal digests.
    pub digest: String,
    /// How many rules there are. Where not all of them stand below, the next entry has more.
    pub count: usize,
    /// Whether the run begins with them; then nothing was added, removed or changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_start: bool,
    /// Whether it goes on with the rules of the entry before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// Ids of rules that were not in force before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Ids of rules that are in force no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Ids of rules that are not what they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Every rule, by id.
    pub rules: Vec<RuleInForce>,
}

/// A rule in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleInForce {
    /// Its id.
    pub id: String,
    /// The SHA-256 of its file, as `sha256sum` says it.
    pub digest: String,
    /// The SHA-256 of what it became with filters, placeholders and tuning. Comparable within one version of the program.
    pub effect: String,
    /// `on`, `shadow` (judged, told to nobody) or `off`.
    pub mode: String,
    /// The severity of its alerts.
    pub level: String,
    /// The numbers it compares with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<String, f64>,
    /// Why some of what it finds is excepted, one reason for each exception.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It began, or began anew.
    Begun,
    /// It is as bad as it was not before.
    Severity,
    /// What it is about is over.
    Resolved,
    /// It should never have begun.
    Withdrawn,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertFact {
    /// What happened to it.
    pub turn: Turn,
    /// Its id.
    pub alert: String,
    /// The number of the revision that this made.
    pub revision: u32,
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: String,
    /// How bad it was, where that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The account.
    pub account: String,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// What it is about: the kind of thing.
    pub subject_kind: String,
    /// And its name.
    pub subject: String,
    /// The time of the first event it rests on.
    pub first_event: Timestamp,
    /// And of the last one.
    pub last_event: Timestamp,
    /// The sinks that should hear of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<String>,
    /// The silence that kept sinks from hearing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<String>,
    /// Why the configuration tells nobody of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
}

/// A person resolved an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its id.
    pub alert: String,
    /// The number of the revision that this made.
    pub revision: u32,
    /// The rule.
    pub rule: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// A person silenced alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceFact {
    /// Its id.
    pub silence: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Which alerts.
    pub matcher: Matcher,
}

/// A person ended a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceEnded {
    /// Its id.
    pub silence: String,
}

/// A sink was told of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The sink.
    pub sink: String,
    /// The alert's id.
    pub alert: String,
    /// The rule.
    pub rule: String,
    /// The revision up to which it was told.
    pub revision: u32,
    /// How often it was tried in vain before.
    pub attempts: u32,
    /// What the provider calls the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// It only said that the alert still fires.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminder: bool,
}

/// A delivery was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The sink.
    pub sink: String,
    /// The alert's id.
    pub alert: String,
    /// The rule.
    pub rule: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong, without secrets.
    pub error: String,
}

/// A person had deliveries made again that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// Of this sink; all where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// How many.
    pub deliveries: u64,
}

/// Part of the protection does not work: what `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What.
    pub part: String,
    /// Why, as it was first said.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// It works again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapOver {
    /// What.
    pub part: String,
    /// Since when it did not.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What was counted since the last such entry of the same run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// From when on it was counted.
    pub since: Timestamp,
    /// Canaries that were sent.
    pub canaries_sent: u64,
    /// Those that came back.
    pub canaries_back: u64,
    /// Those that did not come back, nor are awaited any more.
    pub canaries_lost: u64,
    /// What else was counted, by name; only what is not 0.
    pub counts: BTreeMap<String, u64>,
    /// How far other chains were archived then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Witness>,
}
