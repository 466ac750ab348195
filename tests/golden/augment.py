#!/usr/bin/env python3
"""Writes augment.json: what torchvision and PyTorch make of random erasing, CutMix, and losses of soft targets.

usage: augment.py [OUT]    needs torch, torchvision

cutmix: height, width, lambda, x, y of the box's centre; then left, top, right, bottom, and lambda from the box's area.
erasing: height, width, scale, ratio and, over many draws of RandomErasing(p=1), the share without a box and the
means of area share, log of height over width, and of the box's centre as shares of width and height.
loss: logits, targets, class weights (or null), label_smoothing, and F.cross_entropy's loss of each sample; for a
single logit binary_cross_entropy_with_logits of the smoothed target, weighted by what mixing two losses gives.
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from torchvision.transforms import v2


def cutmix(height, width, lam, x, y):
    mix, drawn = v2.CutMix(alpha=1.0, num_classes=2), iter([x, y])
    mix._dist = type('Fixed', (), {'sample': lambda self, shape: torch.tensor(lam, dtype=torch.float64)})()
    randint, torch.randint = torch.randint, lambda high, size: torch.tensor([next(drawn)])
    try:
        p = mix.make_params([torch.zeros(2, 1, height, width)])
    finally:
        torch.randint = randint
    return [height, width, lam, x, y, *p['box'], p['lam_adjusted']]


def erasing(height, width, scale, ratio, n=40000):
    torch.manual_seed(1)
    erase, image = v2.RandomErasing(p=1, scale=scale, ratio=ratio), torch.zeros(1, height, width)
    none, rows = 0, []
    for _ in range(n):
        p = erase.make_params([image])
        if p['v'] is None:
            none += 1
        else:
            rows.append([p['h'] * p['w'] / (height * width), math.log(p['h'] / p['w']) if p['h'] and p['w'] else 0,
                         (p['j'] + p['w'] / 2) / width, (p['i'] + p['h'] / 2) / height])
    t = torch.tensor(rows, dtype=torch.float64)
    return {'height': height, 'width': width, 'scale': scale, 'ratio': ratio, 'none': none / n,
            'mean': t.mean(0).tolist(), 'std': t.std(0).tolist()}


def loss(seed, classes, weights, smoothing):
    torch.manual_seed(seed)
    n, share = 3, 0.3
    logits = torch.round(torch.randn(n, classes, dtype=torch.float64) * 8) / 8
    a, b = torch.arange(n) % max(classes, 2), torch.arange(1, n + 1) % max(classes, 2)
    w = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    if classes == 1:
        soft = (share * a + (1 - share) * b).double()[:, None]

        def one(y):
            t = (y.double() * (1 - smoothing) + smoothing / 2)[:, None]
            return F.binary_cross_entropy_with_logits(logits, t, reduction='none')[:, 0] * (1 if w is None else w[y])
        value = share * one(a) + (1 - share) * one(b)
    else:
        soft = share * F.one_hot(a, classes).double() + (1 - share) * F.one_hot(b, classes)
        value = F.cross_entropy(logits, soft, weight=w, label_smoothing=smoothing, reduction='none')
    return {'logits': logits.tolist(), 'targets': soft.tolist(), 'weights': weights, 'smoothing': smoothing,
            'loss': value.tolist()}


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name('augment.json'))
    data = {
        'cutmix': [cutmix(*c) for c in [(8, 8, .75, 4, 4), (8, 8, .75, 0, 7), (8, 8, 0., 3, 5), (8, 8, 1., 3, 5),
                                        (10, 20, .36, 19, 0), (28, 28, .123, 27, 1), (7, 5, .5, 2, 3)]],
        'erasing': [erasing(28, 28, (.02, .33), (.3, 3.3)), erasing(20, 50, (.3, .9), (.5, 6.)),
                    erasing(9, 9, (.02, .1), (1., 1.))],
        # weights and smoothing at once mean something else in PyTorch, but for one output
        'loss': [loss(1, 3, None, 0.), loss(2, 3, None, .1), loss(3, 4, [.5, 2., 1.25, .1], 0.),
                 loss(4, 1, None, .2), loss(5, 1, [.5, 3.], .1)],
    }
    out.write_text(json.dumps(data, separators=(',', ':')).replace('},{', '},\n{') + '\n')


if __name__ == '__main__':
    main()
