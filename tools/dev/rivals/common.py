"""Shapes, arithmetic and clocks that all rivals share."""
import os
import statistics
import time

SIZE, CLASSES, HIDDEN = 224, 2, 1024
CHANNELS = (3, 32, 64, 128, 128)
FLAT = 128 * 12 * 12


def convolutions():
    """(output side, input channels, output channels) of the four 3 x 3 convolutions; pooling halves, rounding down."""
    side, layers = SIZE, []
    for c, f in zip(CHANNELS, CHANNELS[1:]):
        layers.append((side - 2, c, f))
        side = (side - 2) // 2
    return layers


def gemms(batch=32):
    """{quantity: (m, n, k)}: squares, and the layers' forward products as im2col makes them."""
    shapes = {f"gemm {n}": (n, n, n) for n in (512, 1024, 2048)}
    for i, (side, c, f) in enumerate(convolutions(), 1):
        shapes[f"gemm conv2d_{i}"] = (batch * side * side, f, 9 * c)
    shapes["gemm dense_1"] = (batch, HIDDEN, FLAT)
    return shapes


def model_flops(batch, training):
    """Multiplications and additions of the products alone; the first layer needs no gradient of its input."""
    first, *others = [2 * side * side * 9 * c * f for side, c, f in convolutions()]
    others += [2 * FLAT * HIDDEN, 2 * HIDDEN * CLASSES]
    return batch * (2 * first + 3 * sum(others) if training else first + sum(others))


BUDGET = float(os.environ.get("PEERS_SECONDS", "3"))


def seconds(call, budget=BUDGET, least=2, most=100):
    """Median time of calls until the budget is spent, after one that does not count."""
    call()
    times, end = [], time.perf_counter() + budget
    while len(times) < least or (len(times) < most and time.perf_counter() < end):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def images(batch, planar=False):
    import numpy as np

    shape = (batch, 3, SIZE, SIZE) if planar else (batch, SIZE, SIZE, 3)
    return np.random.default_rng(0).random(shape, np.float32)


def labels(batch):
    import numpy as np

    return np.random.default_rng(1).integers(0, CLASSES, batch)


def matrices(m, n, k):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.random((m, k), np.float32), rng.random((k, n), np.float32)


def resident_bytes(peak=False):
    """Of this process: now, or the most since the last forget_peak()."""
    with open("/proc/self/status", encoding="ascii") as f:
        found = dict(line.split(":", 1) for line in f)
    return int(found["VmHWM" if peak else "VmRSS"].split()[0]) * 1024


def forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as f:
        f.write("5")
