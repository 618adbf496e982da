"""Padded batches: what plain TRL does, and what a model gets that cannot take flat rows (`lab.training.batches`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lab.data.example import IGNORED

Row = dict[str, Any]


@dataclass(frozen=True)
class PaddedCollator:
    """Examples below each other, filled up on the right.

    What is padding follows from each example's length, never from the id: where the padding token is also the
    end-of-text token, masking by id would hide every real end and the model would never learn to stop.
    """

    pad_id: int

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), width), self.pad_id)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, IGNORED)
        for i, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[i, :length] = torch.tensor(row["input_ids"])
            mask[i, :length] = 1
            labels[i, 1:length] = torch.tensor(row["labels"][1:])  # before the first token there is none to predict it
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def real_tokens(batch: dict[str, Any]) -> int:
    """Tokens of a batch that are not padding."""
    mask = batch.get("attention_mask")
    return int(mask.sum()) if mask is not None else batch["input_ids"].numel()
