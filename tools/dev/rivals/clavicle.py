"""Clavicle as a user measures it: `clavicle bench`, a process for each figure."""
import json
import os
import pathlib
import subprocess

BUILD = pathlib.Path(os.environ.get("PEERS_BUILD", "build"))
COMMAND = str(BUILD / "tools/clavicle")
MODEL = "tutorial-cnn"


def output(*line):
    """stdout of a command, and the most memory it held, in bytes."""
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)}: exit code {process.returncode}")
    return text, usage.ru_maxrss * 1024


def objects(*line):
    return [json.loads(x) for x in output(*line)[0].splitlines() if x.startswith("{")]


def has_bench():
    return not subprocess.run([COMMAND, "bench", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode


def start(threads):
    os.environ.setdefault("POCL_CPU_MAX_CU_COUNT", str(threads))
    os.environ.setdefault("POCL_MAX_PTHREAD_COUNT", str(threads))
    if not os.access(COMMAND, os.X_OK):
        raise ImportError(f"{COMMAND} is not there: build first, or name the build folder with --build")
    return output(COMMAND, "--version")[0].split("\n")[0]


def bench_step(kind, batch):
    found = objects(COMMAND, "bench", "--model", MODEL, "--batch", str(batch), "--pass",
                    "train" if kind == "train" else "forward", "--json")
    return next(o["step_ms"] for o in reversed(found) if "step_ms" in o) / 1e3


def example_step(kind, batch):
    """For a build without the subcommand."""
    return objects(str(BUILD / "examples/bench_tutorial"), MODEL, str(batch))[-1][f"{kind}{batch}"]


def measure(quantity):
    """Seconds, or None for what it does not offer."""
    kind, _, what = quantity.partition(" ")
    if kind not in ("train", "infer"):
        return None
    return (bench_step if has_bench() else example_step)(kind, int(what))


def memory():
    """The planner's peak of a training step at batch 32, and the most resident memory while such steps ran."""
    planned = objects(COMMAND, "graph", MODEL, "--batch", "32", "--json")[-1]["memory"]["training_bytes"]
    if has_bench():
        line = [COMMAND, "bench", "--model", MODEL, "--batch", "32", "--pass", "train", "--json"]
    else:
        line = [str(BUILD / "examples/bench_tutorial"), MODEL, "32"]
    return {"planner_bytes": planned, "resident_bytes": output(*line)[1]}
