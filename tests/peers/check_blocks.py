"""Checks Slack messages with the models of Slack's own SDK.

Reads one message a line from standard input, each an object with `text` and `blocks`, and prints one line for each
problem. The models know the limits of Block Kit; a block that does not come back as it went in has a field that they
do not know.
"""

import json
import sys

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block


def problems(message):
    if not message.get("text"):
        yield "no text for notifications"
    if len(message["blocks"]) > 50:
        yield f"{len(message['blocks'])} blocks"
    for number, block in enumerate(message["blocks"]):
        parsed = Block.parse(block)
        if parsed is None:
            yield f"block {number}: unknown type {block.get('type')}"
            continue
        try:
            parsed.validate_json()
        except SlackObjectFormationError as error:
            yield f"block {number} ({block['type']}): {error}"
            continue
        if parsed.to_dict() != block:
            yield f"block {number} ({block['type']}): {json.dumps(block)} is read as {json.dumps(parsed.to_dict())}"


checked = 0
for position, line in enumerate(sys.stdin):
    for problem in problems(json.loads(line)):
        print(f"message {position}: {problem}")
    checked += 1
print(f"checked {checked}")
