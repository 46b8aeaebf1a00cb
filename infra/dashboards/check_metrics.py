"""Compares the metrics that dashboards and rules use with those that the program really has.

    python check_metrics.py PROGRAM

Starts the daemon on a free port of loopback, in a folder of its own, and asks /metrics.
"""

import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
FILES = ["grafana.json", "prometheus-rules.yml"]
# How long the daemon may take to answer, in seconds.
START = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def exported(program):
    """Every series that follows from a TYPE line."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bedrock-watch.toml"
        config.write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n')
        daemon = subprocess.Popen([program, "run", "--config", config.name], cwd=folder, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + START
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                        return series(re.findall(r"^# TYPE (\w+) (\w+)", answer.read().decode(), re.M))
                except (urllib.error.URLError, ConnectionError):
                    if daemon.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit(f"{program} run does not answer on port {port}") from None
                    time.sleep(0.2)
        finally:
            daemon.terminate()
            daemon.wait()


def series(metrics):
    """A histogram is three."""
    parts = ["_bucket", "_sum", "_count"]
    return {name + part for name, kind in metrics for part in (parts if kind == "histogram" else [""])}


def main():
    known = exported(sys.argv[1])
    wrong = []
    for name in FILES:
        for metric in sorted(set(re.findall(r"\bbedrock_watch_\w+", (HERE / name).read_text()))):
            if metric not in known:
                wrong.append(f"{name} uses {metric}, which the program does not have")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{len(known)} metrics; those that dashboards and rules use are among them")


if __name__ == "__main__":
    main()
