"""Programs that are measured: starting them, asking them for slices, giving up on them.

Knows the line protocol (README.md); has never heard of what the numbers mean.
"""
import json
import os
import subprocess
import threading

READY_SECONDS = 120  # importing PyTorch on a busy machine takes a while
SLICE_SECONDS = 900  # the first slice of a configuration may compile


class Contender:
    """One process that says READY and then answers `run WORD...` with a line of JSON."""

    def __init__(self, name, argv):
        self.name = name
        self.facts = {}
        self.absent = None  # why it cannot be measured
        # the sets that the environment forces would make all contenders of a kind the same
        env = {k: v for k, v in os.environ.items() if k not in ("EBM_KERNELS", "OMP_NUM_THREADS")}
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, env=env, text=True)
        except OSError as problem:
            self.process = None
            self.absent = problem.strerror
            return
        word, _, facts = self._line(READY_SECONDS).partition(" ")
        if word.strip() != "READY":
            self.close("does not start")
        elif facts.strip():
            self.facts = json.loads(facts)

    def _line(self, seconds):
        """One line of its output; empty if it ends or takes too long, which ends it."""
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            return self.process.stdout.readline()
        finally:
            watchdog.cancel()

    def ask(self, words):
        """Measures one slice. Returns the reply, {"error": ...} if there is none."""
        if self.absent:
            return {"error": self.absent}
        request = " ".join(k if v is True else f"{k}={v}" for k, v in words.items())
        try:
            self.process.stdin.write("run " + request + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended: so will its output
        line = self._line(SLICE_SECONDS)
        if not line:
            self.close("ended, or took too long")
            return {"error": self.absent}
        return json.loads(line)

    def close(self, why="closed"):
        if self.absent:
            return
        self.absent = why
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def torch_pythons():
    """Interpreters to try for PyTorch: $EBM_TORCH_PYTHON, else python3."""
    return os.environ.get("EBM_TORCH_PYTHON", "").split() or ["python3"]


def start_all(bin_dir, families):
    """Starts every contender of the families wanted. Returns name -> Contender; absent ones stay
    in it, so that a table can say so."""
    here = os.path.dirname(os.path.abspath(__file__))
    found = {}
    programs = {
        "ebm": [os.path.join(bin_dir, "bin", "ebm"), "bench", "--worker"],
        "onednn": [os.path.join(bin_dir, "bench", "peer_onednn")],
        "ceiling": [os.path.join(bin_dir, "bench", "ceiling")],
    }
    for name, argv in programs.items():
        if name in families:
            found[name] = Contender(name, argv)
    if "torch" in families:
        for python in torch_pythons():
            one = Contender("torch", [python, os.path.join(here, "peer_torch.py"), "--worker"])
            one.name = "torch " + one.facts.get("version", python)
            found[one.name] = one
    return found
