"""Training rows that say what a held-out row says: a model that has seen them is not tested by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.data.split import question_of
from lab.data.steps.base import Row
from lab.data.steps.fields import whole
from lab.data.steps.minhash import matches
from lab.data.steps.report import shown


@dataclass(frozen=True)
class Leak:
    """A training row and the held-out row that it resembles most; places count from 0 in the two lists."""

    train: int
    held_out: int
    similarity: float
    text: str

    def as_dict(self) -> dict[str, Any]:
        """As in a data set's figures.json."""
        return asdict(self)


def leakage(
    train: Sequence[Row],
    held_out: Sequence[Row],
    kind: str,
    threshold: float = 0.8,
    *,
    tick: Callable[[int], None] = lambda rows: None,
) -> list[Leak]:
    """One pair for each training row that resembles a held-out one, the most similar first.

    A row that asks the same question, or is about the same passage, counts as equal (1.0); the others are compared
    by their pairs of words (Jaccard), with MinHash.
    """
    asked: dict[str, int] = {}
    for index, row in enumerate(held_out):
        asked.setdefault(question_of(row, kind), index)
    asked.pop("", None)
    leaks = {}
    rows = [*held_out, *train]

    def text_at(index: int) -> str:
        return question_of(rows[index], kind) if kind == "extractive-qa" else whole(rows[index], kind)

    near = matches(len(rows), text_at, threshold, stored=len(held_out), tick=tick)
    for index, row in enumerate(train):
        same = asked.get(question_of(row, kind))
        place = len(held_out) + index
        if same is not None:
            leaks[index] = Leak(index, same, 1.0, shown(text_at(place)))
        elif place in near:
            other, similarity = near[place]
            leaks[index] = Leak(index, other, round(similarity, 4), shown(text_at(place)))
    return sorted(leaks.values(), key=lambda leak: (-leak.similarity, leak.train))


def without(train: Sequence[Row], leaks: Sequence[Leak]) -> list[Row]:
    """The training rows that leak nothing."""
    gone = {leak.train for leak in leaks}
    return [row for index, row in enumerate(train) if index not in gone]
