"""Reads Prometheus text on standard input as Prometheus' own client does, and checks what promtool checks.

Prints one JSON object a metric: name, kind, and the names of the labels of its samples.
"""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

UNITS = {"seconds", "bytes"}
NOT_UNITS = {"milliseconds", "minutes", "hours", "kilobytes", "megabytes"}


def check(family):
    if not family.documentation:
        raise SystemExit(f"{family.name} has no help")
    words = family.name.split("_")
    if NOT_UNITS.intersection(words):
        raise SystemExit(f"{family.name} is not in base units")
    if family.type != "counter" and words[-1] == "total":
        raise SystemExit(f"{family.name} ends in total and is no counter")
    if family.type == "counter" and any(not sample.name.endswith("_total") for sample in family.samples):
        raise SystemExit(f"{family.name} is a counter and does not end in total")
    seen = set()
    for sample in family.samples:
        key = (sample.name, *sorted(sample.labels.items()))
        if key in seen:
            raise SystemExit(f"{key} is there twice")
        seen.add(key)
    if family.type == "histogram":
        check_histogram(family)


def check_histogram(family):
    """Buckets only grow, and the last one has everything."""
    series = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        entry = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if bound is not None:
            entry["buckets"].append((float(bound), sample.value))
        else:
            entry[sample.name.rsplit("_", 1)[1]] = sample.value
    for labels, entry in series.items():
        counts = [count for _, count in sorted(entry["buckets"])]
        bounds = [bound for bound, _ in entry["buckets"]]
        if bounds != sorted(bounds) or counts != sorted(counts) or counts[-1] != entry["count"] or "sum" not in entry:
            raise SystemExit(f"{family.name} {labels}: {entry}")


def main():
    for family in text_string_to_metric_families(sys.stdin.read()):
        check(family)
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        print(json.dumps({"name": family.name, "kind": family.type, "labels": labels}))


if __name__ == "__main__":
    main()
