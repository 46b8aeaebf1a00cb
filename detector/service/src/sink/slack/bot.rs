//! Slack with a bot token: one message for each alert, edited as the alert grows; what becomes of it goes to a thread.
//! The thread is that of the incident's message (`thread`) or, where each alert stands alone, of its own.
//!
//! The message is created once. When it cannot be known whether a former attempt created it, because the answer was
//! lost or the service died in between, it is created again and says that it may be a repeat.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_engine::alert::ChangeKind;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{
    Fault, Heard, Scope, Sink, SinkError, StartError, Telling, Told,
    http::{Address, Client},
    payload::{
        Context,
        slack::{self, Message},
    },
};
use crate::{
    config::{GroupBy, Secret},
    store::Claim,
};

/// Posts and edits messages in one channel.
#[derive(Debug)]
pub(super) struct Bot {
    name: String,
    post: Address,
    update: Address,
    channel: String,
    authorization: HeaderValue,
    group_by: GroupBy,
    client: Client,
    pub(super) context: Arc<Context>,
}

/// What is remembered of an alert: its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memo {
    channel: String,
    ts: String,
    /// The message lists several alerts, so it is not edited for one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    digest: bool,
    /// How the alert stood when it was told last.
    heard: Option<Heard>,
    /// The message in whose thread this one is, and the incident whose message that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<InThread>,
}

impl Memo {
    /// That it was told of with so many requests.
    fn told(&self, requests: u32) -> Told {
        let reference = (requests > 0).then(|| format!("{}/{}", self.channel, self.ts));
        Told { through: None, memo: serde_json::to_string(self).ok(), requests, reference }
    }
}

/// A place in an incident's thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InThread {
    pub(super) root: String,
    pub(super) note: String,
}

/// What the Web API answers.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reply {
    ok: bool,
    error: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) ts: Option<String>,
}

/// How a call ended that Slack answered.
pub(super) enum Outcome {
    Done(Reply),
    /// Slack said no; this is its word for why.
    Refused(String),
}

impl Bot {
    pub(super) fn new(
        name: &str,
        (token, channel, api_url): (&Secret, &str, &str),
        group_by: GroupBy,
        (timeout, context): (Duration, Arc<Context>),
    ) -> Result<Self, StartError> {
        // Without the last slash, joining would replace the last part of the path.
        let api = Address::parse(name, &format!("{}/", api_url.trim_end_matches('/')))?;
        let wrong = |what, reason: &str| StartError::Key { sink: name.to_owned(), what, reason: reason.to_owned() };
        let method = |method: &str| api.join(method).ok_or_else(|| wrong("api_url", "nothing can be added to it"));
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| wrong("token", "it has characters that HTTP does not allow"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            name: name.to_owned(),
            post: method("chat.postMessage")?,
            update: method("chat.update")?,
            channel: channel.to_owned(),
            authorization,
            group_by,
            client: Client::new(name, timeout)?,
            context,
        })
    }

    async fn call(&self, method: &Address, body: &Value) -> Result<Outcome, SinkError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let answer = self.client.post(method, headers, body.to_string().into_bytes()).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(""));
        }
        let reply: Reply = match serde_json::from_slice(&answer.body) {
            Ok(reply) if answer.broken.is_none() => reply,
            _ => return Err(answer.garbage("Slack's JSON")),
        };
        match (reply.ok, reply.error) {
            (true, error) => Ok(Outcome::Done(Reply { error, ..reply })),
            (false, Some(error)) => match temporary(&error, answer.retry_after) {
                Some(fault) => Err(SinkError { fault, ..SinkError::permanent(&format!("Slack said {error}")) }),
                None => Ok(Outcome::Refused(error)),
            },
            (false, None) => Err(answer.garbage("Slack's JSON")),
        }
    }

    /// Creates a message at `place`, which names more than the channel.
    pub(super) async fn post(&self, place: &Value, message: &Message) -> Result<(Outcome, u32), SinkError> {
        let mut place = place.clone();
        if let Some(fields) = place.as_object_mut() {
            fields.entry("channel").or_insert_with(|| Value::String(self.channel.clone()));
        }
        self.send(&self.post, &place, message).await
    }

    /// Edits a message.
    pub(super) async fn edit(&self, channel: &str, ts: &str, message: &Message) -> Result<(Outcome, u32), SinkError> {
        self.send(&self.update, &json!({ "channel": channel, "ts": ts }), message).await
    }

    /// Calls with a message, and once more without its blocks should Slack not like them.
    async fn send(&self, method: &Address, place: &Value, message: &Message) -> Result<(Outcome, u32), SinkError> {
        let mut body = message.body();
        if let (Some(fields), Some(place)) = (body.as_object_mut(), place.as_object()) {
            fields.extend(place.clone());
        }
        match self.call(method, &body).await? {
            Outcome::Refused(error) if error.contains("blocks") => {
                tracing::warn!(sink = self.name, error, "Slack refuses the blocks of a message; it is sent without");
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("blocks".to_owned(), json!([]));
                }
                Ok((self.call(method, &body).await?, 2))
            }
            outcome => Ok((outcome, 1)),
        }
    }

    /// Creates a message, in an incident's thread if there is one; `aloud` shows it in the channel too.
    pub(super) async fn create(
        &self,
        claims: &[Claim],
        message: &Message,
        (thread, aloud): (Option<InThread>, bool),
    ) -> Result<Told, SinkError> {
        let ids: Vec<&str> = claims.iter().map(|claim| claim.alert.alert.id.as_str()).collect();
        let metadata = json!({ "event_type": "bedrock_watch_alert", "event_payload": { "alert_ids": ids } });
        let mut place = json!({ "metadata": metadata });
        if let (Some(fields), Some(thread)) = (place.as_object_mut(), &thread) {
            fields.insert("thread_ts".to_owned(), Value::String(thread.root.clone()));
            fields.insert("reply_broadcast".to_owned(), Value::Bool(aloud));
        }
        let (outcome, requests) = self.post(&place, message).await?;
        match outcome {
            Outcome::Done(Reply { ts: Some(ts), channel, .. }) => {
                let channel = channel.unwrap_or_else(|| self.channel.clone());
                let memo = Memo { channel, ts, digest: claims.len() > 1, heard: least_severe(claims), thread };
                Ok(memo.told(requests))
            }
            Outcome::Done(_) => Err(SinkError::sink("Slack did not say which message it created", true)),
            Outcome::Refused(error) if thread.is_some() && is_gone(&error) => Err(SinkError::alert(THREAD_GONE, false)),
            Outcome::Refused(error) => Err(SinkError::permanent(&format!("Slack said {error}"))),
        }
    }

    /// Brings an alert's message up to date, and says in its thread what people should notice.
    async fn follow_up(&self, claim: &Claim, memo: &Memo) -> Result<Told, SinkError> {
        let mut requests = 0_u32;
        if !memo.digest && !claim.pending.is_empty() {
            let message = slack::alert(claim, &self.context, false);
            let (outcome, made) = self.edit(&memo.channel, &memo.ts, &message).await?;
            requests = requests.saturating_add(made);
            if let Outcome::Refused(error) = outcome {
                // Somebody deleted it, or it is too old to be edited: the alert deserves another one.
                if !is_gone(&error) {
                    return Err(SinkError::permanent(&format!("Slack said {error}")));
                }
                let claims = std::slice::from_ref(claim);
                let again = slack::alert(claim, &self.context, claim.unsettled);
                let told = self.create(claims, &again, (memo.thread.clone(), false)).await?;
                return Ok(Told { requests: requests.saturating_add(told.requests), ..told });
            }
        }
        let transition = claim.transition(memo.heard);
        if transition.is_some() || claim.reminder {
            let again = transition.is_some_and(|revision| revision.kind == ChangeKind::Fired);
            // A thread is easily overlooked: what asks for attention again is shown in the channel too.
            let broadcast = !claim.is_over() && (claim.reminder || again);
            let root = memo.thread.as_ref().map_or(&memo.ts, |thread| &thread.root);
            let named = memo.digest || memo.thread.is_some();
            let place = json!({ "channel": memo.channel, "thread_ts": root, "reply_broadcast": broadcast });
            let (outcome, made) = self.post(&place, &slack::note(claim, memo.heard, named)).await?;
            requests = requests.saturating_add(made);
            if let Outcome::Refused(error) = outcome {
                return Err(SinkError::permanent(&format!("Slack said {error}")));
            }
        }
        let memo = Memo { heard: Some(claim.heard()), ..memo.clone() };
        Ok(memo.told(requests))
    }
}

