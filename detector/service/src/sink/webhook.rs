//! Any HTTP endpoint: one POST for each revision, signed as Standard Webhooks describes if there is a key.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, ChangeKind};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::{
    Sink, SinkError, StartError, Telling, Told,
    http::{Address, Client},
    payload::webhook::{SigningKey, body},
    worker::REQUESTS_PER_TELLING_MAX,
};
use crate::{config::Secret, format::Format, store::Claim, telemetry::ids::traceparent};

/// Posts alerts.
#[derive(Debug)]
pub(super) struct Webhook {
    name: String,
    to: Address,
    format: Format,
    key: Option<SigningKey>,
    headers: HeaderMap,
    client: Client,
}

impl Webhook {
    /// A sink that posts to `url`.
    pub(super) fn new(
        name: &str,
        url: &Secret,
        format: Format,
        signing_secret: Option<&Secret>,
        headers: &BTreeMap<String, Secret>,
        timeout: Duration,
    ) -> Result<Self, StartError> {
        let wrong = |what: &'static str, reason: &str| StartError::Key {
            sink: name.to_owned(),
            what,
            reason: reason.to_owned(),
        };
        let key = signing_secret.map(|secret| SigningKey::parse(secret.expose())).transpose();
        let key = key.map_err(|reason| wrong("signing_secret", reason))?;
        let mut given = HeaderMap::new();
        for (header, value) in headers {
            let header: HeaderName = header.parse().map_err(|_| wrong("headers", "a name is no HTTP header"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| wrong("headers", "a value has characters that HTTP does not allow"))?;
            value.set_sensitive(true);
            given.insert(header, value);
        }
        let to = Address::parse(name, url.expose())?;
        Ok(Self { name: name.to_owned(), to, format, key, headers: given, client: Client::new(name, timeout)? })
    }

    async fn post(&self, telling: &Telling, id: &str, kind: ChangeKind, alert: &Alert) -> Result<(), SinkError> {
        let body = body(kind, alert, telling.incident_id(), self.format);
        let timestamp = telling.now.as_second();
        let mut headers = self.headers.clone();
        let mut put = |name: &'static str, value: &str| {
            // Ids and names are ours and plain; one that HTTP does not allow is left out rather than the alert.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("webhook-id", id);
        put("webhook-timestamp", &timestamp.to_string());
        if let Some(key) = &self.key {
            put("webhook-signature", &key.sign(id, timestamp, &body));
        }
        put("bedrock-watch-change", word(kind));
        if let Some(span) = &telling.span {
            put("traceparent", &traceparent(span));
        }
        let content_type = if self.format == Format::Human { "text/plain; charset=utf-8" } else { "application/json" };
        put(CONTENT_TYPE.as_str(), content_type);
        self.client.post(&self.to, headers, body.into_bytes()).await?.accepted().map(|_| ())
    }

    async fn tell_one(&self, telling: &Telling, claim: &Claim) -> Result<Told, SinkError> {
        let mut told = Told::default();
        let id = &claim.alert.alert.id;
        if claim.pending.is_empty() {
            // A reminder has no revision of its own; its number tells it from the revision and from other reminders.
            let id = format!("{id}.{}.{}", claim.alert.revision, claim.fence);
            self.post(telling, &id, ChangeKind::Updated, &claim.alert.alert).await?;
            return Ok(Told { requests: 1, reference: Some(id), ..told });
        }
        for revision in claim.pending.iter().take(REQUESTS_PER_TELLING_MAX as usize) {
            // The same for every attempt, so that the receiver can tell a repeat.
            let id = format!("{id}.{}", revision.revision);
            let so_far = (told.requests > 0).then(|| told.clone());
            self.post(telling, &id, revision.kind, &revision.alert).await.map_err(|error| error.after(so_far))?;
            told.through = Some(revision.revision);
            told.requests = told.requests.saturating_add(1);
            told.reference = Some(id);
        }
        Ok(told)
    }
}

#[async_trait]
impl Sink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn tells_incidents(&self) -> bool {
        self.format == Format::Json
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        match telling.claims.as_slice() {
            [claim] => self.tell_one(telling, claim).await,
            _ => Err(SinkError::permanent("a webhook is told of one alert at a time")),
        }
    }
}

const fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Fired => "fired",
        ChangeKind::Updated => "updated",
        ChangeKind::Resolved => "resolved",
        ChangeKind::Withdrawn => "withdrawn",
    }
}
