#!/usr/bin/env python3
"""Writes metrics.json: probability tables, labels and what scikit-learn says of them.

usage: metrics.py [OUT]    needs numpy and scikit-learn

Each case: name, n_classes, labels [n], prob [n * n_classes] in thousandths (the test divides by
1000 in float32), and the members of struct clv_metrics by name; per_class members are arrays; NaN is
null; the macro AUC is the mean over classes that have one. Labels given to scikit-learn are all classes, zero_division is 0.
"""
import json
import math
import pathlib
import sys
import warnings

import numpy as np
from sklearn import __version__, metrics as sk


def thousandths(rng, n, classes, spread, ties):
    """Rows of integers that sum to 1000; with ties, multiples of 100."""
    unit = 100 if ties else 1
    p = np.exp(rng.normal(0, spread, (n, classes)))
    rows = np.floor(p / p.sum(1, keepdims=True) * (1000 // unit)).astype(int)
    rows[np.arange(n), rng.integers(0, classes, n)] += 1000 // unit - rows.sum(1)
    return rows * unit


def case(name, seed, n, classes, spread=1.0, ties=False, absent=None, unpredicted=None, certain=False):
    """absent: a class without samples; unpredicted: one that is never the largest."""
    rng = np.random.default_rng(seed)
    rows = thousandths(rng, n, classes, spread, ties)
    if unpredicted is not None:
        other = (unpredicted + 1) % classes
        swap = rows[:, unpredicted] > rows[:, other]
        rows[swap, unpredicted], rows[swap, other] = rows[swap, other], rows[swap, unpredicted]
    if certain:  # a probability of exactly zero for the true class: the loss is clipped
        rows[0], rows[1] = np.eye(classes, dtype=int)[[0, 1]] * 1000
    allowed = [c for c in range(classes) if c != absent]
    guess = rows.argmax(1)
    labels = np.where(rng.random(n) < 0.6, guess, rng.choice(allowed, n))
    labels = np.where(labels == absent, rng.choice(allowed, n), labels)
    if certain:
        labels[:2] = 1
    return {"name": name, "n_classes": classes, "labels": labels.tolist(), "prob": rows.ravel().tolist(),
            **score(rows.astype(np.float32) / np.float32(1000), labels, classes)}


def score(prob, y, classes):
    prob, every = prob.astype(np.float64), list(range(classes))
    guess = prob.argmax(1)  # the first largest
    confusion = sk.confusion_matrix(y, guess, labels=every)
    options = {"labels": every, "zero_division": 0}
    p, r, f, support = sk.precision_recall_fscore_support(y, guess, average=None, **options)
    macro = sk.precision_recall_fscore_support(y, guess, average="macro", **options)
    weighted = sk.precision_recall_fscore_support(y, guess, average="weighted", **options)
    specificity = [sk.recall_score(y != c, guess != c, zero_division=0) for c in every]
    auc = [sk.roc_auc_score(y == c, prob[:, c]) if 0 < (y == c).sum() < len(y) else math.nan for c in every]
    present = np.unique(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "y_pred contains classes not in y_true"
        balanced = sk.balanced_accuracy_score(y, guess)
    defined = [a for a in auc if not math.isnan(a)]
    area = auc[-1] if classes == 2 else np.mean(defined) if defined else math.nan
    if classes > 2 and len(present) == classes:  # elsewhere scikit-learn refuses
        assert abs(area - sk.roc_auc_score(y, prob, multi_class="ovr", average="macro")) < 1e-12
    return {
        "count": len(y), "accuracy": sk.accuracy_score(y, guess), "balanced_accuracy": balanced,
        "precision_macro": macro[0], "recall_macro": macro[1], "f1_macro": macro[2],
        "specificity_macro": float(np.mean(specificity)),
        "precision_weighted": weighted[0], "recall_weighted": weighted[1], "f1_weighted": weighted[2],
        "auc": area, "loss": loss(prob, y),
        "per_class": {"support": support.tolist(), "predicted": confusion.sum(0).tolist(),
                      "true_positive": np.diag(confusion).tolist(), "precision": p.tolist(), "recall": r.tolist(),
                      "specificity": specificity, "f1": f.tolist(), "auc": auc},
        "confusion": confusion.ravel().tolist(),
    }


def loss(prob, y):
    """Cross-entropy clipped at 1e-15. log_loss clips at the float's epsilon and normalises rows, so
    it is only compared, where no probability is zero."""
    mine = -np.mean(np.log(np.maximum(prob[np.arange(len(y)), y], 1e-15)))
    if prob[np.arange(len(y)), y].min() > 0:
        assert abs(mine - sk.log_loss(y, prob / prob.sum(1, keepdims=True), labels=range(prob.shape[1]))) < 1e-6
    return mine


def plain(v):
    """Numbers that JSON can hold."""
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, (float, np.floating)):
        return None if math.isnan(v) else float(v)
    return v


def main():
    cases = [
        case("two classes", 1, 40, 2),
        case("two classes, ties", 2, 30, 2, ties=True),
        case("two classes, one never predicted", 3, 20, 2, unpredicted=1),
        case("two classes, one without samples", 4, 12, 2, absent=0),
        case("three classes", 5, 40, 3),
        case("three classes, ties", 6, 30, 3, spread=0.5, ties=True),
        case("three classes, zero probability of the truth", 7, 20, 3, certain=True),
        case("ten classes, one without samples, one never predicted", 8, 60, 10, spread=2, absent=3, unpredicted=7),
        case("one sample", 9, 1, 3),
    ]
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("metrics.json")
    lines = ",\n".join("  " + json.dumps(plain(c), separators=(",", ":"), allow_nan=False) for c in cases)
    out.write_text(f'{{\n "made_by": "tests/golden/metrics.py, scikit-learn {__version__}",\n "cases": [\n{lines}\n ]\n}}\n')


if __name__ == "__main__":
    main()
