"""Micro-batches of a number of real tokens: the examples of an update regrouped, or the whole set packed.

An update is what one optimizer step learns from. Padded, it is `accumulation` batches of `per_device_batch`
examples. Without padding the same examples are one list of flat rows, each as full as the device takes: fewer,
larger passes, and the same gradient.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset as Table
from torch.utils.data import Dataset

from lab.data.example import IGNORED, Example
from lab.training.attention import flat_row

Row = dict[str, Any]


def passes(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Numbers of examples that go through the model together, at most `budget` tokens a pass.

    A longer example is a pass of its own. As few passes as the total allows, of about the same size: a nearly
    empty last pass would cost almost as much as a full one.
    """
    if sum(lengths) <= budget:
        return [list(range(len(lengths)))]
    return [sorted(members) for members in pack(lengths, budget)]


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Best-fit decreasing: each example goes where it leaves the least room (Johnson, 1974).

    Returns the numbers of the examples in each pack; every example is in exactly one. O(n log n) for n examples.
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


class Rows(Dataset[Any]):
    """Examples in memory, or packs of them: what a number of the data order stands for.

    An Arrow table would take a tenth of a millisecond for each row, which a small model feels.
    """

    def __init__(self, examples: Sequence[Example], packs: Sequence[Sequence[int]] | None = None) -> None:
        self.rows = [_row(example) for example in examples]
        self.packs = packs

    def __len__(self) -> int:
        return len(self.rows) if self.packs is None else len(self.packs)

    def __getitem__(self, number: int) -> Any:
        if self.packs is None:
            return self.rows[number]
        return [self.rows[i] for i in self.packs[number]]

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def table(self, count: int | None = None) -> Table:
        """The first examples, or all, as the table of ids and labels that TRL asks for."""
        rows = self.rows[:count]
        return Table.from_dict({name: [row[name] for row in rows] for name in ("input_ids", "labels")})

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [len(row["input_ids"]) for row in self.rows]


@dataclass(frozen=True)
class UpdateCollator:
    """The examples of one update as flat rows: `{"labels": all of them, "passes": [model inputs with labels]}`.

    `labels` of shape (1, tokens) is what the Trainer counts label tokens in.
    """

    budget: int

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        if rows and isinstance(rows[0], list):  # packed beforehand
            groups = [list(group) for group in rows]
        else:
            groups = [[rows[i] for i in members] for members in passes(_lengths(rows), self.budget)]
        parts = [_flat(group) for group in groups]
        return {"labels": torch.cat([part["labels"] for part in parts], 1), "passes": parts}


def _flat(rows: Sequence[Row]) -> dict[str, Any]:
    labels = torch.tensor([[label for row in rows for label in row["labels"]]])
    wanted = (labels[0] != IGNORED).nonzero().flatten()
    # The positions whose logits are needed and what is to be predicted there, found here and not on the device.
    return flat_row([row["input_ids"] for row in rows]) | {
        "labels": labels,
        "predicts": wanted - 1,
        "targets": labels[0, wanted],
    }


def _row(example: Example) -> Row:
    # The first token of an example is no target: the token before it belongs to another example.
    return {"input_ids": example.input_ids, "labels": [IGNORED, *example.labels[1:]]}


def _lengths(rows: Sequence[Row]) -> list[int]:
    return [len(row["input_ids"]) for row in rows]
