#!/usr/bin/env python3
"""Writes NAME.json for each NAME in NETS: loss and gradients of one training step of a narrow network, as PyTorch
computes them in double. tests/e2e/resnet.c builds the same networks. Gradients are given by their norm and by their
products with PRODUCTS vectors of value().

usage: resnet.py [--out FOLDER] [NAME ...]    needs numpy and torch
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from batchnorm import value

BATCH, PRODUCTS = 4, 4


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

    def dense(self, x, name, units):
        return x @ self.parameter(name + "/kernel", (x.shape[1], units), 1.0) + self.parameter(name + "/bias", (units,), 1.0)

    def conv_norm(self, x, name, *args):
        return F.relu(self.norm(self.conv(x, name + "c", *args), name + "b"))

    def norm_conv(self, x, name, *args):
        return self.conv(F.relu(self.norm(x, name + "b")), name + "c", *args)


class ResNet(Net):
    """resnet18 for small images: 3 x 3 stem, no pool, four stages of two blocks."""
    SIZE, WIDTH = 28, 8

    def block(self, x, name, filters, stride):
        y = F.relu(self.norm(self.conv(x, name + "c1", filters, 3, stride), name + "b1"))
        y = self.norm(self.conv(y, name + "c2", filters, 3, 1), name + "b2")
        if stride > 1:
            x = self.norm(self.conv(x, name + "c3", filters, 1, stride), name + "b3")
        return F.relu(y + x)

    def loss(self, x):
        x = self.conv_norm(x, "stem", self.WIDTH, 3, 1)
        for i in range(8):
            x = self.block(x, f"s{i}", self.WIDTH << i // 2, 2 if i in (2, 4, 6) else 1)
        return F.cross_entropy(self.dense(x.mean((2, 3)), "d", 2), torch.arange(BATCH) % 2)


class DenseNet(Net):
    """densenet121 with two layers in a block."""
    SIZE, STEM, GROWTH, BOTTLENECK, LAYERS = 64, 8, 4, 12, 2

    def block(self, x, name):
        for i in range(self.LAYERS):
            y = self.norm_conv(x, f"{name}l{i}a", self.BOTTLENECK, 1, 1)
            x = torch.cat([x, self.norm_conv(y, f"{name}l{i}b", self.GROWTH, 3, 1)], 1)
        return x

    def loss(self, x):
        x = F.max_pool2d(self.conv_norm(x, "stem", self.STEM, 7, 2), 3, 2, 1)
        for i in range(4):
            x = self.block(x, f"b{i}")
            if i < 3:
                x = F.avg_pool2d(self.norm_conv(x, f"t{i}", x.shape[1] // 2, 1, 1), 2)
        x = F.relu(self.norm(x, "last"))
        return F.cross_entropy(self.dense(x.mean((2, 3)), "d", 2), torch.arange(BATCH) % 2)


class UNet(Net):
    """unet-small; masks of three classes, Dice and cross-entropy."""
    SIZE, FILTERS, CLASSES = 32, (4, 4, 8, 8, 12), 3

    def level(self, x, name, filters):
        return self.conv_norm(self.conv_norm(x, name + "1", filters, 3, 1), name + "2", filters, 3, 1)

    def up(self, x, name, filters):
        w = self.parameter(name + "/kernel", (2, 2, filters, x.shape[1]), 2 / np.sqrt(filters))
        return F.conv_transpose2d(x, w.permute(3, 2, 0, 1), self.parameter(name + "/bias", (filters,), 0.5), stride=2)

    def mask(self):
        s, y, x = np.ogrid[:BATCH, : self.SIZE, : self.SIZE]
        return torch.tensor((s * 5 + y // 4 * 3 + x // 5 * 7) % 11 % self.CLASSES)

    def loss(self, x):
        beside = []
        for i, filters in enumerate(self.FILTERS):
            x = self.level(F.max_pool2d(x, 2) if i else x, f"down{i}", filters)
            beside.append(x)
        for i in (3, 2, 1, 0):
            x = torch.cat([beside[i], self.up(x, f"up{i}", self.FILTERS[i])], 1)
            x = self.level(x, f"up{i}l", self.FILTERS[i])
        x = self.conv(x, "last", self.CLASSES, 1, 1) + self.parameter("last/bias", (self.CLASSES,), 0.5).view(-1, 1, 1)
        p, t = F.softmax(x, 1), F.one_hot(self.mask(), self.CLASSES).permute(0, 3, 1, 2)
        dice = (2 * (p * t).sum((2, 3)) + 1) / (p.sum((2, 3)) + t.sum((2, 3)) + 1)
        return F.cross_entropy(x, self.mask()) + 1 - dice.mean()


NETS = {"resnet": ResNet, "densenet121": DenseNet, "unet-small": UNet}


def dump(path, loss, gradients, fields="", products=PRODUCTS):
    """gradients: (what its row begins with, array) in the order of the trainer."""
    rows = []
    for head, g in gradients:
        g = g.numpy().reshape(-1)
        numbers = [np.linalg.norm(g)] + [g @ value(g.size, 2000 + k) for k in range(products)]
        rows.append(json.dumps(head + [float(f"{n:.7g}") for n in numbers], separators=(",", ":")))
    path.write_text('{%s"loss":%.9g,"gradients":[\n%s]}\n' % (fields, loss.item(), ",\n".join(rows)))


def write(name, out):
    net = NETS[name]()
    x = torch.tensor(value(BATCH * net.SIZE**2, 1000).reshape(BATCH, 1, net.SIZE, net.SIZE))
    loss = net.loss(x)
    dump(out / f"{name}.json", loss, [([n], g) for n, g in zip(net.names, torch.autograd.grad(loss, net.p))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("name", nargs="*", metavar="NAME")
    args = parser.parse_args()
    for name in args.name or NETS:
        write(name, args.out)


if __name__ == "__main__":
    main()
