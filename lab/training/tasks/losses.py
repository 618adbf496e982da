"""The loss of tasks with labels, item by item; another one can stand in its place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from lab.data.example import IGNORED

# (logits (n, classes), labels (n)) -> the loss of each, shape (n); labels are never IGNORED here.
ItemLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def plain(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each item, in nats."""
    return cross_entropy(logits, labels, reduction="none")


def of_items(logits: torch.Tensor, labels: torch.Tensor, loss: ItemLoss) -> torch.Tensor:
    """The loss of each label of a batch, 0 where there is none.

    `logits` is (batch, classes) or (batch, tokens, classes), `labels` (batch, 1) or (batch, tokens).
    """
    classes = logits.shape[-1]
    flat, wanted = logits.reshape(-1, classes).float(), labels.reshape(-1)
    kept = wanted != IGNORED
    found = torch.zeros(wanted.shape, dtype=torch.float32, device=logits.device)
    found[kept] = loss(flat[kept], wanted[kept])
    return found.view(labels.shape)


def of_spans(logits: torch.Tensor, labels: torch.Tensor, loss: ItemLoss) -> torch.Tensor:
    """The loss of the first and the last token of each answer, shape (batch, 2).

    `logits` is (batch, tokens, 2), minus infinity where no token is; `labels` (batch, 2) are places.
    """
    both = logits.float().transpose(1, 2)  # (batch, 2, tokens)
    return loss(both.reshape(-1, both.shape[-1]), labels.reshape(-1)).view(labels.shape)
