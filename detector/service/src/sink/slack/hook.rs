//! A Slack incoming webhook: it can only post, so there is a message for each transition, and none when only a count
//! grows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::super::{
    Heard, Sink, SinkError, StartError, Telling, Told,
    http::{Address, Client},
    payload::{
        Context,
        slack::{self, Message},
    },
};
use crate::{config::Secret, store::Claim};

/// Posts messages to one channel.
#[derive(Debug)]
pub(super) struct Hook {
    name: String,
    to: Address,
    client: Client,
    context: Arc<Context>,
}

impl Hook {
    pub(super) fn new(name: &str, url: &Secret, timeout: Duration, context: Arc<Context>) -> Result<Self, StartError> {
        let (to, client) = (Address::parse(name, url.expose())?, Client::new(name, timeout)?);
        Ok(Self { name: name.to_owned(), to, client, context })
    }

    async fn post(&self, body: &Value) -> Result<(), SinkError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.post(&self.to, headers, body.to_string().into_bytes()).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(&answer.excerpt(None)));
        }
        if answer.body.trim_ascii() == b"ok" { Ok(()) } else { Err(answer.garbage("Slack's `ok`")) }
    }

    async fn post_message(&self, message: &Message) -> Result<u32, SinkError> {
        let mut body = message.body();
        match self.post(&body).await {
            Ok(()) => Ok(1),
            // Better plain words than nothing, should Slack ever refuse blocks that are within its limits.
            Err(error) if error.message.contains("invalid_blocks") => {
                tracing::warn!(sink = self.name, %error, "Slack refuses the blocks of a message; it is sent without");
                if let Some(fields) = body.as_object_mut() {
                    fields.remove("blocks");
                }
                self.post(&body).await.map(|()| 2)
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Sink for Hook {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "slack"
    }

    fn groups(&self) -> bool {
        true
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let repeat = telling.claims.iter().any(|claim| claim.unsettled);
        let message = match telling.claims.as_slice() {
            [claim] if claim.is_moot() => return Ok(Told::default()),
            [claim] if claim.is_first() || claim.reminder || claim.transition(heard(claim)).is_some() => {
                slack::alert(claim, &self.context, repeat)
            }
            [_] => return Ok(Told::default()),
            several => slack::digest(several, &self.context, repeat),
        };
        let requests = self.post_message(&message).await?;
        let heard = telling.claims.iter().map(Claim::heard).min_by_key(|heard| heard.severity);
        let memo = heard.and_then(|heard| serde_json::to_string(&heard).ok());
        Ok(Told { requests, memo, ..Told::default() })
    }
}

/// How the alert stood when it was told last.
fn heard(claim: &Claim) -> Option<Heard> {
    claim.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok())
}
