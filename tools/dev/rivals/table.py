"""The figures as Markdown. `rounds` is a list of {"peak": [before, after], "seconds": {quantity: {name: s}}}."""
import statistics

from . import common
from .child import parse

OTHER_PRECISION = ("keras_bf16",)


def spread(values, scale=1.0, digits=2):
    return " / ".join(f"{f(values) * scale:.{digits}f}" for f in (min, statistics.median, max)) if values else ""


def flops(quantity):
    kind, what = parse(quantity)
    if kind == "gemm":
        return 2 * what[0] * what[1] * what[2]
    return common.model_flops(what, kind == "train")


def column(rounds, quantity, name):
    """One value per round, None where there is none."""
    return [r["seconds"].get(quantity, {}).get(name) for r in rounds]


def ratios(rounds, quantity, name, base="clavicle"):
    pairs = zip(column(rounds, quantity, name), column(rounds, quantity, base))
    return [a / b for a, b in pairs if a and b]


def shares(rounds, quantity, name):
    """Of the FMA peak of the same round."""
    pairs = zip(column(rounds, quantity, name), (r["peak"] for r in rounds))
    return [flops(quantity) / s / 1e9 / max(p) for s, p in pairs if s and p]


def quantity_lines(rounds, quantity, names):
    kind, what = parse(quantity)
    size = f" ({' x '.join(map(str, what))})" if kind == "gemm" else ""
    lines = [f"| {quantity}{size} | ms: min / median / max | GFLOP/s | share of the FMA peak | time / Clavicle's, by round |",
             "| --- | --- | --- | --- | --- |"]
    for name in names:
        s = [x for x in column(rounds, quantity, name) if x]
        if s:
            lines.append(f"| {name} | {spread(s, 1e3, 2)} | {flops(quantity) / statistics.median(s) / 1e9:.0f} | "
                         f"{spread(shares(rounds, quantity, name))} | "
                         f"{spread(ratios(rounds, quantity, name)) if name != 'clavicle' else ''} |")
    return lines if len(lines) > 2 else []


def verdict(rounds, quantity, names):
    """The rival to beat: the fastest in fp32, by the median of the rounds' ratios."""
    found = {n: ratios(rounds, quantity, n) for n in names if n != "clavicle" and n not in OTHER_PRECISION}
    found = {n: r for n, r in found.items() if r}
    if not found:
        return []
    best = min(found, key=lambda n: statistics.median(found[n]))
    return [f"{quantity}: the fastest fp32 rival is {best}; Clavicle runs {spread(found[best])} times as fast"]


def memory_lines(memory):
    own, rival, lines = memory.get("clavicle"), memory.get("torch"), []
    mib = 1 << 20
    if rival:
        lines.append("memory, training at batch 32: PyTorch's resident memory, from before the model is made, grows by "
                     f"{rival['growth_bytes'] / mib:.0f} MiB until after step three, and by "
                     f"{rival['peak_growth_bytes'] / mib:.0f} MiB at most")
    if own:
        plan = own["planner_bytes"]
        lines.append(f"memory, training at batch 32: Clavicle's planner peak is {plan / mib:.0f} MiB; "
                     f"its process grows by {own['growth_bytes'] / mib:.0f} MiB")
    if own and rival:
        lines.append(f"memory: the planner peak is {plan / rival['growth_bytes']:.2f} of PyTorch's growth after step three, "
                     f"{plan / rival['peak_growth_bytes']:.2f} of its growth at most")
    return lines


def text(rounds, names, quantities, memory):
    lines = []
    peaks = [p for r in rounds for p in r["peak"]]
    if peaks:
        lines += [f"FMA peak, GFLOP/s: {spread(peaks, digits=0)} over {len(peaks)} readings; shares are of the higher one of each round",
                  ""]
    for q in quantities:
        block = quantity_lines(rounds, q, names)
        lines += block + [""] if block else []
    for q in quantities:
        lines += verdict(rounds, q, names)
    return "\n".join(lines + memory_lines(memory))
