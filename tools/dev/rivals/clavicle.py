"""Clavicle as a user measures it: `clavicle bench`, a process for each figure.

The layers' products are the convolutions themselves, bias and activation included, as the fastest of the
schedules that do all the arithmetic; Winograd's convolutions, which save some, count in the model's steps only.
"""
import json
import os
import pathlib
import subprocess

from . import common

BUILD = pathlib.Path(os.environ.get("PEERS_BUILD", "build"))
COMMAND = str(BUILD / "tools/clavicle")
MODEL = "tutorial-cnn"
OTHER = ("winograd", "clblast", "simple", "reference")


def output(*line):
    return subprocess.run([COMMAND, *line], stdout=subprocess.PIPE, text=True, check=True).stdout


def start(threads):
    os.environ.setdefault("POCL_CPU_MAX_CU_COUNT", str(threads))
    os.environ.setdefault("POCL_MAX_PTHREAD_COUNT", str(threads))
    if not os.access(COMMAND, os.X_OK):
        raise ImportError(f"{COMMAND} is not there: build first, or name the build folder with --build")
    return output("--version").strip()


def steps(kind, batch):
    """What `clavicle bench` says of the model; its answers are compared elsewhere."""
    return json.loads(output("bench", "--model", MODEL, "--batch", str(batch), "--pass",
                             "train" if kind == "train" else "forward", "--time", str(common.BUDGET), "--no-check", "--json"))


def product(what):
    """Seconds of the forward product of a case."""
    if what.isdigit():
        op, case = "dense", f"gemm {what}"
    else:
        op, number = what.split("_")
        case = f"tutorial {number}"
    rows = json.loads(output("bench", "--op", op, "--case", case, "--time", str(common.BUDGET / 6),
                             "--json"))["rows"]
    return min(r["median_s"] for r in rows if r["what"].endswith(" forward") and r["variant"] not in OTHER)


def has_bench():
    return not subprocess.run([COMMAND, "bench", "--help"], capture_output=True, check=False).returncode


def example(kind, batch):
    """For a build without the subcommand: seconds of a step."""
    line = [BUILD / "examples/bench_tutorial", MODEL, str(batch)]
    return json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)[f"{kind}{batch}"]


def offers(quantity):
    """Whatever is measured is built and warmed up there: nothing to prepare."""
    return not quantity.startswith("gemm") or has_bench()


def measure(quantity):
    kind, _, what = quantity.partition(" ")
    if not has_bench():
        return None if kind == "gemm" else example(kind, int(what))
    return product(what) if kind == "gemm" else steps(kind, int(what))["step_ms"] / 1e3


def memory():
    """The planner's peak of a training step at batch 32, and by how much the process grew."""
    if not has_bench():
        planned = json.loads(output("graph", MODEL, "--batch", "32", "--json"))["memory"]["training_bytes"]
        return {"planner_bytes": planned, "growth_bytes": 0}
    found = steps("train", 32)
    return {"planner_bytes": found["memory_bytes"], "growth_bytes": found["rss_growth_bytes"]}
