#!/usr/bin/env python3
"""Writes ladder-48.json and ladder-224.json: what PyTorch computes for the tutorial CNN with the
weights and batches of generator.py. docs/ladder.md describes method and format.

usage: ladder.py [--size 48 --size 224] [--out FOLDER]    needs numpy and torch
"""
import argparse
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import generator as gen

N_SAMPLES = 8
SKETCH_UNIT = 1e-5  # sketches are stored as integers: multiples of this times the gradient's norm
CURVES = {"sgd_1e-2": ("sgd", 1e-2, 20), "adam_1e-5": ("adam", 1e-5, 20), "adam_1e-3": ("adam", 1e-3, 4)}


class Net:
    """The tutorial CNN on parameters held in the generator's layout (HWIO, NHWC flatten)."""

    def __init__(self, size, dtype=torch.float32, channels_last=True):
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.dtype = dtype
        self.params = [torch.from_numpy(p).to(dtype).requires_grad_() for p in gen.parameters(size)]

    def loss(self, images, labels):
        x = torch.from_numpy(images).to(self.dtype).permute(0, 3, 1, 2).contiguous(memory_format=self.format)
        for i in range(0, 8, 2):
            w = self.params[i].permute(3, 2, 0, 1).contiguous(memory_format=self.format)
            x = F.max_pool2d(F.relu(F.conv2d(x, w, self.params[i + 1])), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)  # NHWC order
        x = F.relu(x @ self.params[8] + self.params[9])
        return F.cross_entropy(x @ self.params[10] + self.params[11], torch.from_numpy(labels))

    def gradients(self, images, labels):
        loss = self.loss(images, labels)
        return loss.item(), torch.autograd.grad(loss, self.params)


class Sgd:
    def __init__(self, params, rate):
        self.params, self.rate = params, rate

    @torch.no_grad()
    def step(self, grads):
        for p, g in zip(self.params, grads):
            p -= self.rate * g


class Adam:
    """Keras' formula, which places epsilon outside the bias correction (torch.optim.Adam does not):
    p -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)."""

    def __init__(self, params, rate, b1=0.9, b2=0.999, epsilon=1e-7):
        self.params, self.rate, self.b1, self.b2, self.epsilon, self.t = params, rate, b1, b2, epsilon, 0
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, grads):
        self.t += 1
        alpha = self.rate * math.sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
        for p, g, m, v in zip(self.params, grads, self.m, self.v):
            m += (g - m) * (1 - self.b1)
            v += (g * g - v) * (1 - self.b2)
            p -= alpha * m / (v.sqrt() + self.epsilon)


def curve(size, optimizer, rate, steps, channels_last):
    """The loss of each step, before its update; step s trains on batch s."""
    net = Net(size, channels_last=channels_last)
    update = {"sgd": Sgd, "adam": Adam}[optimizer](net.params, rate)
    losses = []
    for s in range(steps):
        loss, grads = net.gradients(*gen.batch(s, size))
        update.step(grads)
        losses.append(loss)
    return losses


def norm(x):
    return float(np.sqrt(np.sum(np.square(np.asarray(x, np.float64)))))


def describe(tensor, grad, noise):
    """What the fixture keeps of one gradient."""
    flat = grad.reshape(-1)
    size = norm(flat)
    picks = [int(i) for i in np.linspace(0, flat.size - 1, min(N_SAMPLES, flat.size))]
    return {
        "shape": list(grad.shape),
        "norm": float(f"{size:.9g}"),
        "noise": float(f"{noise:.2g}"),
        "samples": [[i, float(f"{flat[i]:.7g}")] for i in picks],
        "sketch": [int(round(p / (size * SKETCH_UNIT))) for p in gen.sketch(flat, tensor)],
    }


def step_one(size):
    images, labels = gen.batch(0, size)
    loss, grads = Net(size).gradients(images, labels)
    _, exact = Net(size, torch.float64).gradients(images, labels)
    result = []
    for t, (g, e) in enumerate(zip(grads, exact)):
        g, e = g.numpy(), e.numpy()
        result.append(describe(t, g, norm(g - e) / norm(e)))
        print(f"  gradient {t:2d} {str(g.shape):22s} norm {result[-1]['norm']:<14} noise {result[-1]['noise']}", flush=True)
    return loss, result


def fixture(size):
    print(f"size {size}, batch {gen.SIZES[size]['batch']}", flush=True)
    loss, grads = step_one(size)
    curves = {}
    for name, (optimizer, rate, steps) in CURVES.items():
        losses, other = (curve(size, optimizer, rate, steps, last) for last in (True, False))
        spread = max(abs(a - b) / abs(a) for a, b in zip(losses, other))
        print(f"  {name}: {' '.join(f'{v:.6f}' for v in losses)}  spread {spread:.1e}", flush=True)
        curves[name] = {"optimizer": optimizer, "rate": rate, "spread": float(f"{spread:.2g}"),
                        "loss": [float(f"{v:.8g}") for v in losses]}
    assert abs(loss - curves["sgd_1e-2"]["loss"][0]) < 1e-5
    return {"model": "tutorial-cnn", "size": size, **gen.SIZES[size], "seed": gen.SEED,
            "made_by": f"tests/golden/ladder.py, PyTorch {torch.__version__.split('+')[0]}",
            "sketch_unit": SKETCH_UNIT, "gradients": grads, "curves": curves}


def write(path, data):
    """JSON with a line per gradient and per curve."""
    lines = [f' "{k}": {json.dumps(v)}' for k, v in data.items() if k not in ("gradients", "curves")]
    grads = ",\n".join("  " + json.dumps(g, separators=(",", ":")) for g in data["gradients"])
    curves = ",\n".join(f'  "{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in data["curves"].items())
    lines += [f' "gradients": [\n{grads}\n ]', f' "curves": {{\n{curves}\n }}']
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--size", type=int, action="append", choices=sorted(gen.SIZES))
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    args = ap.parse_args()
    for size in args.size or sorted(gen.SIZES):
        write(args.out / f"ladder-{size}.json", fixture(size))


if __name__ == "__main__":
    main()
