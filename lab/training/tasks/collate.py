"""From items to batches: filled up on the right, which is masked by length and never by id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lab.data.example import IGNORED
from lab.data.features.item import Item
from lab.training.tasks.speed import chunks, like_lengths


@dataclass(frozen=True)
class ItemCollator:
    """Ids, mask, type ids where there are some, and labels; labels by token are filled up with IGNORED."""

    pad_id: int
    by_token: bool = False

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        width = max(len(item.input_ids) for item in items)
        lengths = [len(item.input_ids) for item in items]
        batch: dict[str, Any] = {
            "input_ids": _filled([item.input_ids for item in items], width, self.pad_id),
            "attention_mask": _filled([[1] * length for length in lengths], width, 0),
            "labels": _filled([item.labels for item in items], width if self.by_token else 0, IGNORED),
        }
        if items[0].type_ids:
            batch["token_type_ids"] = _filled([item.type_ids for item in items], width, 0)
        if items[0].task:
            batch["task"] = items[0].task  # batches of several tasks hold one each
        return batch


@dataclass(frozen=True)
class UpdateCollator:
    """The items of one update in passes of like lengths: `{"labels": all of them, "passes": [batches], ...}`.

    `labels` is what the Trainer counts labels in. With `by_batch` each batch of `batch` items counts alike, whatever
    the number of its labels, and holds one task; the passes then carry the weight of each item.
    """

    collate: Callable[[Sequence[Item]], dict[str, Any]]
    budget: int  # tokens of a pass, padding included
    pass_cost: int
    batch: int
    by_batch: bool = False

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        weights = self._weights(items) if self.by_batch else None
        passes = []
        for group in self._groups(items):
            part = self.collate([items[i] for i in group])
            passes.append(part if weights is None else part | {"weights": torch.tensor([weights[i] for i in group])})
        return {
            "labels": torch.cat([part["labels"].flatten() for part in passes]),
            "passes": passes,
            "tokens": sum(len(item.input_ids) for item in items),
            "examples": len(items),
        }

    def _groups(self, items: Sequence[Item]) -> list[list[int]]:
        tasks: dict[str, list[int]] = {}
        for i, item in enumerate(items):
            tasks.setdefault(item.task, []).append(i)
        found = []
        for members in tasks.values():
            lengths = [len(items[i].input_ids) for i in members]
            found += [[members[i] for i in group] for group in like_lengths(lengths, self.budget, self.pass_cost)]
        return found

    def _weights(self, items: Sequence[Item]) -> list[float]:
        batches = chunks(items, self.batch)
        labels = [sum(label != IGNORED for item in batch for label in item.labels) for batch in batches]
        return [1 / (len(batches) * max(1, labels[i // self.batch])) for i in range(len(items))]


def _filled(rows: Sequence[Sequence[int]], width: int, value: int) -> torch.Tensor:
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])
