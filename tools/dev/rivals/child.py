"""Both ends of a contender's process: it answers a line with a line, and is stopped while others are measured."""
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile

from . import common


def parse(quantity):
    """("train", 32), ("infer", 1) or ("gemm", (m, n, k))."""
    kind, what = quantity.split(" ")
    return (kind, int(what)) if kind != "gemm" else (kind, common.gemms()[quantity])


class Contender:
    """In the child: makes what is asked for once and times it."""

    def __init__(self, name):
        self.rival, self.calls = importlib.import_module(f"rivals.{name}"), {}

    def find(self, quantity):
        """The call, or None where this library has no such thing. Models stay; matrices would fill the memory."""
        kind, what = parse(quantity)
        if quantity in self.calls:
            return self.calls[quantity]
        if kind == "gemm":
            return self.rival.gemm(*what) if hasattr(self.rival, "gemm") else None
        self.calls[quantity] = self.rival.model(what, kind == "train") if hasattr(self.rival, "model") else None
        return self.calls[quantity]

    def prepare(self, quantity):
        if hasattr(self.rival, "offers"):
            return {"offered": self.rival.offers(quantity)}
        call = self.find(quantity)
        if call:
            call()
        return {"offered": call is not None}

    def go(self, quantity):
        if hasattr(self.rival, "measure"):
            return {"seconds": self.rival.measure(quantity)}
        return {"seconds": common.seconds(self.find(quantity))}

    def memory(self):
        return self.rival.memory() if hasattr(self.rival, "memory") else {}


def serve(name, threads):
    """Libraries print what they like; only the answers go to stdout."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    contender = Contender(name)
    print(json.dumps({"version": contender.rival.start(threads)}), file=answers)
    for line in sys.stdin:
        verb, _, quantity = line.strip().partition(" ")
        answer = contender.memory() if verb == "memory" else getattr(contender, verb)(quantity)
        print(json.dumps(answer), file=answers)


class Child:
    """In the driver. `version` is None when the contender is not there; `why` says why it left."""

    def __init__(self, line, name, threads):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.name, self.errors = name, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env=os.environ | {n: str(threads) for n in names})
        self.why, self.version = "", None
        self.version = (self.answer() or {}).get("version")

    def answer(self):
        """The next line; then it stands still until it is asked again, whatever its threads would do."""
        line = self.process.stdout.readline()
        if line:
            self.process.send_signal(signal.SIGSTOP)
            return json.loads(line)
        self.errors.seek(0)
        lines = [x for x in self.errors.read().splitlines() if x.strip()]
        self.why = lines[-1] if lines else f"exit code {self.process.wait()}"
        return None

    def ask(self, text):
        """None once it has failed."""
        if self.why:
            return None
        self.process.send_signal(signal.SIGCONT)
        try:
            print(text, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
