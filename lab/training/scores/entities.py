"""Scores of entities: an entity is right when its first word, its last word and its type are (strict, IOB2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

Span = tuple[str, int, int]  # type, first word, word after the last


def spans(tags: Sequence[str]) -> set[Span]:
    """The entities in a row of IOB2 tags; an I-X that does not continue a B-X or I-X begins nothing.

    The same as seqeval's mode "strict" with its scheme IOB2.
    """
    found: set[Span] = set()
    kind, start = "", 0
    for place, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            found.add((kind, start, place))
            kind = ""
        if tag.startswith("B-"):
            kind, start = tag[2:], place
    return found


def counts(truth: Sequence[str], said: Sequence[str]) -> Counter[tuple[str, str]]:
    """(type, what) -> number in one row, where what is right, said or true."""
    real, claimed = spans(truth), spans(said)
    found: Counter[tuple[str, str]] = Counter()
    found.update((kind, "true") for kind, _, _ in real)
    found.update((kind, "said") for kind, _, _ in claimed)
    found.update((kind, "right") for kind, _, _ in real & claimed)
    return found


def scores(right: float, said: float, true: float) -> dict[str, float]:
    """Precision, recall and F1 from three counts; 0 where nothing can be counted."""
    return {
        "precision": right / said if said else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (said + true) if said + true else 0.0,
    }


def by_type(rows: Iterable[Counter[tuple[str, str]]]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and `support` (true entities) of each type over all rows, types in order."""
    total: Counter[tuple[str, str]] = Counter()
    for row in rows:
        total.update(row)
    found = {}
    for kind in sorted({kind for kind, _ in total}):
        right, said, true = (total[kind, what] for what in ("right", "said", "true"))
        found[kind] = scores(right, said, true) | {"support": true}
    return found
