//! One message for an incident, edited as it grows, with each alert in its thread.
//!
//! The message is created once, under the incident's note (`conversation`). When it cannot be known whether a former
//! attempt created it, it is created again and says that it may be a repeat. The alerts are what must arrive: the
//! message about them is brought up to date after each, and where that fails it is at the next.

use bedrock_watch_engine::alert::{Severity, Status};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        Fault, Notebook, SinkError, Telling, Told,
        conversation::{Held, Remembered},
        payload::slack::{self, Message},
    },
    bot::{Bot, InThread, Outcome, Reply, THREAD_GONE, is_gone},
};
use crate::{incident::Incident, store::Claim};

/// What is remembered of an incident: its message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Root {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<String>,
    /// It was about to be created, and may have been.
    #[serde(default)]
    creating: bool,
    /// The worst that the channel has heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// A digest of what it shows.
    #[serde(default)]
    shows: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<String>,
}

impl Remembered for Root {
    fn merged_into(&self) -> Option<&str> {
        self.merged_into.as_deref()
    }

    fn merge(&mut self, into: &str) {
        self.merged_into = Some(into.to_owned());
    }
}

impl Bot {
    /// Tells an alert of which nothing was told yet, in the thread of its incident.
    pub(super) async fn join(
        &self,
        claim: &Claim,
        incident: &Incident,
        notebook: &Notebook,
    ) -> Result<Told, SinkError> {
        let mut held = notebook.hold::<Root>(incident).await?;
        let mut requests = 0_u32;
        let told = self.join_held(claim, incident, (&mut held, notebook), &mut requests).await;
        if told.is_ok() {
            requests = requests.saturating_add(self.absorb(&held, incident, notebook).await);
        }
        notebook.release(held).await;
        told.map(|told| Told { requests: requests.saturating_add(told.requests), ..told })
    }

    async fn join_held(
        &self,
        claim: &Claim,
        incident: &Incident,
        (held, notebook): (&mut Held<Root>, &Notebook),
        requests: &mut u32,
    ) -> Result<Told, SinkError> {
        if held.state.ts.is_none() {
            self.begin(incident, (held, notebook)).await?;
            *requests = requests.saturating_add(1);
        }
        let Some(root) = held.state.ts.clone() else {
            return Err(SinkError::alert("the message of the incident is not known", false));
        };
        let (alert, note) = (&claim.alert.alert, held.incident().to_owned());
        // A thread is easily overlooked: what is worse than anything before is shown in the channel too.
        let is_worse = held.state.severity.is_some_and(|known| alert.severity > known);
        let message = slack::alert(claim, &self.context, claim.unsettled);
        let place = (Some(InThread { root, note }), is_worse && alert.status == Status::Firing);
        let told = self.create(std::slice::from_ref(claim), &message, place).await.inspect_err(|error| {
            if error.message == THREAD_GONE {
                // The next attempt makes another one.
                held.state = Root { severity: held.state.severity, ..Root::default() };
            }
        })?;
        held.state.severity = held.state.severity.max(Some(alert.severity));
        *requests = requests.saturating_add(self.show(held, incident).await);
        Ok(told)
    }

    /// Creates the incident's message.
    async fn begin(
        &self,
        incident: &Incident,
        (held, notebook): (&mut Held<Root>, &Notebook),
    ) -> Result<(), SinkError> {
        let message = slack::incident(incident, &self.context, held.state.creating);
        held.state.creating = true;
        notebook.save(held).await?;
        let metadata = json!({ "event_type": "bedrock_watch_incident", "event_payload": { "incident": incident.id } });
        let outcome = self.post(&json!({ "metadata": metadata }), &message).await;
        let error = match outcome {
            Ok((Outcome::Done(Reply { ts: Some(ts), channel, .. }), _)) => {
                let severity = Some(incident.severity);
                held.state = Root { ts: Some(ts), channel, severity, shows: digest(&message), ..Root::default() };
                return notebook.save(held).await;
            }
            Ok((Outcome::Done(_), _)) => SinkError::sink("Slack did not say which message it created", true),
            Ok((Outcome::Refused(error), _)) => SinkError::permanent(&format!("Slack said {error}")),
            Err(error) => error,
        };
        // Only where it surely did not arrive is the next one no repeat.
        held.state.creating = matches!(error.fault, Fault::Temporary { may_have_arrived: true, .. });
        Err(error)
    }

    /// Brings the incident's message up to date, if it would show something else; returns the requests made.
    async fn show(&self, held: &mut Held<Root>, incident: &Incident) -> u32 {
        let message = slack::incident(incident, &self.context, false);
        let shows = digest(&message);
        let (Some(channel), Some(ts)) = (&held.state.channel, &held.state.ts) else { return 0 };
        if held.state.shows == shows {
            return 0;
        }
        match self.edit(channel, ts, &message).await {
            Ok((Outcome::Done(_), requests)) => {
                held.state.shows = shows;
                requests
            }
            Ok((Outcome::Refused(error), requests)) => {
                if is_gone(&error) {
                    // The next alert makes another one.
                    held.state = Root { severity: held.state.severity, ..Root::default() };
                }
                tracing::warn!(incident = incident.id, error, "the message of an incident was not brought up to date");
                requests
            }
            Err(error) => {
                tracing::warn!(incident = incident.id, %error, "the message of an incident was not brought up to date");
                1
            }
        }
    }

    /// Brings the message of the incident up to date after something became of one of its alerts.
    pub(super) async fn refresh(&self, telling: &Telling, thread: Option<&InThread>, told: Told) -> Told {
        let (Some(thread), Some(notebook), Some(incident)) = (thread, &telling.notebook, &telling.incident) else {
            return told;
        };
        let mut held = match notebook.hold_note::<Root>(&thread.note).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(incident = thread.note, %error, "the message of an incident was not brought up to date");
                return told;
            }
        };
        let mut requests = self.show(&mut held, incident).await;
        requests = requests.saturating_add(self.absorb(&held, incident, notebook).await);
        notebook.release(held).await;
        Told { requests: told.requests.saturating_add(requests), ..told }
    }

    /// Says in the messages of other incidents, which turned out to be this one, where it goes on.
    async fn absorb(&self, held: &Held<Root>, incident: &Incident, notebook: &Notebook) -> u32 {
        let others = match notebook.absorb(held, incident).await {
            Ok(others) => others,
            Err(error) => {
                tracing::warn!(incident = incident.id, %error, "incidents that are one were not put together");
                return 0;
            }
        };
        let mut requests = 0_u32;
        for other in others {
            let (Some(channel), Some(ts)) = (other.channel, other.ts) else { continue };
            requests = requests.saturating_add(1);
            if let Err(error) = self.edit(&channel, &ts, &slack::merged(incident)).await {
                tracing::warn!(incident = incident.id, %error, "a message does not say that its incident goes on elsewhere");
            }
        }
        requests
    }
}

fn digest(message: &Message) -> String {
    let digest = Sha256::digest(message.body().to_string().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
