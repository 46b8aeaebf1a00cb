//! `/v1/incidents`: listing and showing. Nothing here can be changed: an incident follows from its alerts.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    App,
    access::refuse,
    alerts::{as_json, store_failed},
    body::Asked,
    wire,
};
use crate::incident::{Overview, report};

/// Incidents in one answer, unless fewer are asked for.
const INCIDENTS_MAX: usize = 500;

/// What can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    status: Option<String>,
    severity: Option<String>,
    limit: Option<usize>,
}

impl Wanted {
    fn overview(self) -> Result<Overview, String> {
        Ok(Overview {
            status: self.status.as_deref().map(wire::status).transpose()?,
            severity_min: self.severity.as_deref().map(wire::severity).transpose()?,
            limit: self.limit.unwrap_or(INCIDENTS_MAX).clamp(1, INCIDENTS_MAX),
        })
    }
}

/// `GET /v1/incidents`: those of the newest alerts, the newest first.
pub(super) async fn list(State(app): State<App>, Asked(wanted): Asked<Wanted>) -> Response {
    let overview = match wanted.overview() {
        Ok(overview) => overview,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, &message),
    };
    match app.incidents.list(overview).await {
        Ok(incidents) => as_json(wire::incidents(&incidents)),
        Err(error) => store_failed(&error),
    }
}

/// `GET /v1/incidents/ID`: the incident, its timeline and the report about it.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>) -> Response {
    let read = async {
        let silences = app.store.silences(Timestamp::now(), true).await?;
        Ok((app.incidents.locate(&id).await?, silences))
    };
    match read.await {
        Ok((Some(located), silences)) => {
            let report = report(&located.incident, &located.stored, &silences, &app.contacts);
            as_json(wire::incident(&located, &report))
        }
        Ok((None, _)) => refuse(StatusCode::NOT_FOUND, "there is no incident with this id"),
        Err(error) => store_failed(&error),
    }
}
