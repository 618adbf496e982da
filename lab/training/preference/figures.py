"""What a model's rewards say about held-out preferences."""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.training.scores.intervals import interval, opened

Array = np.ndarray[Any, Any]


def of_pairs(chosen: Array, rejected: Array, *, sure: bool) -> tuple[float, float, float]:
    """The share of pairs whose better answer has the higher value, a tie counting half, and its 95 % interval."""
    marks = (np.sign(chosen - rejected) + 1) / 2
    if not len(marks):
        return 0.5, 0.0, 1.0
    table = np.stack([marks, np.ones(len(marks))], 1)
    low, high = interval(table, _mean) if sure else (0.0, 1.0)
    return float(marks.mean()), low, high


def of_singles(good: Array, bad: Array, *, sure: bool) -> tuple[float, float, float]:
    """The chance that a good answer has a higher value than a bad one (the area under the ROC curve)."""
    if not len(good) or not len(bad):
        return 0.5, 0.0, 1.0
    return of_pairs(np.repeat(good, len(bad)), np.tile(bad, len(good)), sure=False)[:1] + _hanley(good, bad, sure)


def _hanley(good: Array, bad: Array, sure: bool) -> tuple[float, float]:
    """The 95 % interval of an area under the curve. Hanley and McNeil, Radiology 143 (1982), equations 1 and 2."""
    if not sure:
        return 0.0, 1.0
    area = float(((np.sign(good[:, None] - bad[None, :]) + 1) / 2).mean())
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (len(good) - 1) * (q1 - area**2) + (len(bad) - 1) * (q2 - area**2)
    half = 1.96 * float(np.sqrt(max(0.0, spread) / (len(good) * len(bad))))
    return opened(max(0.0, area - half), min(1.0, area + half), min(len(good), len(bad)))


def _mean(sums: Array) -> Array:
    return sums[:, 0] / np.maximum(1e-9, sums[:, 1])
