"""How many tokens are padding: in batches of whole examples, and when examples are packed into full sequences."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from lab.data.tokenised import Array


def padded(lengths: Array, batch: int, seed: int) -> int:
    """Padding tokens of one epoch in shuffled batches of `batch` examples, each as wide as its longest.

    [2, 4, 3] in one batch of 3: 3.
    """
    shuffled = np.random.default_rng(seed).permutation(lengths)
    starts = np.arange(0, len(shuffled), batch)
    if not len(starts):
        return 0
    widths = np.maximum.reduceat(shuffled, starts)
    rows = np.diff(np.append(starts, len(shuffled)))
    return int((widths * rows).sum() - shuffled.sum())


def padded_packed(lengths: Array, max_length: int) -> int:
    """Tokens that stay free when examples are packed into sequences of `max_length`, the fullest that fits first.

    Best-fit decreasing, as in TRL's packing (arXiv:2404.10830). [6, 5, 4, 3] into 10: [6, 4], [5, 3], free: 2.
    """
    free: dict[int, int] = {}  # room left -> number of sequences with so much room
    rooms: list[int] = []
    sequences = 0
    for length in sorted((min(int(length), max_length) for length in lengths), reverse=True):
        at = bisect_left(rooms, length)
        if at == len(rooms):
            sequences += 1
            room = max_length
        else:
            room = rooms[at]
            free[room] -= 1
            if not free[room]:
                del free[room], rooms[at]
        left = room - length
        if left not in free:
            free[left] = 0
            insort(rooms, left)
        free[left] += 1
    return sequences * max_length - int(np.minimum(lengths, max_length).sum())
