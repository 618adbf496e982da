"""Packing: several examples in one sequence of the maximum length, and how many sequences that makes."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence

from lab.planning.registry import formula


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Best-fit decreasing: each example goes where it leaves the least room (Johnson, 1974).

    Returns the numbers of the examples in each pack of at most `budget` tokens; every example is in exactly one, and a
    longer one has a pack of its own. O(n log n) for n examples.
    """
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []  # free tokens and number of each pack that is not full, in order
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = bisect_left(room, (lengths[i], -1))
        if place < len(room):
            free, number = room.pop(place)
            packs[number].append(i)
        else:
            free, number = budget, len(packs)
            packs.append([i])
        if free > lengths[i]:
            insort(room, (free - lengths[i], number))
    return packs


@formula(
    "ceil((tokens + room left) / maximum length)",
    unit="packs",
    source="best-fit decreasing packing, arXiv:2404.10830; without room left a lower bound",
)
def packs_needed(tokens: float, room: float, max_length: int) -> int:
    """Packs of `max_length` tokens for so many tokens, when `room` tokens of them stay free. 9,000 + 216 in 512: 18."""
    return max(1, math.ceil((tokens + room) / max_length))
