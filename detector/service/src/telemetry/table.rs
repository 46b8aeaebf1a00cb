//! The one table of metrics. Prometheus text, OTLP and `docs/metrics.md` all follow from it.
//!
//! To add one: a line here. What it reads must be in [`Gathered`]. A label's values are either fixed, or as many as the
//! configuration or the rules have; nothing that records contain ever becomes a label.

use bedrock_watch_engine::Limit;

use super::metric::{Gathered, Kind, Label, Metric, Point, Value};
use crate::sink::Counted;

const RULE: Label = Label { name: "rule", values: "ids of rules, as many as are in force" };
const SEVERITY: Label = Label { name: "severity", values: "the five severities" };
const SINK: Label = Label { name: "sink", values: "names of configured sinks" };

const fn counter(
    name: &'static str,
    unit: &'static str,
    about: &'static str,
    read: fn(&Gathered) -> Vec<Point>,
) -> Metric {
    Metric { name, unit, kind: Kind::Counter, about, labels: &[], read }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    about: &'static str,
    read: fn(&Gathered) -> Vec<Point>,
) -> Metric {
    Metric { kind: Kind::Gauge, ..counter(name, unit, about, read) }
}

const fn histogram(name: &'static str, about: &'static str, read: fn(&Gathered) -> Vec<Point>) -> Metric {
    Metric { kind: Kind::Histogram, ..counter(name, "s", about, read) }
}

const fn with(metric: Metric, labels: &'static [Label]) -> Metric {
    Metric { labels, ..metric }
}

/// A number of each sink's worker.
fn of_sinks(gathered: &Gathered, value: fn(&Counted) -> u64) -> Vec<Point> {
    gathered.sinks.iter().map(|sink| Point::labelled(&sink.name, value(&sink.counted))).collect()
}

/// A number about what waits for each sink.
fn of_waiting(gathered: &Gathered, value: fn(&crate::store::Waiting, &Gathered) -> u64) -> Vec<Point> {
    gathered.waiting.iter().map(|(sink, waiting)| Point::labelled(sink, value(waiting, gathered))).collect()
}

