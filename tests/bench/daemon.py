"""How long ebmd takes from exec to ready, and how much memory it holds with one model loaded.

Knows how to start the daemon and read /proc; has never heard of kernels or peers.
"""
import os
import socket
import struct
import subprocess
import tempfile
import time

GIVE_UP_SECONDS = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_ready(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return float("nan")


def start_once(ebmd, models, kernels):
    """(milliseconds to ready, resident MiB then), or None if it does not become ready."""
    port = free_port()
    begin = time.monotonic()
    process = subprocess.Popen([ebmd, "--listen", f"127.0.0.1:{port}", "--admin-listen", "none",
                                "--models", models, "--store", "memory", "--kernels", kernels],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - begin < GIVE_UP_SECONDS and process.poll() is None:
            if is_ready(port):
                return (time.monotonic() - begin) * 1e3, resident_mib(process.pid)
            time.sleep(0.001)
        return None
    finally:
        process.terminate()
        process.wait()


def stand_in_model(ebm, directory):
    """A model of the shipped one's size after one iteration on random pixels, for machines on
    which no model is installed. Its weights mean nothing; loading it costs the same."""
    data = os.path.join(directory, "data")
    os.mkdir(data)
    with open(os.path.join(data, "train-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">4i", 0x803, 16, 28, 28) + os.urandom(16 * 28 * 28))
    models = os.path.join(directory, "models")
    os.mkdir(models)
    subprocess.run([ebm, "train", "--data", data, "--out", os.path.join(models, "bench"),
                    "--iterations", "1", "--batch", "2", "--langevin-steps", "1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return models


def measure(bin_dir, model, rounds, sets):
    """{kernel set: [(ms, MiB)] of `rounds` starts} without the sets that never became ready, and
    what was loaded."""
    ebmd, ebm = (os.path.join(bin_dir, "bin", name) for name in ("ebmd", "ebm"))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            if model and os.path.exists(os.path.join(model, "model.json")):
                models = os.path.join(scratch, "models")
                os.mkdir(models)
                name = os.path.basename(os.path.normpath(model))
                os.symlink(os.path.abspath(model), os.path.join(models, name))
            else:
                name, models = "a stand-in of ch 32", stand_in_model(ebm, scratch)
            starts = {kernels: [start_once(ebmd, models, kernels)] for kernels in sets}
            starts = {k: first for k, first in starts.items() if first[0]}
            for _ in range(rounds - 1):
                for kernels, so_far in starts.items():
                    so_far.append(start_once(ebmd, models, kernels))
        except (OSError, subprocess.CalledProcessError) as problem:
            return {}, str(problem)
    return {k: [s for s in tries if s] for k, tries in starts.items()}, name
