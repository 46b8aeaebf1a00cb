//! Alerts: what the engine tells people, and the life of each.
//!
//! The types here are the engine's; their JSON form belongs to the service (`format/json.rs`).

pub(crate) mod book;
pub(crate) mod compose;
pub(crate) mod identity;
pub(crate) mod of_principal;
mod stored;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use stored::Stored;

use crate::{remedy, time::Second};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Worth a look.
    Low,
    /// Worth a look today.
    Medium,
    /// Somebody should look now.
    High,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// Every severity, from the least to the worst.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its place in [`Severity::ALL`].
    #[must_use]
    pub const fn rank(self) -> usize {
        self as usize
    }

    /// The name in alerts and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It holds.
    Firing,
    /// It held, and is over.
    Resolved,
    /// It should never have fired; later records showed so.
    Withdrawn,
}

impl Status {
    /// The name in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectKind {
    /// Something a customization job stands on; the id is the resource's.
    CustomizationJobDependency,
    /// Invocation logging; the id is the disabling event's, or the lost destination.
    InvocationLogging,
    /// A principal; the id is its normalised name.
    Principal,
    /// One event; the id is its eventID.
    Event,
    /// Something that a batch or import job, a deployed model, a knowledge base, an agent or an invocation log stands on;
    /// the id is the resource's.
    Dependency,
}

impl SubjectKind {
    /// The name in alerts and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomizationJobDependency => "customization_job_dependency",
            Self::InvocationLogging => "invocation_logging",
            Self::Principal => "principal",
            Self::Event => "event",
            Self::Dependency => "dependency",
        }
    }
}

/// Who did it, as the record says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `userIdentity.arn`.
    pub arn: Option<String>,
    /// `userIdentity.type`.
    pub kind: Option<String>,
    /// `userIdentity.accessKeyId`.
    pub access_key_id: Option<String>,
    /// The session name of an assumed role.
    pub session_name: Option<String>,
    /// `sourceIPAddress`.
    pub source_ip: Option<String>,
    /// `userAgent`.
    pub user_agent: Option<String>,
    /// `console`, `api_key`, `agent:NAME`, `knowledge_base:NAME`, `service:NAME`, or nothing.
    pub via: Option<String>,
    /// What runs behind a role session, as `lambda:NAME`, `ecs_task:ID`, `sso:PERSON`; nothing where nothing tells.
    #[serde(default)]
    pub workload: Option<String>,
    /// `userIdentity.sessionContext.sourceIdentity`: the person behind a chain of roles. Told as a fact of that name.
    #[serde(default)]
    pub source_identity: Option<String>,
}

/// A command that repairs something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remediation {
    /// What it does.
    pub title: String,
    /// Shell commands that can be pasted.
    pub command: String,
}

/// A query that digs further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// What it shows.
    pub title: String,
    /// `cloudtrail-lake`, `athena` or `logs-insights`.
    pub language: String,
    /// The query.
    pub text: String,
}

/// An alert in its present state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same history gives the same id, on any worker, before and after a crash.
    pub id: String,
    /// The rule's folder name.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// Who, what and where, in one sentence.
    pub summary: String,
    /// How bad it is; the highest reached.
    pub severity: Severity,
    /// Where it stands.
    pub status: Status,
    /// The account of the affected job or configuration.
    pub account: String,
    /// The region of the affected job or configuration; `None` when several are.
    pub region: Option<String>,
    /// What kind of thing it is about.
    pub subject_kind: SubjectKind,
    /// Which thing it is about.
    pub subject_id: String,
    /// Who did it, normalised.
    pub principal: Option<String>,
    /// Who did it, as the earliest event says.
    pub actor: Actor,
    /// Event time of the earliest event.
    pub first_event_time: Second,
    /// Event time of the latest event.
    pub last_event_time: Second,
    /// The 50 earliest event ids in judging order.
    pub event_ids: Vec<String>,
    /// How many events it rests on.
    pub event_count: u64,
    /// The numbers and names that made it fire.
    pub facts: Map<String, Value>,
    /// MITRE ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Path of the runbook.
    pub runbook: String,
    /// What repairs the lost thing, as far as it follows from what the engine knows of it; the rest follows from the
    /// alert itself, see [`Alert::remediation`].
    pub repair: Vec<Remediation>,
}

impl Alert {
    /// What repairs and contains it.
    #[must_use]
    pub fn remediation(&self) -> Vec<Remediation> {
        let mut steps = self.repair.clone();
        if matches!(self.subject_kind, SubjectKind::Principal | SubjectKind::Event) {
            steps.extend(remedy::of_principal(self));
        }
        steps
    }

    /// What digs further.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        remedy::queries(self)
    }
}

/// Why an alert is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It is new, or fires again.
    Fired,
    /// It still holds; something about it changed.
    Updated,
    /// It is over.
    Resolved,
    /// It should never have fired.
    Withdrawn,
}

/// One change of one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertChange {
    /// What happened to it.
    pub kind: ChangeKind,
    /// The alert after the change.
    pub alert: Alert,
}
