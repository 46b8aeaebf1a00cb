"""Judges what `doctor --format json` says of a set-up in moto: only what an emulator cannot have may be missing.

    python check_doctor.py REPORT EXIT_CODE
"""

import json
import sys

# The daemon does not run, Slack is not asked from here, moto has no metrics of shards, and it is not the task role that
# asks.
NOT_HERE = {"daemon", "sink", "shard-limit", "rights-excess"}
# Every one of these must have been looked at and found fine.
FINE = {
    "canary", "identity", "key", "rule", "rule-global", "rule-pattern", "rule-state", "stream", "stream-retention", "target",
    "target-dead-letter", "target-role", "trail", "trail-global", "trail-logging", "trail-management-events",
}  # fmt: skip


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        findings = json.load(file)["links"]
    broken = [one for one in findings if one["verdict"] == "broken" and one["link"] not in NOT_HERE]
    unknown = [one for one in findings if one["verdict"] == "not_checked" and one["link"] not in NOT_HERE]
    fine = {one["link"] for one in findings if one["verdict"] == "fine"}
    missing = FINE - fine
    for one in broken + unknown:
        print(json.dumps(one), file=sys.stderr)
    if broken or unknown or missing:
        raise SystemExit(f"doctor (exit code {sys.argv[2]}) is not content; never fine: {sorted(missing)}")
    print(f"{len(findings)} findings, {len(fine)} links fine")


if __name__ == "__main__":
    main()
