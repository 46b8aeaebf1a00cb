//! `/metrics`: counters as Prometheus text.

use std::fmt::Write;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bedrock_watch_engine::alert::Severity;
use jiff::Timestamp;

use super::{App, alerts::store_failed};
use crate::{
    pipeline::Report,
    sink::Counted,
    store::{StoreError, Waiting},
};

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
    ("canaries_total", "Canaries that came back, own ones and those of other workers.", |r| r.service.canaries),
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
    ("alert_changes_total", "Changes of alerts.", |r| r.service.changes),
    ("changes_routed_total", "Changes that at least one sink should hear of.", |r| r.service.routing.routed),
    ("changes_silenced_total", "Changes under a silence.", |r| r.service.routing.silenced),
    ("changes_suppressed_total", "Changes that the configuration suppresses.", |r| r.service.routing.suppressed),
    ("changes_learning_total", "Changes not paged because their facts are still learning.", |r| {
        r.service.routing.learning
    }),
    ("changes_unrouted_total", "Changes that no route wanted.", |r| r.service.routing.unrouted),
];

/// A counter or gauge of each sink's worker: its name without the prefix, its type, what it says, and where it is found.
type WorkerMetric = (&'static str, &'static str, &'static str, fn(&Counted) -> u64);

/// Every metric of workers.
const WORKER_METRICS: &[WorkerMetric] = &[
    ("sink_told_total", "counter", "Deliveries that reached the sink.", |c| c.told),
    ("sink_requests_total", "counter", "Requests, or lines, that these took.", |c| c.requests),
    ("sink_failed_total", "counter", "Attempts in vain.", |c| c.failed),
    ("sink_throttled_total", "counter", "Attempts the sink refused because there were too many.", |c| c.throttled),
    ("sink_given_up_total", "counter", "Deliveries that became dead letters.", |c| c.dead),
    ("sink_fenced_total", "counter", "Deliveries that another worker had taken over.", |c| c.fenced),
    ("sink_in_flight", "gauge", "Deliveries being made now.", |c| c.in_flight),
    ("sink_failing", "gauge", "Failures of the whole sink in a row; 0 when it works.", |c| c.failing),
];

/// A gauge of each sink: its name without the prefix, what it says, and where it is found.
type SinkGauge = (&'static str, &'static str, fn(&Waiting, Timestamp) -> u64);

/// Every gauge of sinks.
const SINK_GAUGES: &[SinkGauge] = &[
    ("sink_waiting_alerts", "Alerts whose latest state the sink has not heard.", |waiting, _| waiting.alerts),
    ("sink_dead_letters", "Deliveries that were given up.", |waiting, _| waiting.dead),
    ("sink_waiting_seconds", "For how long the one that waits longest has been due.", |waiting, now| {
        let waited = waiting.since.map_or(0, |since| now.duration_since(since).as_secs());
        u64::try_from(waited).unwrap_or(0)
    }),
];

/// The counters, what waits for each sink, and the alerts that fire now by severity.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    match render(&app).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => store_failed(&error),
    }
}

async fn render(app: &App) -> Result<String, StoreError> {
    let report = app.reports.borrow().clone();
    let mut text = String::new();
    for (name, help, value) in COUNTERS {
        sample(&mut text, &format!("bedrock_watch_{name}"), "counter", help, &[(String::new(), value(&report))]);
    }
    let firing = app.firing.counts(&*app.store).await?;
    let firing = |severity: Severity| {
        let count = firing.get(&severity).copied().unwrap_or_default();
        (format!("{{severity=\"{}\"}}", severity.as_str()), count)
    };
    let firing: Vec<(String, u64)> = Severity::ALL.into_iter().map(firing).collect();
    sample(&mut text, "bedrock_watch_alerts_firing", "gauge", "Alerts that fire now.", &firing);
    let cut = [(String::new(), app.incidents.cut())];
    let help = "Times an incident was cut because it has more alerts than are looked at.";
    sample(&mut text, "bedrock_watch_incidents_cut_total", "counter", help, &cut);
    let workers = (app.sink_reports.0)();
    for (name, kind, help, value) in WORKER_METRICS {
        let values = workers.iter().map(|sink| (format!("{{sink=\"{}\"}}", sink.name), value(&sink.counted)));
        sample(&mut text, &format!("bedrock_watch_{name}"), kind, help, &values.collect::<Vec<_>>());
    }
    let mut sinks = Vec::new();
    for sink in app.sinks.iter() {
        // Names are checked when the configuration is read, so that nothing in them needs quoting.
        sinks.push((format!("{{sink=\"{sink}\"}}"), app.store.waiting(sink).await?));
    }
    let now = Timestamp::now();
    for (name, help, value) in SINK_GAUGES {
        let values = sinks.iter().map(|(labels, waiting)| (labels.clone(), value(waiting, now)));
        sample(&mut text, &format!("bedrock_watch_{name}"), "gauge", help, &values.collect::<Vec<_>>());
    }
    let shadow = report.service.shadow.iter();
    // A rule's id is a folder's name, which may be anything.
    let shadow: Vec<(String, u64)> =
        shadow.map(|(rule, alerts)| (format!("{{rule=\"{}\"}}", quoted(rule)), *alerts)).collect();
    let help = "Alerts that rules in shadow mode would have raised.";
    sample(&mut text, "bedrock_watch_shadow_alerts_total", "counter", help, &shadow);
    let reloads = app.rules.reloads();
    let results = [("done", reloads.done), ("failed", reloads.failed)];
    let results = results.map(|(result, count)| (format!("{{result=\"{result}\"}}"), count));
    sample(&mut text, "bedrock_watch_rule_reloads_total", "counter", "Times rules were read again.", &results);
    let outdated = u64::from(!reloads.problems.is_empty());
    let help = "1 while the rules that are there cannot be used and older ones are in force.";
    sample(&mut text, "bedrock_watch_rules_outdated", "gauge", help, &[(String::new(), outdated)]);
    let ready = u64::from(app.status.reasons().is_empty());
    sample(&mut text, "bedrock_watch_ready", "gauge", "1 when everything works.", &[(String::new(), ready)]);
    Ok(text)
}

/// A label's value as Prometheus wants it.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn sample(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, u64)]) {
    let mut lines = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in values {
        // Writing to a string cannot fail.
        writeln!(lines, "{name}{labels} {value}").unwrap_or_default();
    }
    text.push_str(&lines);
}
