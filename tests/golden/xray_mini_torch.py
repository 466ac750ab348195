#!/usr/bin/env python3
"""The tutorial CNN on chest-xray-mini in PyTorch: the accuracy that Clavicle's is held against.

usage: xray_mini_torch.py FOLDER [--seeds 5] [--first 1] [--epochs 10]    needs torch, numpy, pillow

224 x 224, gray repeated to three channels, 0..1, no augmentation; batch 32; Adam 1e-3 (Keras' formula);
Glorot-uniform weights, zero biases; 15 % of each class of train is validation. Prints a line per epoch and seed, and the test
accuracy of the checkpoints with the best validation loss and accuracy (first best; ties in accuracy go to the lower loss).
"""
import argparse
import copy
import pathlib
import statistics

import numpy as np
import torch
import torch.nn as nn
from PIL import Image


def load(folder):
    """Images as (N, 1, 224, 224) float32 in 0..1 and labels by class name in byte order."""
    images, labels = [], []
    for label, name in enumerate(sorted(p.name for p in folder.iterdir() if p.is_dir())):
        for path in sorted((folder / name).glob("*.png")):
            image = Image.open(path).convert("L")
            assert image.size == (224, 224), path
            images.append(np.asarray(image, np.float32) / np.float32(255))
            labels.append(label)
    return torch.from_numpy(np.stack(images))[:, None], torch.tensor(labels)


def tutorial_cnn():
    def stage(i, o):
        return [nn.Conv2d(i, o, 3), nn.ReLU(), nn.MaxPool2d(2)]

    net = nn.Sequential(*stage(3, 32), *stage(32, 64), *stage(64, 128), *stage(128, 128), nn.Flatten(),
                        nn.Linear(128 * 12 * 12, 1024), nn.ReLU(), nn.Linear(1024, 2))
    for m in net:
        if hasattr(m, "weight"):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)
    return net.to(memory_format=torch.channels_last)


class Adam:
    """Keras' formula, see docs/ladder.md."""

    def __init__(self, params, rate=1e-3, b1=0.9, b2=0.999, epsilon=1e-7):
        self.params, self.rate, self.b1, self.b2, self.epsilon, self.t = list(params), rate, b1, b2, epsilon, 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self):
        self.t += 1
        alpha = self.rate * (1 - self.b2**self.t) ** 0.5 / (1 - self.b1**self.t)
        for p, m, v in zip(self.params, self.m, self.v):
            m.lerp_(p.grad, 1 - self.b1)
            v.mul_(self.b2).addcmul_(p.grad, p.grad, value=1 - self.b2)
            p.addcdiv_(m, v.sqrt().add_(self.epsilon), value=-alpha)
            p.grad = None


def pick(x, index):
    return x[index].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def evaluate(net, x, y):
    logits = torch.cat([net(pick(x, i)) for i in torch.arange(len(x)).split(32)])
    loss = nn.functional.cross_entropy(logits, y).item()
    return loss, (logits.argmax(1) == y).double().mean().item()


def split(y, share, generator):
    """Indices of train and validation, stratified."""
    train, val = [], []
    for c in range(int(y.max()) + 1):
        index = torch.nonzero(y == c)[:, 0]
        index = index[torch.randperm(len(index), generator=generator)]
        n = round(share * len(index))
        val.append(index[:n])
        train.append(index[n:])
    return torch.cat(train), torch.cat(val)


def run(seed, epochs, x, y, test_x, test_y):
    torch.manual_seed(seed)
    train, val = split(y, 0.15, torch.Generator().manual_seed(seed))
    net = tutorial_cnn()
    adam = Adam(net.parameters())
    best = {}
    for epoch in range(1, epochs + 1):
        total = 0.0
        for index in train[torch.randperm(len(train))].split(32):
            loss = nn.functional.cross_entropy(net(pick(x, index)), y[index])
            loss.backward()
            adam.step()
            total += loss.item() * len(index)
        val_loss, val_acc = evaluate(net, x[val], y[val])
        print(f"seed {seed} epoch {epoch:2d} loss {total / len(train):.4f} val_loss {val_loss:.4f} val_acc {val_acc:.4f}", flush=True)
        for name, key in {"best val_loss": (val_loss,), "best val_accuracy": (-val_acc, val_loss)}.items():
            if name not in best or key < best[name][0]:
                best[name] = (key, epoch, copy.deepcopy(net.state_dict()))
    best["last epoch"] = (None, epochs, copy.deepcopy(net.state_dict()))
    result = {}
    for name, (_, epoch, state) in best.items():
        net.load_state_dict(state)
        result[name] = evaluate(net, test_x, test_y)[1]
        print(f"seed {seed} {name}: epoch {epoch}, test accuracy {result[name]:.4f}", flush=True)
    return result


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=pathlib.Path)
    ap.add_argument("--seeds", type=int, default=5)
    ap.add_argument("--first", type=int, default=1)
    ap.add_argument("--epochs", type=int, default=10)
    a = ap.parse_args()
    torch.set_num_threads(2)
    data = *load(a.folder / "train"), *load(a.folder / "test")
    results = [run(s, a.epochs, *data) for s in range(a.first, a.first + a.seeds)]
    for name in results[0]:
        v = [r[name] for r in results]
        sd = statistics.stdev(v) if len(v) > 1 else float("nan")
        print(f"{name}: test accuracy mean {statistics.mean(v):.4f} sd {sd:.4f} standard error {sd / len(v) ** .5:.4f} of {len(v)} seeds")


if __name__ == "__main__":
    main()