/// Every metric, in the order of the reference.
pub const METRICS: &[Metric] = &[
    gauge("bedrock_watch.ready", "", "1 when everything works, as /readyz says.", |g| Point::one(u64::from(g.ready))),
    histogram("bedrock_watch.event.lag", "How old events were when they were judged: now minus eventTime.", |g| {
        Point::histogram(g.report.service.timings.event_lag.clone())
    }),
    with(
        gauge("bedrock_watch.stream.lag", "s", "How far behind a shard is read, as the stream says.", |g| {
            let point = |(shard, lag): (&String, &std::time::Duration)| Point {
                labels: vec![shard.clone()],
                value: Value::Measure(lag.as_secs_f64()),
            };
            g.lags.iter().map(point).collect()
        }),
        &[Label { name: "shard", values: "shards that are read, at most 1,000 a worker" }],
    ),
    counter(
        "bedrock_watch.stream.lost",
        "{time}",
        "Times that records of a shard may have been lost: the stream no longer kept them when they were to be read.",
        |g| Point::one(g.meters.stream_lost.read()),
    ),
    with(
        histogram("bedrock_watch.stage.duration", "How long a batch or an alert took in each stage.", |g| {
            let timings = &g.report.service.timings;
            vec![
                Point::histogram_of("input", timings.input.clone()),
                Point::histogram_of("judge", timings.judge.clone()),
                Point::histogram_of("store", g.meters.stage_store.read()),
                Point::histogram_of("tell", g.meters.stage_tell.read()),
            ]
        }),
        &[Label {
            name: "stage",
            values: "input (waiting for the loop), judge, store (until it is stored), tell (until a sink answered)",
        }],
    ),
    counter("bedrock_watch.records", "{record}", "Records given to the engine.", |g| {
        Point::one(g.report.stats.records)
    }),
    counter(
        "bedrock_watch.records.prefiltered",
        "{record}",
        "Records shown to interest nobody without decoding.",
        |g| Point::one(g.report.stats.prefiltered),
    ),
    counter("bedrock_watch.records.uninteresting", "{record}", "Decoded records that interest nobody.", |g| {
        Point::one(g.report.stats.uninteresting)
    }),
    counter("bedrock_watch.records.judged", "{record}", "Records that were judged.", |g| {
        Point::one(g.report.stats.judged)
    }),
    counter("bedrock_watch.records.rejected", "{record}", "Records that are no valid event.", |g| {
        Point::one(g.report.stats.rejected)
    }),
    counter("bedrock_watch.records.duplicate", "{record}", "Copies of events judged before.", |g| {
        Point::one(g.report.stats.duplicates)
    }),
    counter(
        "bedrock_watch.records.copies_differ",
        "{record}",
        "Copies that differ from the event judged before.",
        |g| Point::one(g.report.stats.copies_differ),
    ),
    counter("bedrock_watch.records.late", "{record}", "Records older than the allowed lateness.", |g| {
        Point::one(g.report.stats.late)
    }),
    counter("bedrock_watch.records.future", "{record}", "Records put aside because they lie in the future.", |g| {
        Point::one(g.report.service.future)
    }),
    counter("bedrock_watch.input.unreadable", "{piece}", "Pieces of input without a record.", |g| {
        Point::one(g.report.service.unreadable)
    }),
    counter("bedrock_watch.input", "By", "Bytes of records.", |g| Point::one(g.report.service.bytes)),
    counter("bedrock_watch.batches", "{batch}", "Batches of records judged.", |g| Point::one(g.report.service.batches)),
    with(
        counter(
            "bedrock_watch.limits.reached",
            "{time}",
            "How much was forgotten or not kept because of a limit: things of the kind that is limited.",
            |g| Limit::ALL.map(|limit| Point::labelled(limit.as_str(), g.report.stats.limits.of(limit))).to_vec(),
        ),
        &[Label {
            name: "limit",
            values: "names of the settings in `[limits]`, and fixed for limits that are no settings",
        }],
    ),
    with(
        counter(
            "bedrock_watch.rules.matched",
            "{match}",
            "Changes of alerts that matches of a rule caused: it fired, or was raised or counted further.",
            |g| g.report.service.by_rule.matched().map(|(rule, count)| Point::labelled(rule, count)).collect(),
        ),
        &[RULE],
    ),
    with(
        counter("bedrock_watch.alerts", "{alert}", "Alerts that fired, by rule and severity.", |g| {
            let point = |(rule, severity, count): (&str, &str, u64)| Point {
                labels: vec![rule.to_owned(), severity.to_owned()],
                value: Value::Number(count),
            };
            g.report.service.by_rule.fired().map(point).collect()
        }),
        &[RULE, SEVERITY],
    ),
    counter(
        "bedrock_watch.alerts.fired",
        "{alert}",
        "Alerts that fired, as the engine counts them: rules in shadow mode too, and anew after a restart.",
        |g| Point::one(g.report.stats.alerts_fired),
    ),
    with(
        gauge("bedrock_watch.alerts.firing", "{alert}", "Alerts that fire now.", |g| {
            g.firing.iter().map(|(severity, count)| Point::labelled(severity.as_str(), *count)).collect()
        }),
        &[SEVERITY],
    ),
    with(
        counter("bedrock_watch.shadow.alerts", "{alert}", "Alerts that rules in shadow mode would have raised.", |g| {
            g.report.service.shadow.iter().map(|(rule, alerts)| Point::labelled(rule, *alerts)).collect()
        }),
        &[RULE],
    ),
    counter("bedrock_watch.alert.changes", "{change}", "Changes of alerts.", |g| Point::one(g.report.service.changes)),
    counter("bedrock_watch.changes.routed", "{change}", "Changes that at least one sink should hear of.", |g| {
        Point::one(g.report.service.routing.routed)
    }),
    counter("bedrock_watch.changes.silenced", "{change}", "Changes under a silence.", |g| {
        Point::one(g.report.service.routing.silenced)
    }),
    counter("bedrock_watch.changes.suppressed", "{change}", "Changes that the configuration suppresses.", |g| {
        Point::one(g.report.service.routing.suppressed)
    }),
    counter(
        "bedrock_watch.changes.learning",
        "{change}",
        "Changes not paged because their facts are still learning.",
        |g| Point::one(g.report.service.routing.learning),
    ),
    counter("bedrock_watch.changes.unrouted", "{change}", "Changes that no route wanted.", |g| {
        Point::one(g.report.service.routing.unrouted)
    }),
    counter(
        "bedrock_watch.incidents.cut",
        "{time}",
        "Times an incident was cut because it has more alerts than are looked at.",
        |g| Point::one(g.incidents_cut),
    ),
    with(
        counter("bedrock_watch.sink.told", "{delivery}", "Deliveries that reached the sink.", |g| {
            of_sinks(g, |c| c.told)
        }),
        &[SINK],
    ),
    with(
        counter("bedrock_watch.sink.requests", "{request}", "Requests, or lines, that these took.", |g| {
            of_sinks(g, |c| c.requests)
        }),
        &[SINK],
    ),
    with(
        counter("bedrock_watch.sink.failed", "{attempt}", "Attempts in vain.", |g| of_sinks(g, |c| c.failed)),
        &[SINK],
    ),
    with(
        counter(
            "bedrock_watch.sink.throttled",
            "{attempt}",
            "Attempts the sink refused because there were too many.",
            |g| of_sinks(g, |c| c.throttled),
        ),
        &[SINK],
    ),
    with(
        counter("bedrock_watch.sink.given_up", "{delivery}", "Deliveries that became dead letters.", |g| {
            of_sinks(g, |c| c.dead)
        }),
        &[SINK],
    ),
    with(
        counter("bedrock_watch.sink.fenced", "{delivery}", "Deliveries that another worker had taken over.", |g| {
            of_sinks(g, |c| c.fenced)
        }),
        &[SINK],
    ),
    with(
        gauge("bedrock_watch.sink.in_flight", "{delivery}", "Deliveries being made now.", |g| {
            of_sinks(g, |c| c.in_flight)
        }),
        &[SINK],
    ),
    with(
        gauge(
            "bedrock_watch.sink.failing",
            "{failure}",
            "Failures of the whole sink in a row; 0 when it works.",
            |g| of_sinks(g, |c| c.failing),
        ),
        &[SINK],
    ),
    with(
        gauge(
            "bedrock_watch.sink.waiting.alerts",
            "{alert}",
            "Alerts whose latest state the sink has not heard.",
            |g| of_waiting(g, |waiting, _| waiting.alerts),
        ),
        &[SINK],
    ),
    with(
        gauge("bedrock_watch.sink.dead_letters", "{delivery}", "Deliveries that were given up.", |g| {
            of_waiting(g, |waiting, _| waiting.dead)
        }),
        &[SINK],
    ),
    with(
        gauge("bedrock_watch.sink.waiting", "s", "For how long the one that waits longest has been due.", |g| {
            of_waiting(g, |waiting, g| {
                let waited = waiting.since.map_or(0, |since| g.now.duration_since(since).as_secs());
                u64::try_from(waited).unwrap_or(0)
            })
        }),
        &[SINK],
    ),
    with(
        histogram("bedrock_watch.store.duration", "How long the store took for what the way of an alert needs.", |g| {
            vec![
                Point::histogram_of("commit", g.meters.store_commit.read()),
                Point::histogram_of("snapshot", g.meters.store_snapshot.read()),
                Point::histogram_of("claim", g.meters.store_claim.read()),
                Point::histogram_of("settle", g.meters.store_settle.read()),
            ]
        }),
        &[Label { name: "operation", values: "commit, snapshot, claim, settle" }],
    ),
    counter("bedrock_watch.store.failed", "{operation}", "Of these, operations that failed.", |g| {
        Point::one(g.meters.store_failed.read())
    }),
    gauge("bedrock_watch.leases.held", "{shard}", "Shards that this worker holds.", |g| {
        Point::one(g.meters.leases_held.read())
    }),
    counter("bedrock_watch.leases.gained", "{shard}", "Shards that this worker came to hold.", |g| {
        Point::one(g.meters.leases_gained.read())
    }),
    counter("bedrock_watch.leases.lost", "{shard}", "Shards that another worker took over.", |g| {
        Point::one(g.meters.leases_lost.read())
    }),
    counter(
        "bedrock_watch.canaries",
        "{canary}",
        "Canaries that came back, own ones and those of other workers.",
        |g| Point::one(g.report.service.canaries),
    ),
    histogram("bedrock_watch.canary.round_trip", "From sending an own canary to its return through the stream.", |g| {
        Point::histogram(g.meters.canary.read())
    }),
    with(
        counter("bedrock_watch.rule.reloads", "{time}", "Times rules were read again.", |g| {
            vec![Point::labelled("done", g.reloads.done), Point::labelled("failed", g.reloads.failed)]
        }),
        &[Label { name: "result", values: "done, failed" }],
    ),
    gauge(
        "bedrock_watch.rules.outdated",
        "",
        "1 while the rules that are there cannot be used and older ones are in force.",
        |g| Point::one(u64::from(!g.reloads.problems.is_empty())),
    ),
    with(
        counter("bedrock_watch.telemetry.sent", "{item}", "Spans, and sets of metrics, for OTLP.", |g| {
            let (spans, metrics) = (&g.meters.spans, &g.meters.metrics);
            let counts = [
                ("traces", "exported", &spans.exported),
                ("traces", "dropped", &spans.dropped),
                ("traces", "failed", &spans.failed),
                ("metrics", "exported", &metrics.exported),
                ("metrics", "failed", &metrics.failed),
            ];
            let point = |(signal, outcome, count): (&str, &str, &super::meters::Number)| Point {
                labels: vec![signal.to_owned(), outcome.to_owned()],
                value: Value::Number(count.read()),
            };
            counts.into_iter().map(point).collect()
        }),
        &[
            Label { name: "signal", values: "traces, metrics" },
            Label { name: "outcome", values: "exported, dropped (the queue was full), failed (nobody took them)" },
        ],
    ),
    counter(
        "bedrock_watch.log.suppressed",
        "{line}",
        "Lines of the log left out because the same was said often.",
        |_| Point::one(super::LOG_SUPPRESSED.read()),
    ),
];
