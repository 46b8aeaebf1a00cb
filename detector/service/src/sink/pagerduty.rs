//! PagerDuty: a page for each incident, or for each alert, by the Events API v2.
//!
//! Telling it twice does no harm: the deduplication key is the alert's id, or that of the alert that opened the page;
//! see `page`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;

use serde::{Deserialize, Serialize};

use super::{
    Fault, Notebook, Sink, SinkError, StartError, Telling, Told,
    conversation::Held,
    http::{Address, Client},
    page::{Event, Page},
    payload::{
        Context,
        pagerduty::{self, Shared},
    },
};
use crate::{
    config::{GroupBy, Secret},
    store::Claim,
};

/// Sends events to one integration.
#[derive(Debug)]
pub(super) struct PagerDuty {
    name: String,
    to: Address,
    routing_key: Secret,
    group_by: GroupBy,
    client: Client,
    context: Arc<Context>,
}

/// What is remembered of an alert: which incident's page it is on.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    note: String,
}

impl PagerDuty {
    /// A sink that posts events to `url`.
    pub(super) fn new(
        name: &str,
        routing_key: &Secret,
        (url, group_by): (&str, GroupBy),
        timeout: Duration,
        context: Arc<Context>,
    ) -> Result<Self, StartError> {
        let (to, client) = (Address::parse(name, url)?, Client::new(name, timeout)?);
        Ok(Self { name: name.to_owned(), to, routing_key: routing_key.clone(), group_by, client, context })
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
                vec![trigger(), pagerduty::resolve(key, &pagerduty::dedup_key(alert))]
            }
            (false, true) => vec![pagerduty::resolve(key, &pagerduty::dedup_key(alert))],
        }
    }

    /// The note of the page that the alert is on or joins; `None` where it has a page of its own.
    async fn hold(&self, telling: &Telling, claim: &Claim) -> Result<Option<(Held<Page>, Notebook)>, SinkError> {
        let (GroupBy::Incident, Some(notebook)) = (self.group_by, telling.notebook.clone()) else { return Ok(None) };
        let memo = claim.memo.as_deref().and_then(|memo| serde_json::from_str::<Memo>(memo).ok());
        let mut held = match (memo, &telling.incident) {
            (Some(memo), _) => notebook.hold_note(&memo.note).await?,
            // It was paged under its own key, before incidents were, or while it was in none.
            (None, _) if !claim.is_first() => return Ok(None),
            (None, Some(incident)) => notebook.hold(incident).await?,
            (None, None) => return Ok(None),
        };
        if let Some(incident) = &telling.incident {
            match notebook.absorb(&held, incident).await {
                Ok(others) => others.into_iter().for_each(|other: Page| held.state.absorb(other)),
                Err(error) => {
                    notebook.release(held).await;
                    return Err(error);
                }
            }
        }
        Ok(Some((held, notebook)))
    }

    /// Tells of an alert on a page that others share.
    async fn tell_shared(
        &self,
        claim: &Claim,
        telling: &Telling,
        (mut held, notebook): (Held<Page>, Notebook),
    ) -> Result<Told, SinkError> {
        let alert = claim.alert.alert.as_ref();
        let unheard = claim.is_first() && !claim.unsettled;
        if let Some(incident) = &telling.incident {
            held.state.drop_over(incident);
        }
        let before = held.state.clone();
        let key = pagerduty::dedup_key(alert);
        let events = if claim.is_over() {
            held.state.ends(&key, alert.severity, unheard)
        } else {
            held.state.fires(&key, alert.severity)
        };
        // Before anything is sent: whoever comes next must know which key is in use.
        let mut outcome = notebook.save(&mut held).await;
        let mut requests = 0_u32;
        for event in &events {
            if outcome.is_ok() {
                outcome = self.send(&self.shared_event(event, claim, telling)).await;
                requests = requests.saturating_add(1);
            }
        }
        match &outcome {
            Ok(()) => held.state.sent(),
            // It will not be tried again, so nothing must wait for it.
            Err(error) if error.fault == Fault::Permanent => held.state = before,
            Err(_) => {}
        }
        let reference = held.incident().to_owned();
        let memo = serde_json::to_string(&Memo { note: reference.clone() }).ok();
        notebook.release(held).await;
        outcome.map(|()| Told { requests, memo, reference: Some(reference), ..Told::default() })
    }

    fn shared_event(&self, event: &Event, claim: &Claim, telling: &Telling) -> Value {
        let routing_key = self.routing_key.expose();
        match event {
            Event::Resolve(key) => pagerduty::resolve(routing_key, key),
            Event::Trigger { key, severity } => {
                let page = Shared { key, severity: *severity, incident: telling.incident.as_deref() };
                pagerduty::trigger_in(routing_key, &claim.alert.alert, &self.context, page)
            }
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

    fn tells_incidents(&self) -> bool {
        self.group_by == GroupBy::Incident
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let [claim] = telling.claims.as_slice() else {
            return Err(SinkError::permanent("PagerDuty is told of one alert at a time"));
        };
        if !claim.is_moot()
            && let Some(held) = self.hold(telling, claim).await?
        {
            return self.tell_shared(claim, telling, held).await;
        }
        let mut requests = 0_u32;
        for event in self.events(claim) {
            self.send(&event).await?;
            requests = requests.saturating_add(1);
        }
        let reference = (requests > 0).then(|| pagerduty::dedup_key(&claim.alert.alert));
        Ok(Told { requests, reference, ..Told::default() })
    }
}
