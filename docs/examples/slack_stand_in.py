"""A stand-in for Slack's incoming webhooks, on 127.0.0.1:9099: prints what a channel would show.

    python3 docs/examples/slack_stand_in.py

It draws nothing: headings and texts of a message, in their order. Python's standard library is all it needs.
"""

import http.server
import json
import sys

PORT = 9099


def texts(message):
    """The texts of a message's blocks, those of its attachments among them."""
    blocks = message.get("blocks", [])
    for attachment in message.get("attachments", []):
        blocks = blocks + attachment.get("blocks", [])
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", [])]
        if block.get("type") == "context":
            parts += block.get("elements", [])
        yield from (part["text"] for part in parts if isinstance(part, dict) and "text" in part)


class Channel(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shown = list(texts(message)) or [message.get("text", "")]
        print("─" * 100, *shown, sep="\n", flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    print(f"the stand-in for Slack waits on http://127.0.0.1:{PORT}/", file=sys.stderr)
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Channel).serve_forever()
