"""One input of a model with what it is to learn from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One input: `labels` is one class, one class for each token, or the first and the last token of an answer.

    `row` is the index of the row that it came from; `type_ids` tell the two texts of a pair apart (empty for
    a tokenizer that does not). `places` hold, by task, where the words or characters of the row lie in
    `input_ids`. `task` is the name of the task in a run of several.
    """

    input_ids: list[int]
    labels: list[int]
    row: int
    type_ids: list[int] = field(default_factory=list)
    places: tuple[Any, ...] = ()
    task: str = ""


@dataclass
class Encoded:
    """The items of some rows; `dropped` counts the rows that gave none, by reason, `cut` those that were cut."""

    items: list[Item] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    cut: int = 0

    def drop(self, reason: str) -> None:
        """Count a row that is left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
