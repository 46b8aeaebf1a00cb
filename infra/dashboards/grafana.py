#!/usr/bin/env python3
"""Makes grafana.json, because a dashboard of Grafana's is twenty lines of JSON for each line that says something.

    python infra/dashboards/grafana.py            compare; 1 if it is not up to date
    python infra/dashboards/grafana.py --write    make it again
"""

import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).with_name("grafana.json")
WIDTH = 24

# Rows of panels: title, kind, unit, what it tells, queries with their legends.
ROWS = {
    "Is it protecting?": [
        ("Ready workers", "stat", "none", "Workers that answer, and of these the ones that are ready. Below the number of tasks, look at /readyz.",
         [('sum(bedrock_watch_ready{job=~"$job"})', "ready"), ('count(bedrock_watch_ready{job=~"$job"})', "answering")]),
        ("Canaries back, last 15 min", "stat", "none", "Events of the service's own that came back through the stream. None for 10 minutes: nothing arrives.",
         [('sum(increase(bedrock_watch_canaries_total{job=~"$job"}[15m]))', "back")]),
        ("Alerts firing", "stat", "none", "Alerts that fire now. Workers share one store, so the greatest number counts.",
         [('max by (severity) (bedrock_watch_alerts_firing{job=~"$job"})', "{{severity}}")]),
        ("Dead letters", "stat", "none", "Alerts that nobody was told of: mend the sink, then `bedrock-watch alerts redrive`.",
         [('sum(max by (sink) (bedrock_watch_sink_dead_letters{job=~"$job"}))', "dead letters")]),
    ],
    "How late is it?": [
        ("Age of events when they are judged", "timeseries", "s", "CloudTrail takes minutes; what is beyond that is ours. Median and 99th percentile.",
         [(f'histogram_quantile({q}, sum by (le) (rate(bedrock_watch_event_lag_seconds_bucket{{job=~"$job"}}[$__rate_interval])))', label)
          for q, label in ((0.5, "median"), (0.99, "99 %"))]),
        ("How far behind shards are read", "timeseries", "s", "As the streams say. It grows while a worker cannot keep up.",
         [('max by (shard) (bedrock_watch_stream_lag_seconds{job=~"$job"})', "{{shard}}")]),
        ("Stages, 99th percentile", "timeseries", "s", "How long a batch waits, is judged and stored, and how long sinks take.",
         [('histogram_quantile(0.99, sum by (le, stage) (rate(bedrock_watch_stage_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))', "{{stage}}")]),
        ("Store, 99th percentile", "timeseries", "s", "How long the store takes for each operation.",
         [('histogram_quantile(0.99, sum by (le, operation) (rate(bedrock_watch_store_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))', "{{operation}}")]),
        ("Round trip of canaries", "timeseries", "s", "From the bus through the stream to the loop: median and slowest.",
         [(f'histogram_quantile({q}, sum by (le) (rate(bedrock_watch_canary_round_trip_seconds_bucket{{job=~"$job"}}[15m])))', label)
          for q, label in ((0.5, "median"), (1, "slowest"))]),
        ("Shards of each worker", "timeseries", "none", "Leases held. They add up to the shards of the activity stream.",
         [('bedrock_watch_leases_held{job=~"$job"}', "{{instance}}"),
          ('sum(increase(bedrock_watch_leases_lost_total{job=~"$job"}[$__rate_interval]))', "lost")]),
    ],
    "What comes in": [
        ("Records a second", "timeseries", "cps", "What is read, and what is judged of it. Most records interest no rule.",
         [('sum by (instance) (rate(bedrock_watch_records_total{job=~"$job"}[$__rate_interval]))', "read, {{instance}}"),
          ('sum(rate(bedrock_watch_records_judged_total{job=~"$job"}[$__rate_interval]))', "judged")]),
        ("Bytes a second", "timeseries", "Bps", "Bytes of records.",
         [('sum by (instance) (rate(bedrock_watch_input_bytes_total{job=~"$job"}[$__rate_interval]))', "{{instance}}")]),
        ("Records out of the ordinary", "timeseries", "cps", "Rejected and unreadable ones are worth a look at the log; copies and late ones are CloudTrail's habit.",
         [('sum(rate(bedrock_watch_records_rejected_total{job=~"$job"}[$__rate_interval]))', "rejected"),
          ('sum(rate(bedrock_watch_input_unreadable_total{job=~"$job"}[$__rate_interval]))', "unreadable"),
          ('sum(rate(bedrock_watch_records_late_total{job=~"$job"}[$__rate_interval]))', "late"),
          ('sum(rate(bedrock_watch_records_future_total{job=~"$job"}[$__rate_interval]))', "in the future"),
          ('sum(rate(bedrock_watch_records_duplicate_total{job=~"$job"}[$__rate_interval]))', "copies")]),
        ("Forgotten because of a limit", "timeseries", "cps", "Anything but zero: raise the limit in [limits], or add workers.",
         [('sum by (limit) (rate(bedrock_watch_limits_reached_total{job=~"$job"}[$__rate_interval]))', "{{limit}}")]),
    ],
    "What comes out": [
        ("Alerts fired", "timeseries", "none", "New alerts in each interval, by rule.",
         [('sum by (rule, severity) (increase(bedrock_watch_alerts_total{job=~"$job"}[$__rate_interval]))', "{{severity}}: {{rule}}")]),
        ("What becomes of changes", "timeseries", "cps", "Where each change of an alert went, or why nobody was told.",
         [(f'sum(rate(bedrock_watch_changes_{name}_total{{job=~"$job"}}[$__rate_interval]))', name)
          for name in ("routed", "silenced", "suppressed", "learning", "unrouted")]),
        ("Waiting for a sink", "timeseries", "s", "For how long the oldest alert has waited to be told.",
         [('max by (sink) (bedrock_watch_sink_waiting_seconds{job=~"$job"})', "{{sink}}")]),
        ("Attempts of sinks", "timeseries", "cps", "Told, in vain, and refused because there were too many.",
         [('sum by (sink) (rate(bedrock_watch_sink_told_total{job=~"$job"}[$__rate_interval]))', "{{sink}} told"),
          ('sum by (sink) (rate(bedrock_watch_sink_failed_total{job=~"$job"}[$__rate_interval]))', "{{sink}} failed"),
          ('sum by (sink) (rate(bedrock_watch_sink_throttled_total{job=~"$job"}[$__rate_interval]))', "{{sink}} throttled")]),
    ],
}  # fmt: skip


