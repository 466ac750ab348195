#!/usr/bin/env python3
"""Writes medmnist_rules.json: fixed scores of every kind of task, and what MedMNIST's own evaluator says of them.

usage: medmnist_rules.py [OUT]    needs numpy, scikit-learn and medmnist

Each case: name, task (MedMNIST's word), n_classes (or labels), truth [n] (labels: [n * n_classes]), score in thousandths (the
test divides by 1000 in float32; binary with one column: the score of class 1), auc and acc of medmnist.evaluator; grades
have scikit-learn's quadratic weighted kappa and the mean absolute error of the argmax, labels scikit-learn's F1, recall,
specificity, AUC and accuracy of each, means, and the share of samples with every label right.
"""
import json
import pathlib
import sys

import medmnist
import numpy as np
import sklearn
from medmnist.evaluator import getACC, getAUC
from sklearn import metrics as sk

LABELS, BINARY, CLASSES, GRADES = "multi-label, binary-class", "binary-class", "multi-class", "ordinal-regression"


def classes(name, task, seed, n, k, column=False, skill=0.6):
    """Rows of thousandths that sum to 1000, some with ties; column: of two classes the second's score alone."""
    rng = np.random.default_rng(seed)
    p = np.exp(rng.normal(0, 1, (n, k)))
    rows = np.floor(p / p.sum(1, keepdims=True) * 20).astype(int) * 50
    rows[np.arange(n), rng.integers(0, k, n)] += 1000 - rows.sum(1)
    truth = np.where(rng.random(n) < skill, rows.argmax(1), rng.integers(0, k, n))
    if task == GRADES:  # most errors are to a neighbour
        truth = np.clip(rows.argmax(1) + rng.integers(-1, 2, n), 0, k - 1)
        truth[:k] = np.arange(k)
    if column:
        rows = rows[:, 1:]
    score = rows.astype(np.float32) / np.float32(1000)
    case = {"name": name, "task": task, "n_classes": k, "truth": truth.tolist(), "score": rows.ravel().tolist(),
            "auc": getAUC(truth[:, None], score, task), "acc": getACC(truth[:, None], score, task)}
    if task == GRADES:
        guess = score.argmax(1)
        case["kappa"] = sk.cohen_kappa_score(truth, guess, weights="quadratic", labels=list(range(k)))
        case["absolute"] = float(np.abs(truth - guess).mean())
    return case


def labels(name, seed, n, k):
    """Independent scores in steps of 50; one half exactly occurs, and counts as no."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < np.linspace(0.1, 0.6, k)).astype(int)
    truth[0], truth[1] = 0, 1
    rows = np.clip(rng.integers(0, 13, (n, k)) + 8 * truth, 0, 20) * 50
    rows[2] = 500
    score = rows.astype(np.float32) / np.float32(1000)
    guess = score > 0.5
    p, r, f, _ = sk.precision_recall_fscore_support(truth, guess, average=None, zero_division=0)
    weighted = sk.precision_recall_fscore_support(truth, guess, average="weighted", zero_division=0)
    return {"name": name, "task": LABELS, "n_classes": k, "truth": truth.ravel().tolist(), "score": rows.ravel().tolist(),
            "auc": getAUC(truth, score, LABELS), "acc": getACC(truth, score, LABELS),
            "exact": sk.accuracy_score(truth, guess), "precision_weighted": weighted[0], "f1_weighted": weighted[2],
            "f1_macro": sk.f1_score(truth, guess, average="macro", zero_division=0),
            "per_label": {"precision": p.tolist(), "recall": r.tolist(), "f1": f.tolist(),
                          "specificity": [sk.recall_score(1 - truth[:, c], 1 - guess[:, c]) for c in range(k)],
                          "accuracy": [sk.accuracy_score(truth[:, c], guess[:, c]) for c in range(k)],
                          "auc": [sk.roc_auc_score(truth[:, c], score[:, c]) for c in range(k)]}}


def main():
    cases = [
        classes("several classes", CLASSES, 1, 40, 4),
        classes("two classes, both scores", BINARY, 2, 30, 2),
        classes("two classes, one score", BINARY, 3, 30, 2, column=True),
        classes("five grades", GRADES, 4, 40, 5),
        classes("two grades", GRADES, 5, 20, 2),
        labels("five labels", 6, 30, 5),
        labels("fourteen labels", 7, 20, 14),
    ]
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("medmnist_rules.json")
    lines = ",\n".join("  " + json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    made_by = f"tests/golden/medmnist_rules.py, medmnist {medmnist.__version__}, scikit-learn {sklearn.__version__}"
    out.write_text(f'{{\n "made_by": "{made_by}",\n "cases": [\n{lines}\n ]\n}}\n')


if __name__ == "__main__":
    main()
