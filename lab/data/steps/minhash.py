"""Near duplicates: sketches by MinHash (rensa, in Rust), candidates by bands, and the true Jaccard of each pair.

The method of Broder 1997 (doi:10.1109/SEQUEN.1997.666900) with the banding of FineWeb (arXiv:2406.17557). Two texts
are compared by their sets of pairs of neighbouring words, without capitals and punctuation: in a text of twenty
words, one other word leaves a similarity of 0.81.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

PERMUTATIONS = 128
_SURE = 0.99  # chance that a pair of exactly the wanted similarity becomes a candidate
_SLACK = 0.15  # four standard errors of a similarity that is estimated from 128 values
_CHUNK = 2048  # rows whose words are in memory at a time
_COMPARED = 64  # rows of one bucket that a new row is compared with; keeps a file of one form from taking hours
_CACHED = 4096  # rows whose pairs of words are kept between two comparisons
_BESIDES = 65_536  # the same without the passage, which is short
# Words; every character of a script that is written without spaces is a word of its own.
_WORD = re.compile(r"[぀-ヿ㐀-鿿]|[^\W぀-ヿ㐀-鿿]+")
_ASCII_WORD = re.compile(r"[a-z0-9_]+")  # the same for ASCII, in a third of the time
Sketches = NDArray[np.uint32]
Pairs = Callable[[int], frozenset[tuple[str, ...]]]


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    lower = text.lower()
    return _ASCII_WORD.findall(lower) if lower.isascii() else _WORD.findall(lower)


def pairs_of_words(text: str) -> frozenset[tuple[str, ...]]:
    """The pairs of neighbouring words; of a single word, the word."""
    found = words(text)
    return frozenset(pairwise(found)) if len(found) > 1 else frozenset([(*found,)] if found else [])


def jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Size of the intersection by size of the union; 0 for texts without words."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def rows_per_band(threshold: float) -> int:
    """The longest bands that still find a pair of similarity `threshold` with a chance of 99 %."""
    for rows in range(16, 1, -1):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= _SURE:
            return rows
    return 1


def matches(
    count: int,
    text_at: Callable[[int], str],
    threshold: float,
    *,
    stored: int | None = None,
    without_passage: Callable[[int], str] | None = None,
    tick: Callable[[int], None] = lambda rows: None,
) -> dict[int, tuple[int, float]]:
    """Row -> (the row that it resembles, their Jaccard similarity), for similarities of at least `threshold`.

    Without `stored`, a row is compared with the earlier rows that resemble none themselves: these are the
    ones to keep. With it, the rows from `stored` on are compared with those before it, which are not compared with
    one another. `without_passage` gives what a row says besides the passage that it is about: that has to be as
    similar, or two questions about one passage would count as one. Memory: 512 bytes for each row.
    """
    sketches = _sketches(count, text_at, tick)
    bands = _bands(sketches, rows_per_band(threshold))
    pairs = lru_cache(maxsize=_CACHED)(lambda row: pairs_of_words(text_at(row)))
    besides = without_passage and lru_cache(maxsize=_BESIDES)(lambda row: pairs_of_words(without_passage(row)))
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    found: dict[int, tuple[int, float]] = {}
    for done, row in enumerate(_crowded(bands)):
        tick(done)
        keys = [(band, int(key)) for band, key in enumerate(bands[row])]
        if stored is None or row >= stored:
            near = {other for key in keys for other in buckets.get(key, ())[-_COMPARED:]}
            best = _best(row, sorted(near), sketches, pairs, threshold, besides)
            if best is not None:
                found[row] = best
                continue
        if stored is None or row < stored:
            for key in keys:
                buckets[key].append(row)
    return found


def _best(
    row: int, near: Sequence[int], sketches: Sketches, pairs: Pairs, threshold: float, besides: Pairs | None
) -> tuple[int, float] | None:
    if not near:
        return None
    estimates = (sketches[near] == sketches[row]).mean(axis=1)
    likely = [other for other, estimate in zip(near, estimates, strict=True) if estimate >= threshold - _SLACK]
    best = (0.0, 0)
    for other in likely:
        # What is said besides the passage is short: it is compared first, and mostly decides.
        least = jaccard(besides(row), besides(other)) if besides else 1.0
        if least >= threshold:
            best = max(best, (min(least, jaccard(pairs(row), pairs(other))), -other))
    return (-best[1], best[0]) if best[0] >= threshold else None


def _sketches(count: int, text_at: Callable[[int], str], tick: Callable[[int], None]) -> Sketches:
    """One row of 128 values for each text; a text without words gets values of its own, so that it resembles none."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    sketches = np.empty((count, PERMUTATIONS), dtype=np.uint32)
    for start in range(0, count, _CHUNK):
        tick(start)
        rows = range(start, min(start + _CHUNK, count))
        hashes, offsets = _hashes((words(text_at(row)) for row in rows), numbers, start)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, PERMUTATIONS, 42)
        sketches[rows.start : rows.stop] = matrix.to_rows()
    return sketches


def _hashes(
    texts: Iterable[list[str]], numbers: defaultdict[str, int], start: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The pairs of words of all texts as 64-bit values, one text after the other, and where each text begins."""
    parts: list[NDArray[np.uint64]] = []
    for index, found in enumerate(texts):
        values = np.fromiter(map(numbers.__getitem__, found), dtype=np.uint64, count=len(found)) + np.uint64(1)
        if len(values) > 1:
            values = (values[:-1] << np.uint64(32)) | values[1:]
        elif not len(values):
            values = np.array([2**63 + start + index], dtype=np.uint64)
        parts.append(values)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.uint64)
    return _mixed(np.concatenate(parts)), offsets


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread over all 64 bits (the finalizer of SplitMix64, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _bands(sketches: Sketches, rows: int) -> NDArray[np.uint64]:
    """One 64-bit key for each band of each sketch."""
    count = PERMUTATIONS // rows
    keys = np.zeros((len(sketches), count), dtype=np.uint64)
    for place in range(rows):
        column = sketches[:, place : count * rows : rows].astype(np.uint64)
        keys = _mixed(keys * np.uint64(31) + column)
    return keys


def _crowded(bands: NDArray[np.uint64]) -> list[int]:
    """The rows, in order, that share a band with another row."""
    shared = np.zeros(len(bands), dtype=bool)
    for band in bands.T:
        _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
        shared |= counts[inverse] > 1
    return [int(row) for row in np.flatnonzero(shared)]