def panel(number, spec, x, y, width):
    title, kind, unit, text, queries = spec
    source = {"type": "prometheus", "uid": "${datasource}"}
    targets = [
        {"refId": chr(ord("A") + place), "datasource": source, "expr": query, "legendFormat": legend}
        for place, (query, legend) in enumerate(queries)
    ]
    return {
        "id": number,
        "title": title,
        "description": text,
        "type": kind,
        "datasource": source,
        "gridPos": {"x": x, "y": y, "w": width, "h": 4 if kind == "stat" else 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if kind == "stat" else {"tooltip": {"mode": "multi"}},
        "targets": targets,
    }


def dashboard():
    panels, y = [], 0
    for row, specs in ROWS.items():
        panels.append({"id": len(panels) + 1, "type": "row", "title": row, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []})  # fmt: skip
        y += 1
        columns = 4 if specs[0][1] == "stat" else 2
        width = WIDTH // columns
        for place, spec in enumerate(specs):
            made = panel(len(panels) + 1, spec, place % columns * width, y, width)
            panels.append(made)
            if place % columns == columns - 1 or place == len(specs) - 1:
                y += made["gridPos"]["h"]
    variables = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {"name": "job", "label": "Job", "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"},
         "query": "label_values(bedrock_watch_ready, job)", "refresh": 2, "includeAll": True, "allValue": ".*",
         "multi": True, "current": {"text": "All", "value": "$__all"}},
    ]  # fmt: skip
    return {
        "uid": "bedrock-watch",
        "title": "bedrock-watch",
        "tags": ["bedrock-watch", "security"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": variables},
        "panels": panels,
    }


def main():
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--write" in sys.argv[1:]:
        OUTPUT.write_text(text)
    elif OUTPUT.read_text() != text:
        raise SystemExit(f"{OUTPUT.name} is not what grafana.py makes; run `python infra/dashboards/grafana.py --write`")


if __name__ == "__main__":
    main()
