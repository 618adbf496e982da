"""Losses against overfitting and imbalance: label smoothing, class weights, focal loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn.functional import cross_entropy

from lab.errors import InputError
from lab.spec import RegularisationSpec
from lab.text import N_

ItemLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def smoothed(logits: torch.Tensor, targets: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Cross entropy against (1 - smoothing) on the target and the rest spread evenly, shape (n), in nats.

    `logits` (n, choices), minus infinity for what is no choice, which then gets no share. Szegedy et al.,
    arXiv:1512.00567.
    """
    if not smoothing:
        return cross_entropy(logits, targets, reduction="none")
    logs = torch.log_softmax(logits, -1)
    right = -logs.gather(-1, targets[:, None])[:, 0]
    possible = torch.isfinite(logits)
    evenly = -logs.masked_fill(~possible, 0.0).sum(-1) / possible.sum(-1)
    return (1 - smoothing) * right + smoothing * evenly


def total_loss(logits: torch.Tensor, targets: torch.Tensor, smoothing: float) -> torch.Tensor:
    """The sum of the (smoothed) cross entropies, in nats."""
    if not smoothing:
        return cross_entropy(logits, targets, reduction="sum")
    return smoothed(logits, targets, smoothing).sum()


def item_loss(smoothing: float, weights: torch.Tensor | None, gamma: float) -> ItemLoss:
    """The loss of each item: weight of its class x (1 - p)^gamma x smoothed cross entropy.

    `weights` has one entry for each class (focal loss's alpha), or is None. Lin et al., arXiv:1708.02002.
    """

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        found = smoothed(logits, labels, smoothing)
        if gamma:
            sure = torch.softmax(logits, -1).gather(-1, labels[:, None])[:, 0]
            found = found * (1 - sure).clamp(min=0) ** gamma
        return found if weights is None else found * weights.to(found.device)[labels]

    return loss


def balanced(counts: Sequence[int]) -> list[float]:
    """Items / (classes x items of the class); 0 rows count as 1. 90 and 10 items: 0.56 and 5."""
    return [sum(counts) / (len(counts) * max(1, count)) for count in counts]


def class_weights(
    asked: RegularisationSpec,
    labels: Sequence[str],
    counts: Sequence[int],
    prepared: Mapping[str, float] | None = None,
) -> torch.Tensor | None:
    """The weight of each class in the order of `labels`; None for all alike. Raises InputError for unknown classes.

    `prepared` are the weights of a data set that was balanced by weights; what the run asks for goes before them.
    """
    if asked.class_weights == "none":
        return torch.tensor([float(prepared.get(label, 1.0)) for label in labels]) if prepared else None
    if asked.class_weights == "balanced":
        return torch.tensor(balanced(counts))
    unknown = [name for name in asked.class_values if name not in labels]
    if unknown:
        raise InputError(
            N_("The data have no class called {names}."),
            where="regularisation.class_values",
            allowed=N_("They have {labels}."),
            names=", ".join(unknown),
            labels=", ".join(labels),
        )
    return torch.tensor([float(asked.class_values.get(label, 1.0)) for label in labels])
