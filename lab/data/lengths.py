"""How long rows are, in tokens of the chosen model and in characters, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.data.build import Built

BARS = 30
LOOKED_AT = 1000  # questions
PERCENTILES = (5, 25, 50, 75, 90, 95, 99)


def lengths(built: Built) -> dict[str, Any]:
    """The histogram of all measured rows in tokens, and under `characters` the same in characters.

    `counts[i]` rows have from `edges[i]` up to below `edges[i + 1]`. `cut` and `dropped` count the rows beyond
    `max_length`. Rows that a cleaning step dropped were not measured. For passages, `question` is the mean length of
    the questions, which are in every window of theirs.
    """
    measured, options = built.lengths, built.options
    long = sum(length > options.max_length for length in measured)
    total, letters = sum(measured), sum(built.characters)
    asked = {"question": _question(built)} if built.source.kind == "extractive-qa" else {}
    return asked | {
        "model": options.model,
        **histogram(measured),
        "max_length": options.max_length,
        "cut": built.cut,
        "dropped": long - built.cut,
        "characters": histogram(built.characters) | {"max_characters": options.preparation.max_characters},
        "characters_per_token": round(letters / total, 3) if total else None,
    }


def _question(built: Built) -> float:
    """Mean tokens of the questions, of rows spread over the whole set."""
    asked = [row["question"] for row in built.rows[:: max(1, len(built.rows) // LOOKED_AT)]]
    counts = [len(ids) for ids in built.encoder.texts.ids(asked, split_specials=True)]
    return round(sum(counts) / max(1, len(counts)), 1)


def histogram(values: Sequence[int]) -> dict[str, Any]:
    """Edges, counts, median, p95, max and the `percentiles` (nearest rank) of whole numbers."""
    width = max(1, -(-(max(values, default=0) + 1) // BARS))
    bars = max(values, default=0) // width + 1
    counts = [0] * bars
    for value in values:
        counts[value // width] += 1
    ordered = sorted(values)
    shares = {str(percent): rank(ordered, percent / 100) for percent in PERCENTILES}
    edges = [bar * width for bar in range(bars + 1)]
    return {"edges": edges, "counts": counts, **summary(ordered), "percentiles": shares}


def summary(values: Sequence[int]) -> dict[str, int]:
    """Median, 95th percentile (nearest rank) and maximum; zeros for no values."""
    ordered = sorted(values)
    return {"median": rank(ordered, 0.5), "p95": rank(ordered, 0.95), "max": ordered[-1] if ordered else 0}


def rank(ordered: Sequence[int], share: float) -> int:
    """The value below or at which this share of sorted values lies (nearest rank); 0 for no values."""
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else 0
