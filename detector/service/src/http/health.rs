//! `/healthz`: does the loop turn. `/readyz`: is anything not working.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::sync::oneshot;

use super::{App, access::refuse};
use crate::pipeline::Question;

/// How long the loop may take to answer before it counts as stuck.
const LOOP_WAIT: Duration = Duration::from_secs(5);

/// 200 when the loop answers.
pub(super) async fn alive(State(app): State<App>) -> Response {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        app.questions.send(Question::Turns(reply)).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(LOOP_WAIT, asked).await {
        Ok(Some(())) => Json(json!({ "alive": true })).into_response(),
        _ => refuse(StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer"),
    }
}

/// 200 when everything works, else 503 with the reasons.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let reasons = app.status.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}
