#!/usr/bin/env python3
"""Writes mobilenet-v2.json and efficientnet-b0.json: loss and gradients of one training step of a quarter of
torchvision's networks, without dropout, as PyTorch computes them in double; and the variables that make
share/models/NAME.model the same network, which tests/e2e/mobile.c trains. Gradients as in resnet.py, without names.

usage: mobile.py [--out FOLDER]    needs numpy, torch and torchvision
"""
import argparse
import functools
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv2 import MobileNetV2

from batchnorm import value
from resnet import dump

SIZE, BATCH, PRODUCTS = 64, 4, 1


def mobilenet():
    """Width 0.25, as _make_divisible rounds it, but for the first unit: with as many channels out as in it would add to
    its input, which the whole network's does not."""
    settings = [[1, 64, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]
    c = [16, 8, 8, 16, 24, 40, 80]
    variables = {"stem": 8, "last": 1280} | {f"c{i + 1}": n for i, n in enumerate(c)}
    variables |= {f"e{i + 1}": 6 * n for i, n in enumerate(c[:-1])}
    return MobileNetV2(num_classes=2, width_mult=0.25, inverted_residual_setting=settings, dropout=0), variables


def efficientnet():
    conf = functools.partial(MBConvConfig, width_mult=0.25, depth_mult=1.0)
    stages = [conf(1, 3, 1, 32, 64, 1), conf(6, 3, 2, 64, 24, 2), conf(6, 5, 2, 24, 40, 2), conf(6, 3, 2, 40, 80, 3),
              conf(6, 5, 1, 80, 112, 3), conf(6, 5, 2, 112, 192, 4), conf(6, 3, 1, 192, 320, 1)]
    c = [s.out_channels for s in stages]
    stem = stages[0].input_channels
    variables = {"stem": stem, "stem_s": stem // 4, "last": 4 * c[-1]} | {f"c{i + 1}": n for i, n in enumerate(c)}
    variables |= {f"e{i + 1}": 6 * n for i, n in enumerate(c[:-1])} | {f"s{i + 1}": n // 4 for i, n in enumerate(c[:-1])}
    return EfficientNet(stages, dropout=0, stochastic_depth_prob=0, num_classes=2), variables


def set_weight(p, tensor):
    """The numbers that tests/e2e/step.c makes, in its order: filters [h][w][in][out], dense [in][out]."""
    order = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[p.ndim]
    shape = [p.shape[i] for i in order]
    scale = 4 / np.sqrt(np.prod(shape[:3])) if p.ndim == 4 else 0.5
    v = torch.tensor(value(p.numel(), tensor).reshape(shape) * scale)
    with torch.no_grad():
        p.permute(order).copy_(v.float())
    return order


def step(out, net, variables):
    net.double().train()
    orders = []
    for module in net.modules():
        for name, p in module.named_parameters(recurse=False):
            orders.append(set_weight(p, len(orders)))
            with torch.no_grad():
                if isinstance(module, torch.nn.BatchNorm2d) and name == "weight":
                    p += 1
                elif isinstance(module, torch.nn.Linear):
                    p *= 2
    x = torch.tensor(value(BATCH * SIZE * SIZE * 3, 1000).reshape(BATCH, SIZE, SIZE, 3)).permute(0, 3, 1, 2)
    loss = F.cross_entropy(net(x), torch.arange(BATCH) % 2)
    grads = torch.autograd.grad(loss, list(net.parameters()))
    fields = '"variables":{%s},\n' % ",".join(f'"{k}":{v}' for k, v in variables.items())
    dump(out, loss, [([], g.permute(o)) for o, g in zip(orders, grads)], fields, PRODUCTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    out = parser.parse_args().out
    step(out / "mobilenet-v2.json", *mobilenet())
    step(out / "efficientnet-b0.json", *efficientnet())


if __name__ == "__main__":
    main()
