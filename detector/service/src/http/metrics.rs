//! `/metrics`: counters as Prometheus text.

use std::fmt::Write;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bedrock_watch_engine::alert::{Severity, Status};

use super::App;
use crate::pipeline::Report;

/// A counter: its name without the prefix, what it counts, and where it is found.
type Counter = (&'static str, &'static str, fn(&Report) -> u64);

/// Every counter.
const COUNTERS: &[Counter] = &[
    ("records_total", "Records given to the engine.", |r| r.stats.records),
    ("records_prefiltered_total", "Records shown to interest nobody without decoding.", |r| r.stats.prefiltered),
    ("records_uninteresting_total", "Decoded records that interest nobody.", |r| r.stats.uninteresting),
    ("records_judged_total", "Records that were judged.", |r| r.stats.judged),
    ("records_rejected_total", "Records that are no valid event.", |r| r.stats.rejected),
    ("records_duplicate_total", "Copies of events judged before.", |r| r.stats.duplicates),
    ("records_copies_differ_total", "Copies that differ from the event judged before.", |r| r.stats.copies_differ),
    ("records_late_total", "Records older than the allowed lateness.", |r| r.stats.late),
    ("records_future_total", "Records put aside because they lie in the future.", |r| r.service.future),
    ("input_unreadable_total", "Pieces of input without a record.", |r| r.service.unreadable),
    ("input_bytes_total", "Bytes of records.", |r| r.service.bytes),
    ("batches_total", "Batches of records judged.", |r| r.service.batches),
    ("principals_evicted_total", "Principals forgotten because of a limit.", |r| r.stats.principals_evicted),
    ("jobs_evicted_total", "Jobs forgotten because of a limit.", |r| r.stats.jobs_evicted),
    ("dependencies_evicted_total", "Dependencies forgotten because of a limit.", |r| r.stats.dependencies_evicted),
    ("alerts_evicted_total", "Alerts forgotten because of a limit.", |r| r.stats.alerts_evicted),
    ("event_ids_evicted_total", "Event ids forgotten because of a limit.", |r| r.stats.event_ids_evicted),
    ("limits_reached_total", "Anything else not kept because of a limit.", |r| r.stats.other_limits_reached),
    ("alerts_fired_total", "Alerts that fired.", |r| r.stats.alerts_fired),
    ("alert_changes_total", "Changes of alerts told to sinks.", |r| r.service.changes),
];

/// The counters, and the alerts that fire now by severity.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let report = app.reports.borrow().clone();
    let mut text = String::new();
    for (name, help, value) in COUNTERS {
        sample(&mut text, &format!("bedrock_watch_{name}"), "counter", help, &[(String::new(), value(&report))]);
    }
    let alerts = app.view.all();
    let firing = |severity: Severity| {
        let count = alerts.iter().filter(|alert| alert.status == Status::Firing && alert.severity == severity).count();
        (format!("{{severity=\"{}\"}}", severity.as_str()), u64::try_from(count).unwrap_or(u64::MAX))
    };
    let firing: Vec<(String, u64)> = Severity::ALL.into_iter().map(firing).collect();
    sample(&mut text, "bedrock_watch_alerts_firing", "gauge", "Alerts that fire now.", &firing);
    let ready = u64::from(app.status.reasons().is_empty());
    sample(&mut text, "bedrock_watch_ready", "gauge", "1 when everything works.", &[(String::new(), ready)]);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn sample(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, u64)]) {
    let mut lines = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in values {
        // Writing to a string cannot fail.
        writeln!(lines, "{name}{labels} {value}").unwrap_or_default();
    }
    text.push_str(&lines);
}