/// What is said when an alert cannot be put into a thread because somebody deleted the message above it.
pub(super) const THREAD_GONE: &str = "the message of the incident is gone";

/// Whether a message can no longer be edited: somebody deleted it, or it is too old.
pub(super) fn is_gone(error: &str) -> bool {
    matches!(error, "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found")
}

/// What a message about several alerts counts as having said of each.
fn least_severe(claims: &[Claim]) -> Option<Heard> {
    claims.iter().map(Claim::heard).min_by_key(|heard| heard.severity)
}

#[async_trait]
impl Sink for Bot {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "slack"
    }

    fn groups(&self) -> bool {
        true
    }

    fn tells_incidents(&self) -> bool {
        self.group_by == GroupBy::Incident
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let repeat = telling.claims.iter().any(|claim| claim.unsettled);
        match telling.claims.as_slice() {
            [claim] if claim.is_moot() => Ok(Told::default()),
            [claim] => match claim.memo.as_deref().and_then(|memo| serde_json::from_str::<Memo>(memo).ok()) {
                Some(memo) => {
                    let told = self.follow_up(claim, &memo).await?;
                    Ok(self.refresh(telling, memo.thread.as_ref(), told).await)
                }
                None => match (self.group_by, &telling.incident, &telling.notebook) {
                    (GroupBy::Incident, Some(incident), Some(notebook)) => self.join(claim, incident, notebook).await,
                    _ => self.create(&telling.claims, &slack::alert(claim, &self.context, repeat), (None, false)).await,
                },
            },
            several => self.create(several, &slack::digest(several, &self.context, repeat), (None, false)).await,
        }
    }
}

/// What an error of the Web API is, if it may go away; `None` for one that will not.
fn temporary(error: &str, retry_after: Option<Duration>) -> Option<Fault> {
    let fault = |may_have_arrived| Fault::Temporary { scope: Scope::Sink, retry_after, may_have_arrived };
    match error {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            let retry_after = Some(retry_after.unwrap_or_default());
            Some(Fault::Temporary { scope: Scope::Sink, retry_after, may_have_arrived: false })
        }
        "service_unavailable" | "request_timeout" | "org_login_required" | "team_added_to_org" => Some(fault(false)),
        "internal_error" | "fatal_error" => Some(fault(true)),
        _ => None,
    }
}
