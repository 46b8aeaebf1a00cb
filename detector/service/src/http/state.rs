//! `/v1/state`: what the service has seen, what it knows, what waits, and what does not work: all that the console shows
//! beside alerts.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bedrock_watch_engine::Summary;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    App,
    access::{Access, refuse_for_now},
    alerts::store_failed,
    links::Known,
    view,
};
use crate::store::StoreError;

/// After how long a client may ask again when the loop did not answer.
const LOOP_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `GET /v1/state`.
pub(super) async fn state(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let Some(known) = app.knowledge.get(&app.questions).await else {
        return refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer", LOOP_WAIT);
    };
    match gather(&app, &known, &access).await {
        Ok(state) => Json(state).into_response(),
        Err(error) => store_failed(&error),
    }
}

async fn gather(app: &App, known: &Summary, access: &Access) -> Result<Value, StoreError> {
    let links = Known { reasons: app.status.reasons(), lags: app.status.lags() };
    let mut linked = links.links(&app.links);
    let reports = (app.sink_reports.0)();
    let report = app.reports.borrow().clone();
    let firing = app.firing.counts(&*app.store).await?;
    let firing: BTreeMap<&str, u64> = firing.iter().map(|(severity, count)| (severity.as_str(), *count)).collect();
    let mut sinks = Vec::new();
    for sink in app.sinks.iter() {
        let waiting = app.store.waiting(sink).await?;
        let counted = reports.iter().find(|report| report.name == *sink).map(|report| &report.counted);
        linked.push(links.sink(sink, &waiting, counted));
        let since = waiting.since.map(|since: Timestamp| since.to_string());
        sinks.push(json!({
            "name": sink, "waiting": waiting.alerts, "dead_letters": waiting.dead, "waiting_since": since,
        }));
    }
    let reasons = links.reasons;
    let (rules, reloads) = (app.rules.current(), app.rules.reloads());
    let mut state = json!({
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
        "links": linked,
        "access": access.json(),
    });
    if let Some(fields) = state.as_object_mut() {
        fields.extend(view::fields(known));
    }
    Ok(state)
}
