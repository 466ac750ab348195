#!/usr/bin/env python3
"""How hard is the phantom set? Linear classifiers of small images against the tutorial CNN.

    clavicle data phantom SET [--seed N]
    tools/dev/phantom_check.py SET [SET2 SET3]            logistic regression, one table row per set
    tools/dev/phantom_check.py SET --cnn 5 [--seeds 3]    and the tutorial CNN, 5 epochs, by PyTorch

Wanted: every logistic regression under 0.75 test accuracy (32x32 and 64x64, area-averaged, C chosen
on val, with and without standardising), the CNN above 0.95. Exit status 1 if not so.
Needs numpy, pillow, scikit-learn; for --cnn also torch.
"""
import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = ("train", "val", "test")
CLASSES = ("NORMAL", "OPACITY")
C_GRID = [10.0 ** k for k in range(-6, 3)]
LINEAR_BELOW, CNN_ABOVE = 0.75, 0.95


def load(root):
    """split -> (images uint8 (N,H,W), labels)"""
    sets = {}
    for split in SPLITS:
        images, labels = [], []
        for label, name in enumerate(CLASSES):
            for path in sorted((Path(root) / split / name).glob("*.png")):
                images.append(np.asarray(Image.open(path)))
                labels.append(label)
        sets[split] = np.stack(images), np.array(labels)
    return sets


def shrink(images, size):
    small = [np.asarray(Image.fromarray(i).convert("F").resize((size, size), Image.BOX)) for i in images]
    return np.stack(small).reshape(len(images), -1) / 255.0


def linear(sets, size, standardise):
    """Test accuracy of logistic regression with the C that is best on val (ties: the smallest)."""
    from sklearn.linear_model import LogisticRegression
    x = {s: shrink(sets[s][0], size) for s in SPLITS}
    y = {s: sets[s][1] for s in SPLITS}
    mean, std = x["train"].mean(0), x["train"].std(0) + 1e-6 if standardise else 1.0
    x = {s: (v - mean) / std for s, v in x.items()}
    best = (-1.0, None, None)
    for c in C_GRID:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LogisticRegression(C=c, max_iter=500).fit(x["train"], y["train"])
        val = model.score(x["val"], y["val"])
        if val > best[0]:
            best = (val, c, model.score(x["test"], y["test"]))
    return best


def tutorial_cnn(torch, side):
    nn, layers, channels = torch.nn, [], 3
    for filters in (32, 64, 128, 128):
        layers += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
        side, channels = (side - 2) // 2, filters
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(side * side * channels, 1024), nn.ReLU(),
                          nn.Linear(1024, 2))
    for layer in model:
        if hasattr(layer, "weight"):  # Keras' defaults
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model.to(memory_format=torch.channels_last)


def cnn(sets, epochs, seed, bf16):
    """Test accuracy of the weights of the epoch with the best val loss."""
    import torch
    torch.manual_seed(seed)
    model = tutorial_cnn(torch, sets["train"][0].shape[1])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    loss_of = torch.nn.functional.cross_entropy
    data = {s: (torch.from_numpy(i), torch.from_numpy(l)) for s, (i, l) in sets.items()}

    def batch(split, index):
        images = data[split][0][index].float().div(255).unsqueeze(1).expand(-1, 3, -1, -1)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return model(images.contiguous(memory_format=torch.channels_last)).float()

    def score(split):
        labels = data[split][1]
        with torch.no_grad():
            out = torch.cat([batch(split, i) for i in torch.arange(len(labels)).split(50)])
        return loss_of(out, labels).item(), (out.argmax(1) == labels).double().mean().item()

    best = (1e9, 0, 0.0)
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        for index in torch.randperm(len(data["train"][1])).split(32):
            loss = loss_of(batch("train", index), data["train"][1][index])
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item() * len(index)
        loss, acc = score("val")
        test = score("test")[1]
        if loss < best[0]:
            best = (loss, epoch + 1, test)
        print(f"    seed {seed} epoch {epoch + 1}: train loss {total / len(data['train'][1]):.4f}  val "
              f"loss {loss:.4f} accuracy {acc:.3f}  test {test:.3f}  {time.time() - start:.0f} s", flush=True)
    return best


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("sets", nargs="+", metavar="SET")
    ap.add_argument("--cnn", type=int, default=0, metavar="EPOCHS", help="also train the tutorial CNN on the first set")
    ap.add_argument("--seeds", type=int, default=1, help="number of CNN runs (default 1)")
    ap.add_argument("--bf16", action="store_true", help="CNN in bfloat16 (quick look)")
    ap.add_argument("--no-linear", action="store_true")
    args = ap.parse_args()
    good = True
    if not args.no_linear:
        print(f"{'set':30} {'size':>4} {'scaled':>6} {'C':>7} {'val':>6} {'test':>6}")
        for root in args.sets:
            sets = load(root)
            for size in (32, 64):
                for scaled in (False, True):
                    val, c, test = linear(sets, size, scaled)
                    good = good and test < LINEAR_BELOW
                    print(f"{root[-30:]:30} {size:4} {str(scaled):>6} {c:7g} {val:6.3f} {test:6.3f}", flush=True)
    if args.cnn:
        sets = load(args.sets[0])
        for seed in range(args.seeds):
            _, epoch, test = cnn(sets, args.cnn, seed, args.bf16)
            good = good and test > CNN_ABOVE
            print(f"CNN seed {seed}: test accuracy {test:.3f} (epoch {epoch})", flush=True)
    print("as wanted" if good else "NOT as wanted")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
