"""The optimizer of a run: its name for transformers, what decays, and the rate of each layer."""

from __future__ import annotations

import re
from typing import Any

import torch

from lab.errors import InputError
from lab.spec.parts.schedule import OPTIMIZERS, PLAIN_OPTIMIZERS
from lab.text import N_
from lab.training import libraries
from lab.training.methods.depth import depths

_SPARED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)|(?:^|\.)ln_", re.IGNORECASE)


def known_to_transformers(name: str) -> str:
    """The name of a spec's optimizer for transformers. Raises InputError where its library is not installed."""
    if name not in PLAIN_OPTIMIZERS and not libraries.reveal():
        raise InputError(
            N_("The optimizer {name} needs bitsandbytes, which is not installed here."),
            where="schedule.optimizer",
            next=N_("Install the requirements again, or choose adamw."),
            name=name,
        )
    return OPTIMIZERS[name]


def decaying(model: torch.nn.Module) -> list[str]:
    """Names of the weights that weight decay pulls at: matrices; never a bias, a norm, or DoRA's lengths."""
    return [name for name, weight in model.named_parameters() if weight.ndim >= 2 and not _SPARED.search(name)]


def layered_groups(
    model: torch.nn.Module, rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Parameter groups by depth, the uppermost trained layers first and at the full rate.

    The rate falls by `layer_decay` from each block to the one below (Howard and Ruder, arXiv:1801.06146). Every depth
    has a group that decays and one that does not.
    """
    below, pulled = depths(model), set(decaying(model))
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    top = min(below[name] for name, _ in trained)
    groups = []
    for depth in sorted({below[name] for name, _ in trained}):
        for decays in (True, False):
            chosen = [weight for name, weight in trained if below[name] == depth and (name in pulled) is decays]
            if chosen:
                factor = layer_decay ** (depth - top)
                groups.append({"params": chosen, "lr": rate * factor, "weight_decay": weight_decay if decays else 0.0})
    return groups
