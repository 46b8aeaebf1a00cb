//! `/v1/alerts`: listing, showing, resolving by hand.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bedrock_watch_engine::alert::ChangeKind;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    App,
    access::{refuse, refuse_for_now},
    body::{self, Asked},
    wire,
};
use crate::{
    pipeline::Told,
    store::{AlertFilter, DeadLetter, Resolution, StoreError, StoredAlert},
    telemetry::{
        Draft,
        ids::{new_span, root_of, trace_of},
        trace_id,
    },
};

/// Alerts in one answer, unless fewer are asked for.
const ALERTS_MAX: usize = 1_000;
/// Dead letters that are looked through for those of one alert.
const DEAD_LETTERS_MAX: usize = 1_000;
/// The longest author or reason of a resolution, in characters.
const TEXT_CHARACTERS_MAX: usize = 1_024;
/// After how long a client may try again when the store did not answer.
const STORE_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// What can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    status: Option<String>,
    severity: Option<String>,
    rule: Option<String>,
    account: Option<String>,
    principal: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

impl Wanted {
    fn filter(self) -> Result<AlertFilter, String> {
        Ok(AlertFilter {
            status: self.status.as_deref().map(wire::status).transpose()?,
            severity_min: self.severity.as_deref().map(wire::severity).transpose()?,
            rule: self.rule,
            account: self.account,
            principal: self.principal,
            limit: self.limit.unwrap_or(ALERTS_MAX).clamp(1, ALERTS_MAX),
            after: self.after,
        })
    }
}

/// `GET /v1/alerts`: the newest first, by first event time and id.
pub(super) async fn list(State(app): State<App>, Asked(wanted): Asked<Wanted>) -> Response {
    let filter = match wanted.filter() {
        Ok(filter) => filter,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, &message),
    };
    let read = async {
        let page = app.store.alerts(&filter).await?;
        let incidents = app.incidents.of_alerts(page.alerts.clone()).await?;
        Ok(wire::page(&page, &incidents))
    };
    read.await.map_or_else(|error| store_failed(&error), as_json)
}

/// `GET /v1/alerts/ID`: the alert, its history, and the sinks that could not be told of it.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.store.alert(&id).await {
        Ok(Some(stored)) => details(&app, &stored).await,
        Ok(None) => unknown(),
        Err(error) => store_failed(&error),
    }
}

/// The body of a resolution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolves {
    author: String,
    reason: String,
}

/// `POST /v1/alerts/ID/resolve`: a person says that it is over.
pub(super) async fn resolve(State(app): State<App>, Path(id): Path<String>, request: Request) -> Response {
    let by: Resolves = match body::json(request).await {
        Ok(by) => by,
        Err(response) => return response,
    };
    for (name, text) in [("author", &by.author), ("reason", &by.reason)] {
        if text.trim().is_empty() || text.chars().count() > TEXT_CHARACTERS_MAX {
            let message = format!("`{name}` has 1 to {TEXT_CHARACTERS_MAX} characters");
            return refuse(StatusCode::BAD_REQUEST, &message);
        }
    }
    let before = match app.store.alert(&id).await {
        Ok(Some(stored)) => stored.revision,
        Ok(None) => return unknown(),
        Err(error) => return store_failed(&error),
    };
    let by = Resolution { author: by.author, reason: by.reason };
    let began = Timestamp::now();
    match app.store.resolve(&id, &by, Timestamp::now()).await {
        Ok(Some(stored)) => {
            if stored.revision != before {
                let (author, trace_id) = (crate::format::visible(&by.author), trace_id(&id));
                tracing::info!(alert = %id, trace_id, %author, "alert resolved by hand");
                trace(&app, &stored, began);
                tell(&app, &stored);
            }
            details(&app, &stored).await
        }
        Ok(None) => unknown(),
        Err(error) => store_failed(&error),
    }
}

/// What a person said is part of the alert's trace; who it was is not.
fn trace(app: &App, stored: &StoredAlert, began: Timestamp) {
    let id = &stored.alert.id;
    let trace = trace_of(id);
    let span = Draft::new("alert resolved by hand", new_span(trace, true), (began, Timestamp::now()))
        .within(root_of(trace))
        .text("bedrock_watch.alert.id", id)
        .text("bedrock_watch.alert.rule", &stored.alert.rule)
        .number("bedrock_watch.alert.revision", u64::from(stored.revision));
    app.status.telemetry().trace(span);
}

/// Wakes the sinks and those who watch the stream.
fn tell(app: &App, stored: &StoredAlert) {
    (app.nudge.0)();
    let told = Arc::new(Told { kind: ChangeKind::Resolved, alert: stored.clone() });
    // That nobody watches is no error.
    app.told.send(told).map(drop).unwrap_or_default();
}

async fn details(app: &App, stored: &StoredAlert) -> Response {
    let read = async {
        let history = app.store.history(&stored.alert.id).await?;
        let mut letters: Vec<DeadLetter> = app.store.dead_letters(DEAD_LETTERS_MAX).await?;
        letters.retain(|letter| letter.alert == stored.alert.id);
        let incidents = app.incidents.of_alerts(vec![stored.clone()]).await?;
        Ok(wire::details(stored, &history, &letters, &incidents))
    };
    read.await.map_or_else(|error| store_failed(&error), as_json)
}

fn unknown() -> Response {
    refuse(StatusCode::NOT_FOUND, "there is no alert with this id")
}

/// What a client hears when the store did not do it; the reason, which names files, goes to the log alone.
pub(super) fn store_failed(error: &StoreError) -> Response {
    if matches!(error, StoreError::Token(_)) {
        return refuse(StatusCode::BAD_REQUEST, &error.to_string());
    }
    tracing::warn!(%error, "a request failed because of the store");
    refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer", STORE_WAIT)
}

/// Text that is JSON already.
pub(super) fn as_json(text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}
