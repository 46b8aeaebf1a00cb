//! `POST /v1/events`: records in any form the product accepts.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    App,
    access::{refuse, refuse_for_now},
    body,
};
use crate::source::{Records, Refused, TooLarge};

/// A compressed body may grow to this many times the limit of a body.
const INFLATED_FACTOR: usize = 10;
/// Bodies larger than this are taken apart on a thread that may be busy.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// When a client that was sent away may come again.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// When a client of a service that ends may look for the next one.
const CLOSING_WAIT: Duration = Duration::from_secs(5);

/// Answers 202 once the records are accepted: judged, and stored with the alerts they caused.
pub(super) async fn post(State(app): State<App>, request: Request) -> Response {
    let Ok(_permit) = app.requests.try_acquire() else {
        return busy("too many requests at once");
    };
    let body = match body::bytes(request.into_body(), app.body_bytes_max).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let Ok(records) = take_apart(body, app.body_bytes_max.saturating_mul(INFLATED_FACTOR)).await else {
        return body::too_large(app.body_bytes_max);
    };
    let Some(intake) = &app.intake else {
        return refuse(StatusCode::NOT_FOUND, "there is no HTTP source");
    };
    let outcome = match intake.offer(records) {
        Ok(outcome) => outcome.await,
        Err(Refused::Full) => return busy("the queue to the engine is full"),
        Err(Refused::Closed) => return closing(),
    };
    match outcome {
        Ok(outcome) => {
            let answer = json!({ "accepted": outcome.accepted, "rejected": outcome.rejected });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(_) => closing(),
    }
}

async fn take_apart(body: Bytes, bytes_max: usize) -> Result<Records, TooLarge> {
    if body.len() <= INLINE_BYTES_MAX {
        return Records::of_body(&body, bytes_max);
    }
    tokio::task::spawn_blocking(move || Records::of_body(&body, bytes_max)).await.unwrap_or(Err(TooLarge))
}

fn busy(message: &str) -> Response {
    refuse_for_now(StatusCode::TOO_MANY_REQUESTS, message, BUSY_WAIT)
}

fn closing() -> Response {
    refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down", CLOSING_WAIT)
}
