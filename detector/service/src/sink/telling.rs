//! What a sink is given to tell, and what it answers.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use jiff::Timestamp;
use opentelemetry::trace::SpanContext;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Notebook;
use crate::{
    incident::Incident,
    store::{Claim, Revision},
};

/// The longest text of an error that is kept, in characters.
const ERROR_CHARACTERS_MAX: usize = 300;

/// Something that tells people or programs about alerts.
///
/// It keeps no queue and tries nothing twice: the worker claims, paces, repeats and settles. It remembers nothing
/// between calls either; what it must know of an alert again is the memo of its last delivery.
#[async_trait]
pub trait Sink: fmt::Debug + Send + Sync + 'static {
    /// What routes, logs and metrics call it.
    fn name(&self) -> &str;

    /// `stdout`, `file`, `slack`, `pagerduty` or `webhook`.
    fn kind(&self) -> &'static str;

    /// How many alerts may be told at the same time.
    fn concurrency(&self) -> usize {
        8
    }

    /// How many deliveries one task tells one after the other; more than 1 is for sinks that answer at once.
    fn batch(&self) -> usize {
        1
    }

    /// Whether new alerts with the same group key are told together.
    fn groups(&self) -> bool {
        false
    }

    /// Whether it says which incident an alert is in.
    fn tells_incidents(&self) -> bool {
        false
    }

    /// Where its messages go, if it is a message queue or topic; for traces.
    fn messaging(&self) -> Option<Messaging<'_>> {
        None
    }

    /// How many alerts that have nothing to do with each other one telling may hold. A sink that says more than 1 is
    /// always told through [`Self::tell_each`].
    fn alerts_per_telling(&self) -> usize {
        1
    }

    /// Tells of one alert, or of several that belong together.
    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError>;

    /// Tells of several alerts in as few requests as it can, and says of each how it went. Unless a sink says otherwise,
    /// what became of the telling became of each.
    async fn tell_each(&self, telling: &Telling) -> ToldEach {
        let outcome = self.tell(telling).await;
        let requests = outcome.as_ref().map_or(1, |told| told.requests);
        ToldEach { requests, outcomes: vec![outcome; telling.claims.len()] }
    }
}

/// A message queue, topic or bus, in the words of OpenTelemetry's conventions for messaging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Messaging<'a> {
    /// `messaging.system`.
    pub system: &'static str,
    /// `messaging.operation.name`: what the system calls sending.
    pub operation: &'static str,
    /// `messaging.destination.name`: the topic or bus.
    pub destination: &'a str,
}

/// What a sink is to tell: one alert, several that form a group of which it was told nothing yet, or as many as the
/// sink takes at once. No alert is there twice. Never empty.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The deliveries, held by this worker.
    pub claims: Vec<Claim>,
    /// What time it is.
    pub now: Timestamp,
    /// The incident that the one alert is in, if it is in any and the sink tells it.
    pub incident: Option<Arc<Incident>>,
    /// What the sink remembers of incidents.
    pub notebook: Option<Notebook>,
    /// The span of this attempt, in the trace of the first alert; `None` where nobody makes one.
    pub span: Option<SpanContext>,
}

impl Telling {
    /// Without an incident.
    #[must_use]
    pub const fn plain(claims: Vec<Claim>, now: Timestamp) -> Self {
        Self { claims, now, incident: None, notebook: None, span: None }
    }

    /// The part of it that is about one claim.
    #[must_use]
    pub fn of(&self, claim: &Claim) -> Self {
        Self { claims: vec![claim.clone()], ..self.clone() }
    }

    /// The id of the incident.
    #[must_use]
    pub fn incident_id(&self) -> Option<&str> {
        self.incident.as_ref().map(|incident| incident.id.as_str())
    }
}

/// How an alert stood when a sink heard of it last; part of what Slack remembers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// How bad it was.
    pub severity: Severity,
    /// Whether it was over.
    pub over: bool,
}

/// How far a sink was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Up to this revision; `None` is everything that was pending.
    pub through: Option<u32>,
    /// What to remember of it; `None` keeps what is remembered.
    pub memo: Option<String>,
    /// How many requests it took; they count against the rate. Without any, nothing had to be said.
    pub requests: u32,
    /// What the provider calls the message, if it calls it anything; for the evidence.
    pub reference: Option<String>,
}

/// How a telling went whose alerts have nothing to do with each other.
#[derive(Debug, Clone, Default)]
pub struct ToldEach {
    /// How many requests it took in all; they count against the rate. Those of the outcomes are not looked at.
    pub requests: u32,
    /// How each went, in the order of the claims.
    pub outcomes: Vec<Result<Told, SinkError>>,
}

