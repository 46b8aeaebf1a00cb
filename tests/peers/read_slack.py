"""Reads a channel back with Slack's own client: its messages, oldest first, each with its thread.

Arguments: the address of the Web API, and the channel's name.
"""

import json
import sys

from slack_sdk import WebClient

url, name = sys.argv[1:]
client = WebClient(token="xoxb-test", base_url=url)
channels = client.conversations_list(limit=100)["channels"]
channel = next(one["id"] for one in channels if one["name"] == name)
for message in reversed(client.conversations_history(channel=channel, limit=200)["messages"]):
    thread = client.conversations_replies(channel=channel, ts=message["ts"])["messages"][1:]
    print(json.dumps({"message": message, "thread": thread}))
