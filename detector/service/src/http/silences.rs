//! `/v1/silences`: listing, making and ending them.

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    App,
    access::refuse,
    alerts::{as_json, store_failed},
    body::{self, Asked},
    wire::{self, WishJson},
};
use crate::{format::visible, routing::Wish, store::Silence};

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    ended: bool,
}

#[derive(Serialize)]
struct List {
    silences: Vec<Silence>,
}

/// `GET /v1/silences`: those that have not ended, and with `ended=true` those of the last 30 days.
pub(super) async fn list(State(app): State<App>, Asked(wanted): Asked<Wanted>) -> Response {
    match app.store.silences(Timestamp::now(), wanted.ended).await {
        Ok(silences) => as_json(wire::text(&List { silences })),
        Err(error) => store_failed(&error),
    }
}

/// `POST /v1/silences`: 201 with the silence.
pub(super) async fn add(State(app): State<App>, request: Request) -> Response {
    let wish: WishJson = match body::json(request).await {
        Ok(wish) => wish,
        Err(response) => return response,
    };
    let now = Timestamp::now();
    let granted = Wish::try_from(wish).and_then(|wish| wish.grant(now).map_err(|problems| problems.join("; ")));
    let silence = match granted {
        Ok(silence) => silence,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, &message),
    };
    if let Err(error) = app.store.put_silence(silence.clone(), now).await {
        return store_failed(&error);
    }
    let (author, reason) = (visible(&silence.author), visible(&silence.reason));
    tracing::info!(silence = silence.id, %author, %reason, until = %silence.ends_at, "silence made");
    refresh(&app, now).await;
    (StatusCode::CREATED, as_json(wire::text(&silence))).into_response()
}

/// Which silence is to end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    id: String,
}

/// `DELETE /v1/silences?id=ID`: the silence ends now.
pub(super) async fn end_named(State(app): State<App>, Asked(which): Asked<Which>) -> Response {
    end(&app, &which.id).await
}

/// `DELETE /v1/silences/ID`: the same.
pub(super) async fn end_at(State(app): State<App>, Path(id): Path<String>) -> Response {
    end(&app, &id).await
}

async fn end(app: &App, id: &str) -> Response {
    let now = Timestamp::now();
    match app.store.end_silence(id, now).await {
        Ok(true) => {
            tracing::info!(silence = %visible(id), "silence ended");
            refresh(app, now).await;
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(false) => refuse(StatusCode::NOT_FOUND, "there is no silence with this id that still holds"),
        Err(error) => store_failed(&error),
    }
}

/// So that the next change is routed by it; if this fails, the regular reading comes soon.
async fn refresh(app: &App, now: Timestamp) {
    if let Err(error) = app.silences.refresh(&*app.store, now).await {
        tracing::warn!(%error, "silences not read; the former ones hold a little longer");
    }
}
