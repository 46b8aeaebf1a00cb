//! `/metrics`: every metric as Prometheus text. What there is stands in `telemetry/table.rs`.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::App;
use crate::telemetry::prometheus;

/// The metrics, as they are now.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = prometheus::text(&app.collector.gather().await);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
