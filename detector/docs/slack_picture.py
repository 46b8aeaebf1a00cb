#!/usr/bin/env python3
"""Draws a Slack message, given as JSON on standard input, about as Slack does, with headless Chromium.

Argument: the picture to write. It knows the blocks that bedrock-watch sends, no more. Chromium comes with
`apt-get install chromium fonts-noto-color-emoji`.
"""

import html
import json
import pathlib
import re
import subprocess
import sys
import tempfile

WIDTH = 760
STYLE = """
body { margin: 0; padding: 18px 20px; width: %dpx; box-sizing: border-box; background: #fff; color: #1d1c1d;
  font: 15px/1.46 Lato, 'DejaVu Sans', sans-serif; }
.post { display: flex; gap: 10px } .face { width: 36px; height: 36px; border-radius: 5px; background: #17324d;
  color: #fff; text-align: center; line-height: 36px; font-size: 18px; flex: none }
.who { font-weight: 800 } .app { background: #e8e8e8; color: #616061; font-size: 10px; padding: 1px 3px;
  border-radius: 2px; margin: 0 6px } .when, .small { color: #616061; font-size: 12px }
h3 { font-size: 18px; margin: 8px 0 } .block { margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 14px } code { color: #c01343; background: #f8f8f8;
  border: 1px solid #e3e3e3; border-radius: 3px; padding: 1px 3px; font: 12px/1.5 'DejaVu Sans Mono', monospace }
pre { margin: 4px 0; padding: 8px; background: #f8f8f8; border: 1px solid #e3e3e3; border-radius: 4px;
  white-space: pre-wrap; font: 12px/1.5 'DejaVu Sans Mono', monospace } .button { display: inline-block;
  border: 1px solid #bbb; border-radius: 4px; padding: 4px 12px; font-weight: 700; margin-right: 8px; font-size: 13px }
.small span { margin-right: 12px }
""" % WIDTH


def plain(text):
    return html.escape(html.unescape(text))


def mrkdwn(text):
    parts = re.split(r"```\n?(.*?)\n?```", text, flags=re.S)
    drawn = []
    for number, part in enumerate(parts):
        if number % 2:
            drawn.append(f"<pre>{plain(part)}</pre>")
            continue
        part = plain(part).rstrip("\n") if number + 1 < len(parts) else plain(part)
        part = re.sub(r"`([^`]+)`", r"<code>\1</code>", part)
        drawn.append(re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", part))
    return "".join(drawn)


def text(value):
    return mrkdwn(value["text"]) if value["type"] == "mrkdwn" else plain(value["text"])


def block(value):
    kind = value["type"]
    if kind == "header":
        return f"<h3>{text(value['text'])}</h3>"
    if kind == "section" and "text" in value:
        return f"<div class=block>{text(value['text'])}</div>"
    if kind == "section":
        fields = "".join(f"<div>{text(field)}</div>" for field in value["fields"])
        return f"<div class='block fields'>{fields}</div>"
    if kind == "context":
        return "<div class='block small'>" + "".join(f"<span>{text(one)}</span>" for one in value["elements"]) + "</div>"
    if kind == "actions":
        buttons = (f"<span class=button>{text(one['text'])}</span>" for one in value["elements"])
        return "<div class=block>" + "".join(buttons) + "</div>"
    raise SystemExit(f"cannot draw a block of type {kind}")


def main():
    blocks = "".join(block(one) for one in json.load(sys.stdin)["blocks"])
    head = "<span class=who>bedrock-watch</span><span class=app>APP</span><span class=when>15:14</span>"
    page = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><div class=post><div class=face>b</div>"
    page += f"<div style='min-width:0;flex:1'>{head}{blocks}</div></div>"
    # The page tells its own height, so that the picture ends where the message does.
    page += "<script>document.title = document.documentElement.scrollHeight</script>"
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "message.html")
        source.write_text(page, encoding="utf-8")
        chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        dumped = subprocess.run([*chromium, "--window-size=%d,100" % WIDTH, "--dump-dom", source.as_uri()],
                                check=True, capture_output=True, text=True).stdout
        height = int(re.search(r"<title>(\d+)</title>", dumped).group(1))
        subprocess.run([*chromium, f"--window-size={WIDTH},{height}", f"--screenshot={sys.argv[1]}", source.as_uri()],
                       check=True, capture_output=True)


main()
