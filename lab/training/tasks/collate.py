"""From items to a batch: filled up on the right, which is masked by length and never by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lab.data.example import IGNORED
from lab.data.features.item import Item


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


def _filled(rows: Sequence[Sequence[int]], width: int, value: int) -> torch.Tensor:
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])
