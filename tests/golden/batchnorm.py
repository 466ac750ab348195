#!/usr/bin/env python3
"""Writes batchnorm.json: what PyTorch computes for a small residual network with batch normalisation, in double, from
the numbers that value() makes (tests/e2e/batchnorm.c makes the same). Three SGD steps, the last one of a short batch:
losses, the gradients of the first step, the running statistics and the probabilities of evaluation after the last;
then the same first step with the normalisation frozen.

usage: batchnorm.py [--out FILE]    needs numpy and torch
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

SIZE, CHANNELS, FILTERS, RATE = 6, 2, 4, 0.125
SAMPLES = [5, 5, 3]
# In the order of the trainer: what is trained, then what is state. Convolutions are HWIO.
SHAPES = [("c1/kernel", (3, 3, CHANNELS, FILTERS)), ("b1/gamma", (FILTERS,)), ("b1/beta", (FILTERS,)),
          ("c2/kernel", (3, 3, FILTERS, FILTERS)), ("b2/gamma", (FILTERS,)), ("b2/beta", (FILTERS,)),
          ("d/kernel", (FILTERS, 2)), ("d/bias", (2,)),
          ("b1/running_mean", (FILTERS,)), ("b1/running_variance", (FILTERS,)),
          ("b2/running_mean", (FILTERS,)), ("b2/running_variance", (FILTERS,))]


def value(count, tensor):
    """Multiples of 1/1024 in -0.5..0.5, which are exact in every format."""
    i = np.arange(count, dtype=np.int64)
    return ((i * i * 37 + i * 101 + tensor * 239) % 1021) / 1024 - 0.5


def weight(name, shape, tensor):
    v = value(int(np.prod(shape)), tensor).reshape(shape)
    return v + 1 if name.endswith(("gamma", "variance")) else v


class Net:
    def __init__(self):
        self.p = {}
        for i, (name, shape) in enumerate(SHAPES):
            t = torch.tensor(weight(name, shape, i), dtype=torch.float64)
            self.p[name] = t.requires_grad_() if "running" not in name else t

    def norm(self, x, name, training):
        p = self.p
        return F.batch_norm(x, p[name + "/running_mean"], p[name + "/running_variance"], p[name + "/gamma"],
                            p[name + "/beta"], training, 0.1, 1e-5)

    def logits(self, x, training):
        p = self.p
        x = torch.tensor(x).permute(0, 3, 1, 2)
        skip = F.relu(self.norm(F.conv2d(x, p["c1/kernel"].permute(3, 2, 0, 1), padding=1), "b1", training))
        x = self.norm(F.conv2d(skip, p["c2/kernel"].permute(3, 2, 0, 1), padding=1), "b2", training)
        return F.relu(x + skip).mean((2, 3)) @ p["d/kernel"] + p["d/bias"]

    def step(self, s, training):
        """The loss before it, and the gradients."""
        trained = [n for n, _ in SHAPES if "running" not in n]
        x, labels = batch(s)
        loss = F.cross_entropy(self.logits(x, training), labels)
        grads = torch.autograd.grad(loss, [self.p[n] for n in trained])
        with torch.no_grad():
            for n, g in zip(trained, grads):
                self.p[n] -= RATE * g
        return loss.item(), dict(zip(trained, grads))


def batch(s):
    n = SAMPLES[s]
    x = value(n * SIZE * SIZE * CHANNELS, 100 + s).reshape(n, SIZE, SIZE, CHANNELS)
    return x, torch.tensor([(i + s) % 2 for i in range(n)])


def rounded(t):
    return [float(f"{v:.8g}") for v in np.asarray(t.detach()).reshape(-1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).with_suffix(".json"))
    out = parser.parse_args().out
    net, frozen = Net(), Net()
    steps = [net.step(s, True) for s in range(len(SAMPLES))]
    loss, grads = frozen.step(0, False)
    x, _ = batch(0)
    fixture = {"losses": [v for v, _ in steps],
               "gradients": {n: rounded(g) for n, g in steps[0][1].items()},
               "running": {n: rounded(t) for n, t in net.p.items() if "running" in n},
               "probabilities": rounded(torch.softmax(net.logits(x, False), 1)),
               "frozen": {"loss": loss, "gradients": {n: rounded(g) for n, g in grads.items()}}}
    text = json.dumps(fixture, indent=0, separators=(",", ":")).replace(",\n", ",").replace("[\n", "[")
    out.write_text(text.replace("\n]", "]") + "\n")


if __name__ == "__main__":
    main()
