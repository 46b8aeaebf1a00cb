//! `/metrics`: every metric as Prometheus text. What there is stands in `telemetry/table.rs`.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{App, alerts::store_failed};
use crate::telemetry::prometheus;

/// The metrics, as they are now.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    match app.collector.gather().await {
        Ok(gathered) => {
            let text = prometheus::text(&gathered);
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => store_failed(&error),
    }
}
