"""Pairs of an update in passes of like lengths, TRL's loss head on label tokens alone, and dropout out of the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer import utils as trl_utils

from lab.training.tasks.speed import chunks, like_lengths

HEAD = "_use_triton"  # by which TRL's loss head decides whether it may leave out tokens without a label


def pair_length(row: dict[str, Any]) -> int:
    """Tokens of a pair in a batch: two rows, each as long as the longer one."""
    return 2 * (len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])))


@dataclass(frozen=True)
class UpdateOfPairs:
    """The pairs of one update as `{"passes": [batches of TRL's], "shares": [of each in the update's loss]}`.

    A plain update is the mean of its batches of `batch` pairs. Batches of one size may be cut anew; where the last one
    is smaller, its pairs weigh more, and the batches stay as they are.
    """

    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    budget: int  # tokens of a pass, padding included
    pass_cost: int
    batch: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        if len(rows) > self.batch and len(rows) % self.batch:
            groups = [list(part) for part in chunks(rows, self.batch)]
            shares = [1 / len(groups)] * len(groups)
        else:
            found = like_lengths([pair_length(row) for row in rows], self.budget, self.pass_cost)
            groups = [[rows[i] for i in group] for group in found]
            shares = [len(group) / len(rows) for group in groups]
        return {"passes": [self.collate(group) for group in groups], "shares": shares}


def can_score_labels() -> bool:
    """Whether TRL's loss head is the one that `label_head` knows."""
    return hasattr(trl_utils, HEAD)


@contextmanager
def label_head(wanted: bool) -> Iterator[None]:
    """Let TRL's loss head score label tokens alone.

    On a GPU it does; elsewhere it scores every token and throws the prompts' away, because there are devices that
    compile anew for each number of tokens. A CPU does not.
    """
    if not wanted:
        yield
        return
    before = getattr(trl_utils, HEAD)
    setattr(trl_utils, HEAD, lambda device: True)
    try:
        yield
    finally:
        setattr(trl_utils, HEAD, before)


def without_dropout(model: torch.nn.Module) -> float:
    """Switch every dropout of a model off; returns the largest share that there was.

    TRL switches off the layers of that kind, but not the shares that Llama and others keep beside their attention.
    """
    largest = 0.0
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            largest, part.p = max(largest, part.p), 0.0
        if isinstance(share := getattr(part, "attention_dropout", None), float):
            largest = max(largest, share)
            part.attention_dropout = 0.0
    return largest
