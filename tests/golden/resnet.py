#!/usr/bin/env python3
"""Writes resnet.json: loss and gradients of one training step of a narrow resnet18 for small images (3 x 3 stem, no
pool, four stages of two blocks), as PyTorch computes them in double. tests/e2e/resnet.c builds the same network.
Gradients are given by their norm and by their products with PRODUCTS vectors of value().

usage: resnet.py [--out FILE]    needs numpy and torch
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from batchnorm import value

SIZE, WIDTH, BATCH, PRODUCTS = 28, 8, 4, 4


class Net:
    """Layers in the order of the model's lines; parameters in that of the trainer."""

    def __init__(self):
        self.p, self.names = [], []

    def parameter(self, name, shape, scale, more=0.0):
        v = value(int(np.prod(shape)), len(self.p)) * scale + more
        t = torch.tensor(v.astype(np.float32).astype(np.float64).reshape(shape), requires_grad=True)
        self.p.append(t)
        self.names.append(name)
        return t

    def conv(self, x, name, filters, k, stride):
        w = self.parameter(name + "/kernel", (k, k, x.shape[1], filters), 4 / np.sqrt(k * k * x.shape[1]))
        return F.conv2d(x, w.permute(3, 2, 0, 1), stride=stride, padding=k // 2)

    def norm(self, x, name):
        gamma = self.parameter(name + "/gamma", (x.shape[1],), 0.5, 1.0)
        beta = self.parameter(name + "/beta", (x.shape[1],), 0.5)
        return F.batch_norm(x, None, None, gamma, beta, True, 0.1, 1e-5)

    def block(self, x, name, filters, stride):
        y = F.relu(self.norm(self.conv(x, name + "c1", filters, 3, stride), name + "b1"))
        y = self.norm(self.conv(y, name + "c2", filters, 3, 1), name + "b2")
        if stride > 1:
            x = self.norm(self.conv(x, name + "c3", filters, 1, stride), name + "b3")
        return F.relu(y + x)

    def logits(self, x):
        x = F.relu(self.norm(self.conv(x, "c0", WIDTH, 3, 1), "b0"))
        for i in range(8):
            x = self.block(x, f"s{i}", WIDTH << i // 2, 2 if i in (2, 4, 6) else 1)
        x = x.mean((2, 3))
        return x @ self.parameter("d/kernel", (x.shape[1], 2), 1.0) + self.parameter("d/bias", (2,), 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).with_suffix(".json"))
    out = parser.parse_args().out
    net = Net()
    x = torch.tensor(value(BATCH * SIZE * SIZE, 1000).reshape(BATCH, 1, SIZE, SIZE))
    loss = F.cross_entropy(net.logits(x), torch.arange(BATCH) % 2)
    grads = torch.autograd.grad(loss, net.p)
    rows = []
    for i, (name, g) in enumerate(zip(net.names, grads)):
        g = g.numpy().reshape(-1)
        products = [float(f"{g @ value(g.size, 2000 + k):.7g}") for k in range(PRODUCTS)]
        rows.append(json.dumps([name, float(f"{np.linalg.norm(g):.7g}")] + products, separators=(",", ":")))
    out.write_text('{"loss":%.9g,"gradients":[\n%s]}\n' % (loss.item(), ",\n".join(rows)))


if __name__ == "__main__":
    main()
