//! `/v1/state`: what the service has seen and what waits, in numbers.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{App, alerts::store_failed};
use crate::store::StoreError;

/// `GET /v1/state`.
pub(super) async fn state(State(app): State<App>) -> Response {
    match gather(&app).await {
        Ok(state) => Json(state).into_response(),
        Err(error) => store_failed(&error),
    }
}

async fn gather(app: &App) -> Result<Value, StoreError> {
    let report = app.reports.borrow().clone();
    let firing = app.firing.counts(&*app.store).await?;
    let firing: BTreeMap<&str, u64> = firing.iter().map(|(severity, count)| (severity.as_str(), *count)).collect();
    let mut sinks = Vec::new();
    for sink in app.sinks.iter() {
        let waiting = app.store.waiting(sink).await?;
        let since = waiting.since.map(|since: Timestamp| since.to_string());
        sinks.push(json!({
            "name": sink, "waiting": waiting.alerts, "dead_letters": waiting.dead, "waiting_since": since,
        }));
    }
    let reasons = app.status.reasons();
    let (rules, reloads) = (app.rules.current(), app.rules.reloads());
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": report.now.to_rfc3339(),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "firing": firing,
        "sinks": sinks,
        "silences": app.silences.current().len(),
        "rules": {
            "count": rules.rules().len().saturating_add(rules.correlations().len()),
            "reloads": reloads.done,
            "failed_reloads": reloads.failed,
            "problems": reloads.problems,
            "shadow": report.service.shadow,
        },
        "engine": report.stats,
        "batches": report.service.batches,
        "bytes": report.service.bytes,
        "unreadable": report.service.unreadable,
        "put_aside_future": report.service.future,
    }))
}
