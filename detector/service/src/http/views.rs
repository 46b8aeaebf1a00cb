//! `/v1/alerts` and `/v1/state`.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{App, access::refuse};
use crate::format::json;

/// Alerts in one answer, unless fewer are asked for.
const ALERTS_MAX: usize = 1_000;

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    status: Option<String>,
    limit: Option<usize>,
}

/// The newest alerts, by first event time and id.
pub(super) async fn alerts(State(app): State<App>, Query(wanted): Query<Wanted>) -> Response {
    let mut alerts = app.view.all();
    alerts.retain(|alert| wanted.status.as_deref().is_none_or(|status| status == alert.status.as_str()));
    let total = alerts.len();
    let shown = wanted.limit.unwrap_or(ALERTS_MAX).min(ALERTS_MAX);
    // The lines are joined as text, so that each keeps its documented order of fields.
    let lines: Vec<String> = alerts.iter().skip(total.saturating_sub(shown)).map(|alert| json::line(alert)).collect();
    as_json(format!("{{\"total\":{total},\"alerts\":[{}]}}", lines.join(",")))
}

/// One alert.
pub(super) async fn alert(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.view.get(&id) {
        Some(alert) => as_json(json::line(&alert)),
        None => refuse(StatusCode::NOT_FOUND, "there is no alert with this id"),
    }
}

/// What the service has seen, in numbers.
pub(super) async fn state(State(app): State<App>) -> Response {
    let report = app.reports.borrow().clone();
    let mut by_status: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for alert in app.view.all() {
        let count = by_status.entry(alert.status.as_str()).or_default().entry(alert.severity.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": report.now.to_rfc3339(),
        "ready": app.status.reasons().is_empty(),
        "reasons": app.status.reasons(),
        "alerts": by_status,
        "engine": report.stats,
        "batches": report.service.batches,
        "bytes": report.service.bytes,
        "unreadable": report.service.unreadable,
        "put_aside_future": report.service.future,
    }))
    .into_response()
}

fn as_json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
