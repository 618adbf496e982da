"""Micro-batches of a number of real tokens: the examples of an update regrouped, or the whole set packed.

An update is what one optimizer step learns from. Padded, it is `accumulation` batches of `per_device_batch`
examples. Without padding the same examples are one list of flat rows, each as full as the device takes: fewer,
larger passes, and the same gradient. Where the whole set was packed, a batch counts packs in place of examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset as Table
from torch.utils.data import Dataset

from lab.data.example import IGNORED
from lab.data.tokenised import Array, Tokens
from lab.planning.packing import pack
from lab.training.attention import flat_row
from lab.training.side_by_side import even

Row = dict[str, Any]


def passes(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Numbers of examples that go through the model together, at most `budget` tokens a pass.

    A longer example is a pass of its own. As few passes as the total allows, of about the same size: a nearly
    empty last pass would cost almost as much as a full one.
    """
    if sum(lengths) <= budget:
        return [list(range(len(lengths)))]
    return [sorted(members) for members in pack(lengths, budget)]


class Rows(Dataset[Any]):
    """Examples in arrays, or packs of them: what a number of the data order stands for.

    The arrays may be mapped from files: only what a batch asks for is read. `packs` hold places in `numbers`, which
    are those of the examples.
    """

    def __init__(self, tokens: Tokens, numbers: Array, packs: Sequence[Sequence[int]] | None = None) -> None:
        # A plain view of a mapped file: its own class costs microseconds for each slice.
        ids, trained, offsets = (np.asarray(part) for part in (tokens.input_ids, tokens.trained, tokens.offsets))
        self.tokens = replace(tokens, input_ids=ids, trained=trained, offsets=offsets)
        self.numbers, self.packs = numbers, packs

    def __len__(self) -> int:
        return len(self.numbers) if self.packs is None else len(self.packs)

    def __getitem__(self, number: int) -> Any:
        if self.packs is None:
            return self._row(number)
        return [self._row(i) for i in self.packs[number]]

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def _row(self, place: int) -> Row:
        number = self.numbers[place]
        labels = self.tokens.labels(number)
        labels[:1] = IGNORED  # no target: the token before it belongs to another example
        return {"input_ids": self.tokens.ids(number), "labels": labels}

    def table(self, count: int | None = None) -> Table:
        """The first examples, or all, as the table of ids and labels that TRL asks for."""
        rows = [self._row(place) for place in range(len(self.numbers))[:count]]
        return Table.from_dict({name: [row[name].tolist() for row in rows] for name in ("input_ids", "labels")})

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example."""
        found: list[int] = (self.tokens.offsets[self.numbers + 1] - self.tokens.offsets[self.numbers]).tolist()
        return found


@dataclass(frozen=True)
class UpdateCollator:
    """The examples of one update as flat rows: `{"labels": all of them, "passes": [model inputs with labels]}`.

    `labels` of shape (1, tokens) is what the Trainer counts label tokens in. `sides` passes are computed at a time,
    and hold the `budget` together.
    """

    budget: int
    sides: int = 1

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        if rows and isinstance(rows[0], list):  # packs: their examples are regrouped as the device takes them
            rows = [row for members in rows for row in members]
        lengths = _lengths(rows)
        groups = passes(lengths, self.budget) if self.sides == 1 else even(lengths, self.budget, self.sides)
        parts = [_flat([rows[i] for i in members]) for members in groups]
        return {"labels": torch.cat([part["labels"] for part in parts], 1), "passes": parts}


def _flat(rows: Sequence[Row]) -> dict[str, Any]:
    labels = np.concatenate([row["labels"] for row in rows], dtype=np.int64)
    wanted = np.flatnonzero(labels != IGNORED)
    # The positions whose logits are needed and what is to be predicted there, found here and not on the device.
    return flat_row([row["input_ids"] for row in rows]) | {
        "labels": torch.from_numpy(labels)[None],
        "predicts": torch.from_numpy(wanted - 1),
        "targets": torch.from_numpy(labels[wanted]),
    }


def _lengths(rows: Sequence[Row]) -> list[int]:
    return [len(row["input_ids"]) for row in rows]
