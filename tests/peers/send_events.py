"""Sends events with PagerDuty's own client, from what our events say.

Argument: where to. Reads one of our events a line from standard input, and makes the client send the same.
"""

import json
import sys

from pagerduty import EventsApiV2Client

for line in sys.stdin:
    event = json.loads(line)
    client = EventsApiV2Client(event["routing_key"])
    # The client refuses addresses without TLS where it is asked politely.
    client._url = sys.argv[1]
    if event["event_action"] == "resolve":
        client.resolve(event["dedup_key"])
        continue
    payload = dict(event["payload"])
    client.trigger(
        payload.pop("summary"),
        payload.pop("source"),
        dedup_key=event["dedup_key"],
        severity=payload.pop("severity"),
        custom_details=payload.pop("custom_details"),
        payload=payload,
        links=event.get("links"),
    )
