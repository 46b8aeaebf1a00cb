//! `POST /v1/events`: records in any form the product accepts.

use std::time::Duration;

use axum::{
    Json,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{App, access::refuse};
use crate::source::{Records, Refused, TooLarge};

/// How long a client may take to send its body.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// A compressed body may grow to this many times the limit of a body.
const INFLATED_FACTOR: usize = 10;
/// Bodies larger than this are taken apart on a thread that may be busy.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Answers 202 once the engine has taken the records.
pub(super) async fn post(State(app): State<App>, request: Request) -> Response {
    let Ok(_permit) = app.requests.try_acquire() else {
        return busy("too many requests at once");
    };
    let body = match tokio::time::timeout(BODY_WAIT, to_bytes(request.into_body(), app.body_bytes_max)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_length_limit(&error) => return too_large(app.body_bytes_max),
        Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "the body could not be read"),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
    };
    let Ok(records) = take_apart(body, app.body_bytes_max.saturating_mul(INFLATED_FACTOR)).await else {
        return too_large(app.body_bytes_max);
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

fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn too_large(bytes_max: usize) -> Response {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {bytes_max} bytes; send fewer records"))
}

fn busy(message: &str) -> Response {
    let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn closing() -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
