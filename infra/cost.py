#!/usr/bin/env python3
"""What a month costs, with its arithmetic: prints the tables of infra/README.md.

    python infra/cost.py            compare the README with the tables; 1 if they differ
    python infra/cost.py --write    bring it up to date

Change prices and assumptions here to those of your region and traffic.
"""

import math
import sys
from pathlib import Path

README = Path(__file__).with_name("README.md")
MARK = "<!-- infra/cost.py -->\n", "<!-- end of infra/cost.py -->\n"

SECONDS = 730 * 3600
CALLS = [1_000_000, 10_000_000, 500_000_000]

# List prices of us-east-1 in USD, noted on 2026-11-22; look at the pricing pages before you rely on them.
PRICE = {
    "shard hour": 0.015,
    "shard hour, retention beyond 24 h": 0.020,
    "million records of up to 25 KB": 0.014,
    "million events put or forwarded by EventBridge": 1.00,
    "vCPU hour": 0.04048,
    "GB hour of memory": 0.004445,
    "million writes of 1 KB, DynamoDB on demand": 0.625,
    "million reads of 4 KB, DynamoDB on demand": 0.125,
    "thousand PUTs, S3": 0.005,
    "GB month, S3": 0.023,
    "custom metric": 0.30,
    "alarm": 0.10,
    "dashboard": 3.00,
    "GB of log": 0.50,
    "key, KMS": 1.00,
    "secret": 0.40,
    "100,000 management events of a second trail": 2.00,
    "100,000 data events": 0.10,
}

# What the arithmetic assumes.
RECORD_BYTES = 2500  # an event of InvokeModel in its envelope
PEAK = 10  # the busiest second against the mean one
SHARD_BYTES = 700_000  # 1 MB/s, less the 30 % that `doctor` wants to be free
OTHERS = 0.05  # other events that are forwarded, as a part of calls
OTHERS_MIN = 100_000
TASKS = 2
SNAPSHOT_EVERY_S = 30
SNAPSHOT_BYTES = 20_000_000
RENEWED_EVERY_S = 10 / 3  # failover_ms / 3
INSIGHTS_METRICS = 30
ALARMS = 10
COUNTED_LINES = 3


def month(calls):
    """(what, arithmetic, USD) of each part."""
    rate = calls / SECONDS
    events = calls + max(OTHERS * calls, OTHERS_MIN)
    shards = max(2, math.ceil(rate * PEAK * RECORD_BYTES / SHARD_BYTES))
    all_shards = shards + 1
    cpu, memory = (0.5, 1) if calls <= 10_000_000 else (1, 2)
    # One conditional write for a stream's position in each second in which something came; every unit reads both.
    positions = shards * (min(1, rate / shards) + min(1, (events - calls) / SECONDS)) * SECONDS
    leases = shards * SECONDS / RENEWED_EVERY_S
    lease_reads = TASKS * SECONDS / RENEWED_EVERY_S
    puts = shards * SECONDS / SNAPSHOT_EVERY_S
    kept = shards * 86400 / SNAPSHOT_EVERY_S * SNAPSHOT_BYTES / 1e9
    canaries = TASKS * SECONDS / 300
    metrics = INSIGHTS_METRICS + COUNTED_LINES + 3 * all_shards
    p = PRICE
    return [
        ("Kinesis, shards", f"{all_shards} × 730 h × ${p['shard hour']}", all_shards * 730 * p["shard hour"]),
        ("Kinesis, 72 h retention", f"{all_shards} × 730 h × ${p['shard hour, retention beyond 24 h']:.3f}",
         all_shards * 730 * p["shard hour, retention beyond 24 h"]),
        ("Kinesis, records", f"{events / 1e6:,.1f} M × ${p['million records of up to 25 KB']}",
         events / 1e6 * p["million records of up to 25 KB"]),
        ("EventBridge, canaries", f"{canaries / 1e6:.4f} M × $1.00", canaries / 1e6),
        ("Fargate", f"{TASKS} × 730 h × ({cpu} × ${p['vCPU hour']} + {memory} × ${p['GB hour of memory']})",
         TASKS * 730 * (cpu * p["vCPU hour"] + memory * p["GB hour of memory"])),
        ("DynamoDB", f"({positions / 1e6:.1f} M positions + {leases / 1e6:.1f} M leases) × $0.625 + {lease_reads / 1e6:.1f} M reads × $0.125",
         (positions + leases) / 1e6 * p["million writes of 1 KB, DynamoDB on demand"]
         + lease_reads / 1e6 * p["million reads of 4 KB, DynamoDB on demand"]),
        ("S3, memory", f"{puts / 1e3:.0f} K PUTs × $0.005 + {kept:.0f} GB of a day's versions × $0.023",
         puts / 1e3 * p["thousand PUTs, S3"] + kept * p["GB month, S3"]),
        ("CloudWatch", f"{metrics} metrics × $0.30 + {ALARMS} alarms × $0.10 + dashboard $3 + 1 GB log × $0.50",
         metrics * p["custom metric"] + ALARMS * p["alarm"] + p["dashboard"] + p["GB of log"]),
        ("KMS and secrets", "1 key × $1.00 + 1 secret × $0.40", p["key, KMS"] + p["secret"]),
    ]  # fmt: skip


def extras(calls):
    """What only some have: (what, arithmetic, USD)."""
    events = calls + max(OTHERS * calls, OTHERS_MIN)
    p = PRICE
    return [
        ("All of it forwarded from other accounts or regions", f"{events / 1e6:,.1f} M × $1.00", events / 1e6),
        ("A second trail of the same management events", f"{calls / 1e5:,.0f} × $2.00",
         calls / 1e5 * p["100,000 management events of a second trail"]),
        ("As many data events (agents, knowledge bases) again", f"{calls / 1e5:,.0f} × $0.10", calls / 1e5 * p["100,000 data events"]),
    ]  # fmt: skip


def table(parts):
    """A table with a column for each number of calls."""
    columns = [parts(calls) for calls in CALLS]
    lines = ["| | " + " | ".join(f"{calls // 1_000_000} M calls" for calls in CALLS) + " |", "|---|" + "---|" * len(CALLS)]
    for row in zip(*columns):
        cells = " | ".join(f"{arithmetic} = **${usd:,.2f}**" for _, arithmetic, usd in row)
        lines.append(f"| {row[0][0]} | {cells} |")
    if parts is month:
        sums = " | ".join(f"**${sum(usd for *_, usd in column):,.0f}**" for column in columns)
        lines.append(f"| **Together, a month** | {sums} |")
    return "\n".join(lines)


def main():
    text = README.read_text()
    begin, end = (text.index(mark) for mark in MARK)
    made = f"{text[: begin + len(MARK[0])]}{table(month)}\n\nBesides, where it applies:\n\n{table(extras)}\n{text[end:]}"
    if "--write" in sys.argv[1:]:
        README.write_text(made)
    elif made != text:
        raise SystemExit("infra/README.md does not have the tables of infra/cost.py; run `python infra/cost.py --write`")


if __name__ == "__main__":
    main()
