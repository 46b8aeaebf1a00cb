"""Looks at the image, and talks to the service in it. `infra/container/test` calls it, once for each part.

Needs nothing but Python's standard library. Every server is on loopback.
"""

import argparse
import http.client
import http.server
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import tarfile
import threading
import time
import uuid
import zlib

EVENTS = pathlib.Path(__file__).resolve().parents[2] / "rules" / "events" / "bedrock"
MEGABYTE = 1 << 20
# What the image may weigh as a registry stores it and a host pulls it, and unpacked.
PULLED_MAX = 40 * MEGABYTE
UNPACKED_MAX = 40 * MEGABYTE
# Everything that is in the image. There is no shell, no library and no tool, so nothing to list beside these.
FILES = {
    "bedrock-watch": 0,
    "data": 65532,
    "etc": 0,
    "etc/ssl": 0,
    "etc/ssl/certs": 0,
    "etc/ssl/certs/ca-certificates.crt": 0,
}
# Far longer than anything takes, and far longer than the 200 ms that are aimed at: only what hangs reaches it.
PATIENCE = 60


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def record(template, principal, account):
    """A copy of a sample that is an event of its own, done just now by one of many."""
    role = f"arn:aws:iam::{account}:role/{principal}"
    made = dict(template, eventID=str(uuid.uuid4()), recipientAccountId=account)
    made["eventTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    made["userIdentity"] = dict(template["userIdentity"], accountId=account, arn=f"{role}/session")
    made["userIdentity"]["sessionContext"] = {"sessionIssuer": {"type": "Role", "arn": role, "accountId": account}}
    return made


class Client:
    """One connection to the service, made again when it was closed."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, method, path, body=None):
        """The status, or None where the service is not, or no longer, there."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            self.connection.request(method, path, body)
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None

    def post(self, records):
        return self.ask("POST", "/v1/events", "\n".join(json.dumps(made) for made in records).encode())


def image(saved):
    """What is in the image, how much it weighs, and how it starts."""
    manifest = json.loads((saved / "manifest.json").read_text())
    found, pulled, unpacked = {}, 0, 0
    for layer in manifest["layers"]:
        blob = saved / layer["digest"].removeprefix("sha256:")
        with tarfile.open(blob) as files:
            for member in files:
                found[member.name.strip("./")] = member.uid
                unpacked += member.size
        # Here layers are not compressed; registries have them so.
        pulled += len(zlib.compress(blob.read_bytes()))
    found.pop("", None)
    assert found == FILES, f"the image must contain exactly {FILES}, not {found}"
    assert pulled <= PULLED_MAX, f"{pulled} bytes are pulled, more than {PULLED_MAX}"
    assert unpacked <= UNPACKED_MAX, f"the image is {unpacked} bytes unpacked, more than {UNPACKED_MAX}"
    config = json.loads((saved / manifest["config"]["digest"].removeprefix("sha256:")).read_text())["config"]
    assert config["User"] == "65532:65532", config
    assert config["Entrypoint"] == ["/bedrock-watch"] and config["Cmd"] == ["run"], config
    assert config["Healthcheck"]["Test"] == ["CMD", "/bedrock-watch", "health"], config
    assert config["StopSignal"] == "SIGTERM" and list(config["Volumes"]) == ["/data"], config
    print(f"{pulled / MEGABYTE:.1f} MB to pull, {unpacked / MEGABYTE:.1f} MB unpacked, {len(found)} files and folders, "
          f"no shell, user 65532")


def process(pid):
    """What the kernel lets the process do."""
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    # Real, effective, saved, file system.
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split(), status["Uid"]
    assert int(status["CapEff"], 16) == 0, f"capabilities {status['CapEff']}"
    assert status["NoNewPrivs"] == "1", "it may gain privileges"
    mounts = [line.split() for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    root = next(mount for mount in mounts if mount[4] == "/")
    assert "ro" in root[5].split(","), f"the root file system is writable: {root}"
    print(f"uid {status['Uid'].split()[0]}, no capabilities, read-only root")


def started_at(pid):
    """When a process began, on the clock of `time.clock_gettime(CLOCK_BOOTTIME)`, to a hundredth of a second."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def start(port, times, command):
    """Starts the container again and again: from the process's first moment until the service answers."""
    took = []
    for _ in range(times):
        subprocess.run([*command, "start", "bedrock-watch-start"], check=True, stdout=subprocess.DEVNULL)
        client = Client(port)
        until = time.monotonic() + PATIENCE
        while client.ask("GET", "/readyz") != 200:
            assert time.monotonic() < until, "the service does not become ready"
            time.sleep(0.001)
        ready = time.clock_gettime(time.CLOCK_BOOTTIME)
        asked = [*command, "inspect", "--format", "{{.State.Pid}}", "bedrock-watch-start"]
        pid = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        took.append(ready - started_at(pid))
        subprocess.run([*command, "stop", "--time", "30", "bedrock-watch-start"], check=True, stdout=subprocess.DEVNULL)
    shown = ", ".join(f"{seconds * 1000:.0f}" for seconds in sorted(took))
    print(f"ready after {statistics.median(took) * 1000:.0f} ms (median of {shown}; the clock has steps of 10 ms)")


def resident(pid):
    """The most memory that the process ever had, in MB; None when it is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / MEGABYTE for line in lines if line.startswith("VmHWM:")), None)


def load(port, pid, rate, seconds):
    """Posts calls of many principals at a fixed rate. Everything must be accepted, and the process must live."""
    client, template = Client(port), sample("InvokeModel")
    batches_per_s = 10
    began, sent, slowest, peak = time.monotonic(), 0, 0.0, 0.0
    for batch in range(seconds * batches_per_s):
        principals = range(sent, sent + rate // batches_per_s)
        records = [record(template, f"app-{i % 997}", f"{111100000000 + i % 997 % 23}") for i in principals]
        time.sleep(max(0.0, began + batch / batches_per_s - time.monotonic()))
        posted = time.monotonic()
        status = client.post(records)
        slowest = max(slowest, time.monotonic() - posted)
        assert status == 202, f"batch {batch} was answered with {status}; resident memory at most {peak:.0f} MB"
        sent += len(records)
        peak = resident(pid) or peak
    took = time.monotonic() - began
    print(f"{sent} records accepted, {sent / took:.0f} a second, the slowest 202 after {slowest * 1000:.0f} ms, "
          f"resident memory at most {peak:.0f} MB")


def drain(port, accepted):
    """Posts events that are an alert each until the service is gone, and writes down which of them it accepted."""
    client, template, known = Client(port), sample("DeleteCustomModel"), []
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        records = [record(template, "platform-admin", "111122223333") for _ in range(5)]
        status = client.post(records)
        if status is None or status == 503:
            break
        assert status == 202, f"answered with {status}"
        known += [made["eventID"] for made in records]
        # After the first answer the caller sends SIGTERM.
        accepted.write_text("\n".join(known) + "\n")
    assert known, "nothing was accepted"
    assert time.monotonic() < until, "the service did not end"


def stored(accepted, alerts):
    """Everything that was accepted must have been judged."""
    known = set(accepted.read_text().split())
    subjects = {json.loads(line)["subject"]["id"] for line in alerts.read_text().splitlines()}
    assert known <= subjects, f"{len(known - subjects)} of {len(known)} accepted records were not judged"
    print(f"{len(known)} events accepted until SIGTERM, every one of them in the store")


def receive(certificate, key, port, told):
    """A webhook's receiver over HTTPS: what it is told becomes lines of a file in a folder."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            # A file for each path.
            with (told / f"told-{pathlib.PurePosixPath(self.path).name}").open("ab") as file:
                file.write(body + b"\n")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port.write_text(str(server.server_address[1]))
    # It ends with its standard input.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    input_ended = threading.Event()
    threading.Thread(target=lambda: (os.read(0, 1), input_ended.set()), daemon=True).start()
    input_ended.wait()


def post(port, event):
    """Posts one event that raises an alert."""
    assert Client(port).post([record(sample(event), "platform-admin", "111122223333")]) == 202


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    path = pathlib.Path
    wanted = {
        image: [("saved", path)],
        process: [("pid", int)],
        load: [("port", int), ("pid", int), ("rate", int), ("seconds", int)],
        drain: [("port", int), ("accepted", path)],
        stored: [("accepted", path), ("alerts", path)],
        receive: [("certificate", path), ("key", path), ("port", path), ("told", path)],
        post: [("port", int), ("event", str)],
    }
    for function, arguments in wanted.items():
        part = parts.add_parser(function.__name__, help=function.__doc__)
        part.set_defaults(function=function)
        for name, kind in arguments:
            part.add_argument(name, type=kind)
    part = parts.add_parser("start", help=start.__doc__)
    part.set_defaults(function=start)
    part.add_argument("port", type=int)
    part.add_argument("times", type=int)
    part.add_argument("command", nargs="+")
    arguments = vars(parser.parse_args())
    arguments.pop("part")
    arguments.pop("function")(**arguments)


if __name__ == "__main__":
    main()
