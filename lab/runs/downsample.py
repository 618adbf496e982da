"""Fewer points of a curve without losing its peaks."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[int, float | None]


def min_max(points: Sequence[Point], limit: int = 1000) -> list[Point]:
    """At most `limit` of the points: first, last, and the lowest and highest of each of equally long
    stretches.

    A stretch without any finite value keeps one gap (None), so that the curve shows where it broke.
    """
    if len(points) <= limit:
        return list(points)
    inner = points[1:-1]
    stretches = max(1, (limit - 2) // 2)
    kept = [points[0]]
    for number in range(stretches):
        first, last = number * len(inner) // stretches, (number + 1) * len(inner) // stretches
        kept += _extremes(inner[first:last])
    return [*kept, points[-1]]


def _extremes(stretch: Sequence[Point]) -> list[Point]:
    finite = [(value, step) for step, value in stretch if value is not None]
    if not finite:
        return list(stretch[:1])
    ends = {min(finite), max(finite)}
    return [(step, value) for value, step in sorted(ends, key=lambda pair: pair[1])]