/// How much of a sink an error concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every alert would fail so: the sink is unreachable, overloaded, or wants to be left alone.
    Sink,
    /// Only this alert.
    Alert,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It may work later.
    Temporary {
        /// What is concerned.
        scope: Scope,
        /// How long the sink asked to be left alone.
        retry_after: Option<Duration>,
        /// Whether the message may have arrived nevertheless.
        may_have_arrived: bool,
    },
    /// It will not work.
    Permanent,
}

/// Why an alert was not told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// What went wrong, without secrets.
    pub message: String,
    /// Whether to try again.
    pub fault: Fault,
    /// What was told before it failed, if anything was.
    pub progress: Option<Told>,
}

impl SinkError {
    /// An error that will not go away.
    #[must_use]
    pub fn permanent(message: &str) -> Self {
        Self { message: cut(message), fault: Fault::Permanent, progress: None }
    }

    /// An error that concerns the whole sink and may go away.
    #[must_use]
    pub fn sink(message: &str, may_have_arrived: bool) -> Self {
        let fault = Fault::Temporary { scope: Scope::Sink, retry_after: None, may_have_arrived };
        Self { message: cut(message), fault, progress: None }
    }

    /// An error that concerns one alert and may go away.
    #[must_use]
    pub fn alert(message: &str, may_have_arrived: bool) -> Self {
        let fault = Fault::Temporary { scope: Scope::Alert, retry_after: None, may_have_arrived };
        Self { message: cut(message), fault, progress: None }
    }

    /// The sink asked to be left alone, for a time if it said so.
    #[must_use]
    pub fn throttled(message: &str, retry_after: Option<Duration>) -> Self {
        let fault = Fault::Temporary { scope: Scope::Sink, retry_after, may_have_arrived: false };
        Self { message: cut(message), fault, progress: None }
    }

    /// The same error, after something was told.
    #[must_use]
    pub fn after(self, progress: Option<Told>) -> Self {
        Self { progress, ..self }
    }
}

fn cut(message: &str) -> String {
    crate::format::visible(message).chars().take(ERROR_CHARACTERS_MAX).collect()
}

/// Whether invocation logging was restored in full by whoever had switched it off, and nothing was invoked meanwhile.
fn was_undone(alert: &Alert) -> bool {
    let fact = |name: &str| alert.facts.get(name);
    let by_the_same = fact("restored_by").is_some_and(|by| by.is_string() && by.as_str() == alert.principal.as_deref());
    by_the_same
        && fact("restored_in_full").and_then(Value::as_bool) == Some(true)
        && fact("blind_invocations").and_then(Value::as_u64) == Some(0)
}

impl Claim {
    /// Whether the sink was never told of this alert, as far as is known.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.delivered == 0
    }

    /// Whether the alert is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.alert.alert.status != Status::Firing
    }

    /// Whether nothing should be said: before the sink, for certain, heard of it, the alert was over, and what happened
    /// was undone or should never have been an alert.
    #[must_use]
    pub fn is_moot(&self) -> bool {
        let unheard = self.is_first() && !self.unsettled && self.memo.is_none();
        unheard
            && self.is_over()
            && (self.skip_if_undone && was_undone(&self.alert.alert) || self.alert.alert.status == Status::Withdrawn)
    }

    /// The latest pending revision that people should notice: it fired, is over, or became worse than when the sink
    /// heard of it last. `None` when only numbers changed.
    #[must_use]
    pub fn transition(&self, heard: Option<Heard>) -> Option<&Revision> {
        let (mut worst, mut over) = (heard.map(|heard| heard.severity), heard.is_some_and(|heard| heard.over));
        let mut latest = None;
        for revision in &self.pending {
            let is_over = revision.alert.status != Status::Firing;
            let rose = worst.is_some_and(|worst| revision.alert.severity > worst);
            let notable = match revision.kind {
                ChangeKind::Fired => true,
                // What is over already may still be counted on.
                ChangeKind::Resolved | ChangeKind::Withdrawn => !over,
                ChangeKind::Updated => rose && !is_over,
            };
            if notable {
                latest = Some(revision);
            }
            (worst, over) = (worst.max(Some(revision.alert.severity)), is_over);
        }
        latest
    }

    /// How the alert stands, for the sink to remember.
    #[must_use]
    pub fn heard(&self) -> Heard {
        Heard { severity: self.alert.alert.severity, over: self.is_over() }
    }
}
