"""Elastic weight consolidation: what matters for earlier data is held where it was (Kirkpatrick, arXiv:1612.00796)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

FILE = "fisher.safetensors"
# (model, example) -> the negative log-likelihood of its labels, summed, and how many there are.
Likelihood = Callable[[torch.nn.Module, Any], tuple[torch.Tensor, int]]


def fisher(
    model: torch.nn.Module, examples: Iterable[Any], likelihood: Likelihood, stopped: Callable[[], bool]
) -> dict[str, torch.Tensor]:
    """The diagonal of the Fisher information of every trained weight, by its name, for each label.

    The squared gradient of each example's log-likelihood, summed and divided by the labels of all; with the labels of
    the data, not drawn from the model ("empirical"). The model keeps its mode and its gradients are cleared.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    found = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in trained.items()}
    labels, was_training = 0, model.training
    model.eval()
    try:
        for example in examples:
            if stopped():
                break
            model.zero_grad()
            loss, count = likelihood(model, example)
            loss.backward()
            labels += count
            for name, weight in trained.items():
                if weight.grad is not None:
                    found[name] += weight.grad.float() ** 2
    finally:
        model.zero_grad()
        model.train(was_training)
    return {name: total / max(1, labels) for name, total in found.items()}


class Consolidation:
    """The penalty lambda / 2 x sum of F (w - w0)^2 over the trained weights, as a part of every update's gradient.

    w0 are the weights at the start of the run, which a resumed run has again before its checkpoint is read; F is
    sealed with each checkpoint.
    """

    def __init__(self, model: torch.nn.Module, strength: float) -> None:
        self.strength = strength
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.start = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.fisher: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def pull(self) -> None:
        """Add lambda F (w - w0) to the gradient of each weight that has one."""
        for name, worth in self.fisher.items():
            weight = self.weights[name]
            if weight.grad is not None:
                weight.grad.add_(worth * (weight - self.start[name]), alpha=self.strength)

    @torch.no_grad()
    def penalty(self) -> float:
        """The penalty at the present weights, in nats."""
        parts = [(worth * (self.weights[name] - self.start[name]) ** 2).sum() for name, worth in self.fisher.items()]
        return self.strength / 2 * float(sum(parts))

    def save(self, folder: Path) -> None:
        """Write F into the folder of a checkpoint."""
        save_file({name: worth.contiguous().cpu() for name, worth in self.fisher.items()}, folder / FILE)

    def load(self, folder: Path) -> bool:
        """Read F from a checkpoint; tells whether it was there."""
        if not (folder / FILE).is_file():
            return False
        read = load_file(folder / FILE)
        self.fisher = {name: read[name].to(weight.device) for name, weight in self.weights.items() if name in read}
        return True
