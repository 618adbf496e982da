"""How sure a score is: percentile intervals over resamples of the held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
RESAMPLES = 1000
CELLS = 20_000_000  # numbers that one block of resamples may hold
Z = 1.96


def resampled(rows: Array, score: Callable[[Array], Array], *, seed: int = 0, resamples: int = RESAMPLES) -> Array:
    """A score over `resamples` draws with replacement of the rows.

    `rows` holds the counts of each row, shape (rows, ...); `score` takes their sums, shape (block, ...), and
    returns one number for each. Source: B. Efron, Bootstrap methods (1979).
    """
    count = len(rows)
    flat = rows.reshape(count, -1).astype(float)
    draw = np.random.default_rng(seed)
    block = max(1, min(resamples, CELLS // max(1, count)))
    found = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        weights = draw.multinomial(count, np.full(count, 1 / count), size=size)
        found.append(score((weights @ flat).reshape(size, *rows.shape[1:])))
    return np.concatenate(found)


def interval(rows: Array, score: Callable[[Array], Array], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of a score; (0, 1) without rows.

    Where all rows are right, or all wrong, resamples tell nothing of how sure that is: the open end is Wilson's then.
    Source: E. B. Wilson, Probable inference (1927).
    """
    if not len(rows):
        return 0.0, 1.0
    low, high = np.percentile(resampled(rows, score, seed=seed), [2.5, 97.5])
    return opened(float(low), float(high), len(rows))


def opened(low: float, high: float, count: int) -> tuple[float, float]:
    """An interval around 1 or 0 that has no width, with Wilson's open end for `count` rows; any other as it is."""
    end = Z**2 / (count + Z**2)
    if low == high == 1:
        return 1 - end, 1.0
    return (0.0, end) if low == high == 0 else (low, high)
