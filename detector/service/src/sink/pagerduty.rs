//! PagerDuty: an incident for each alert, by the Events API v2.
//!
//! Telling it twice does no harm: the deduplication key is the alert's id.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;

use super::{
    Sink, SinkError, StartError, Telling, Told,
    http::{Address, Client},
    payload::{Context, pagerduty},
};
use crate::{config::Secret, store::Claim};

/// Sends events to one integration.
#[derive(Debug)]
pub(super) struct PagerDuty {
    name: String,
    to: Address,
    routing_key: Secret,
    client: Client,
    context: Arc<Context>,
}

impl PagerDuty {
    /// A sink that posts events to `url`.
    pub(super) fn new(
        name: &str,
        routing_key: &Secret,
        url: &str,
        timeout: Duration,
        context: Arc<Context>,
    ) -> Result<Self, StartError> {
        let (to, client) = (Address::parse(name, url)?, Client::new(name, timeout)?);
        Ok(Self { name: name.to_owned(), to, routing_key: routing_key.clone(), client, context })
    }

    /// The events that bring PagerDuty to where the alert stands.
    fn events(&self, claim: &Claim) -> Vec<Value> {
        let (key, alert) = (self.routing_key.expose(), claim.alert.alert.as_ref());
        let trigger = || pagerduty::trigger(key, alert, &self.context);
        match (claim.is_moot(), claim.is_over()) {
            (true, _) => Vec::new(),
            (false, false) => vec![trigger()],
            // It came and went while PagerDuty could not be reached; the incident is recorded all the same.
            (false, true) if claim.is_first() && !claim.unsettled => {
                vec![trigger(), pagerduty::resolve(key, alert)]
            }
            (false, true) => vec![pagerduty::resolve(key, alert)],
        }
    }

    async fn send(&self, event: &Value) -> Result<(), SinkError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.post(&self.to, headers, event.to_string().into_bytes()).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(&answer.excerpt(Some(&self.routing_key))));
        }
        let status = serde_json::from_slice::<Value>(&answer.body).ok();
        let status = status.as_ref().and_then(|body| body.get("status")).and_then(Value::as_str);
        if answer.status == StatusCode::ACCEPTED && status == Some("success") {
            return Ok(());
        }
        Err(answer.garbage("PagerDuty's 202"))
    }
}

#[async_trait]
impl Sink for PagerDuty {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let [claim] = telling.claims.as_slice() else {
            return Err(SinkError::permanent("PagerDuty is told of one alert at a time"));
        };
        let mut requests = 0_u32;
        for event in self.events(claim) {
            self.send(&event).await?;
            requests = requests.saturating_add(1);
        }
        Ok(Told { requests, ..Told::default() })
    }
}
