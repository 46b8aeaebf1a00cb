"""Looks at the metrics that the program really has: whether dashboards and rules use others, whether promtool finds
fault with them, and whether a Prometheus that scrapes the daemon answers for one.

    python check_metrics.py PROGRAM

Starts the daemon on a free port of loopback, in a folder of its own, and gives it a few records first. Without promtool
or prometheus (Debian: apt-get install prometheus) their part is left out, and that is said.
"""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
EVENTS = HERE.parents[1] / "rules" / "events" / "bedrock"
SAMPLES = ["Converse", "CreateAgent"]
FILES = ["grafana.json", "prometheus-rules.yml"]
# How long a server may take to answer, in seconds.
START = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def serving(command, folder, log):
    """A server, until the block ends. What it says goes to a file, which is shown when it ends too early."""
    with (Path(folder) / log).open("w+") as said:
        server = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        try:
            yield server
            if server.poll() is not None:
                said.seek(0)
                raise SystemExit(f"{command[0]} ended: {said.read()}")
        finally:
            server.terminate()
            server.wait()


def ask(server, address, body=None):
    """What a server answers as soon as it does; None when it ended or took too long."""
    deadline = time.monotonic() + START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, data=body, timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    return None


@contextlib.contextmanager
def daemon(program, folder):
    """The address of a daemon that has judged a few records."""
    address = f"127.0.0.1:{free_port()}"
    config = Path(folder) / "bedrock-watch.toml"
    config.write_text(f'[http]\nlisten = "{address}"\n')
    with serving([program, "run", "--config", config.name], folder, "daemon.log") as server:
        records = [json.dumps(json.loads((EVENTS / f"{name}.json").read_text())) for name in SAMPLES]
        if ask(server, f"http://{address}/v1/events", "\n".join(records).encode()) is None:
            raise SystemExit(f"{program} run does not answer on {address}")
        yield server, f"http://{address}"


def series(metrics):
    """Every series that follows from names and kinds: a histogram is three."""
    parts = ["_bucket", "_sum", "_count"]
    return {name + part for name, kind in metrics for part in (parts if kind == "histogram" else [""])}


def compare(text):
    """Dashboards and rules use no metric that is not there."""
    known = series(re.findall(r"^# TYPE (\w+) (\w+)", text, re.M))
    wrong = []
    for name in FILES:
        for metric in sorted(set(re.findall(r"\bbedrock_watch_\w+", (HERE / name).read_text()))):
            if metric not in known:
                wrong.append(f"{name} uses {metric}, which the program does not have")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{len(known)} metrics; those that dashboards and rules use are among them")


def lint(text):
    """promtool's own opinion of names, units, help and form."""
    if not shutil.which("promtool"):
        print("SKIPPED: promtool check metrics, because promtool is not installed (Debian: apt-get install prometheus)")
        return
    found = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    if found.returncode or found.stdout or found.stderr:
        raise SystemExit(f"promtool check metrics: {found.stdout}{found.stderr}")
    print("promtool check metrics finds no fault")


def scrape(address, folder):
    """A Prometheus that reads the daemon knows its records."""
    if not shutil.which("prometheus"):
        print("SKIPPED: no scrape by Prometheus, because it is not installed (Debian: apt-get install prometheus)")
        return
    own = f"127.0.0.1:{free_port()}"
    target = urllib.parse.urlsplit(address).netloc
    scraped = {"job_name": "bedrock-watch", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    # JSON is YAML.
    (Path(folder) / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scraped]}))
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=series", f"--web.listen-address={own}"]
    query = urllib.parse.urlencode({"query": 'bedrock_watch_records_judged_total{job="bedrock-watch"}'})
    with serving(["prometheus", *options], folder, "prometheus.log") as server:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            answer = json.loads(ask(server, f"http://{own}/api/v1/query?{query}") or '{"data": {"result": []}}')
            if any(float(point["value"][1]) == len(SAMPLES) for point in answer["data"]["result"]):
                print("Prometheus has scraped the daemon and knows of its records")
                return
            time.sleep(0.2)
    raise SystemExit(f"Prometheus did not learn from {address} within {START} s that it judged records")


def main():
    with tempfile.TemporaryDirectory() as folder, daemon(sys.argv[1], folder) as (server, address):
        text = ask(server, f"{address}/metrics")
        if text is None:
            raise SystemExit(f"{sys.argv[1]} run does not answer on {address}/metrics")
        compare(text)
        lint(text)
        scrape(address, folder)


if __name__ == "__main__":
    main()
