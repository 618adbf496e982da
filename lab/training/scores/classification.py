"""Scores of classes: from the confusion matrix, as scikit-learn defines them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]


def confusion(truth: Sequence[int], said: Sequence[int], classes: int) -> Matrix:
    """Counts of shape (classes, classes): row the true class, column the class that was said."""
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(said, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def by_class(matrix: Matrix) -> dict[str, Matrix]:
    """Precision, recall and F1 of each class, and its true rows (`support`); 0 where nothing can be counted.

    `matrix` may have leading dimensions: one matrix for each resample.
    """
    right = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    support, said = matrix.sum(-1), matrix.sum(-2)
    return {
        "precision": _ratio(right, said),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, support + said),
        "support": support,
    }


def scores(matrix: Matrix) -> dict[str, Matrix]:
    """Accuracy, F1 as the mean over classes that occur (macro) and weighted by their rows, from 0 to 1."""
    found = by_class(matrix)
    total = matrix.sum((-2, -1))
    occurs = (matrix.sum(-1) + matrix.sum(-2)) > 0
    return {
        "accuracy": _ratio(np.diagonal(matrix, axis1=-2, axis2=-1).sum(-1).astype(float), total),
        "macro_f1": _ratio((found["f1"] * occurs).sum(-1), occurs.sum(-1)),
        "weighted_f1": _ratio((found["f1"] * found["support"]).sum(-1), total),
    }


def matthews(matrix: Matrix) -> float:
    """Matthews' correlation of one matrix for any number of classes, from -1 to 1; 0 where it is not defined.

    Source: J. Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient (2004).
    """
    counts = matrix.astype(float)
    right, total = np.trace(counts), counts.sum()
    truth, said = counts.sum(1), counts.sum(0)
    below = (total**2 - said @ said) * (total**2 - truth @ truth)
    return float((right * total - truth @ said) / math.sqrt(below)) if below > 0 else 0.0


def _ratio(part: Matrix, whole: Matrix) -> Matrix:
    whole = np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)
