"""A daemon started for a measurement, and a small HTTP client for asyncio.

Knows processes and the outline of a reply; not what is measured.
"""
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

READY_SECONDS = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Reply:
    """A whole reply; status 0 if the connection ended before one was there."""

    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds

    def json(self):
        return json.loads(self.body)


def request_text(method, path, body=None, headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: t", "Connection: close", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode()


def parse_reply(data, seconds):
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        return Reply(0, {}, b"", seconds)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    if len(body) != int(headers.get("content-length", "0")):
        return Reply(0, headers, body, seconds)
    return Reply(int(lines[0].split()[1]), headers, body, seconds)


async def call(port, method, path, body=None, headers=()):
    """One request on a connection of its own; OSError if there is none to be had."""
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = b""
    try:
        writer.write(request_text(method, path, body, headers))
        data = await reader.read(-1)
    except OSError:
        pass  # a reset: what has come counts
    finally:
        writer.close()
    return parse_reply(data, time.monotonic() - begin)


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] if ordered else 0.0


class Service:
    """The daemon with one tiny model, in a directory of its own."""

    def __init__(self, bin_dir, levels=100, steps=4):
        self.ebmd = os.path.join(bin_dir, "bin", "ebmd")
        self.dir = tempfile.mkdtemp(prefix="ebmd-load-")
        self.models = os.path.join(self.dir, "models")
        self.store = os.path.join(self.dir, "jobs.db")
        self.process = None
        os.mkdir(self.models)
        subprocess.run([os.path.join(bin_dir, "tests", "make_tiny_model"), self.models, "tiny",
                        str(levels), str(steps)], check=True)

    def start(self, *flags):
        self.port, self.admin = free_port(), free_port()
        log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen(
            [self.ebmd, "--listen", f"127.0.0.1:{self.port}", "--admin-listen",
             f"127.0.0.1:{self.admin}", "--models", self.models, *flags], stderr=log)
        log.close()
        until = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("the daemon did not become ready")
            time.sleep(0.01)

    def is_ready(self):
        try:
            return asyncio.run(call(self.port, "GET", "/readyz")).status == 200
        except OSError:
            return False

    def stop(self, seconds=60):
        """Exit status after SIGTERM, and how long it took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code, time.monotonic() - begin

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def steps_for(self, seconds):
        """steps_per_level for one image that keeps one worker busy for so long."""
        body = '{"steps_per_level":50}'
        asyncio.run(call(self.port, "POST", "/sample", body))
        times = [asyncio.run(call(self.port, "POST", "/sample", body)).json()["timings"]
                 ["compute_ms"] / 1e3 for _ in range(3)]
        return max(1, min(2000, int(50 * seconds / min(times))))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def verdict(figures, broken, slow=()):
    """Prints the figures as one line; exit status 1 if a promise is broken. Promises about time
    (`slow`) count with --strict alone: they cannot be kept on a machine that is busy otherwise."""
    print(json.dumps(figures))
    broken = [*broken, *(slow if "--strict" in sys.argv else ())]
    for line in broken:
        print("broken:", line, file=sys.stderr)
    return 1 if broken else 0
