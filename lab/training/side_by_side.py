"""Two passes of an update at a time, each on half of the cores of a CPU.

A small model leaves most of its steps to one core: they are too short to be worth dividing. Two passes side by side
have a core each. Their gradients are added in a fixed order, so that a run repeats itself to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from peft import PeftModel

from lab.training.fused import drawing_from, is_fused

SIDES = 2
# Weights below which the sides wait for each other: too much of a step is Python's, which runs one thread at a time.
# 2,000 rows on two cores: 260,000 weights 24,300 tokens/s without and 22,800 with, 2.9 million 8,700 and 9,600.
LEAST = 1_000_000
Gradients = list[torch.Tensor | None]


def even(lengths: Sequence[int], budget: int, sides: int = SIDES) -> list[list[int]]:
    """Numbers of examples in passes of about the same size, `sides` of which hold at most about `budget` tokens."""
    count = sides * max(1, -(-sum(lengths) // budget))
    groups: list[list[int]] = [[] for _ in range(min(count, len(lengths)))]
    held = [0] * len(groups)
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        lightest = held.index(min(held))
        groups[lightest].append(i)
        held[lightest] += lengths[i]
    return [sorted(members) for members in groups]


def hindrance(model: torch.nn.Module) -> str:
    """Why the passes of this model have to go one after the other; empty where they need not."""
    if not isinstance(model, PeftModel):
        return "not for this model"  # every side would keep gradients of all weights
    if model.num_parameters() < LEAST:
        return "not for this model"
    own = {id(part) for layer in model.modules() if is_fused(layer) for part in layer.lora_dropout.values()}
    for part in model.modules():
        drawn = isinstance(part, torch.nn.Dropout) and part.p > 0 and id(part) not in own
        if drawn or getattr(part, "attention_dropout", 0.0):
            return "the model has dropout of its own"  # whose random numbers come from one source for all
        if getattr(part, "rope_type", "default") in ("dynamic", "longrope"):
            return "not for this model"  # a pass changes what the next one computes with
    return ""


class Sides:
    """The threads that passes are computed on; `threads` are those of the whole run."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(SIDES, "side", torch.set_num_threads, (max(1, threads // SIDES),))

    def backward(
        self, passes: Sequence[Any], loss_of: Callable[[Any], torch.Tensor], weights: Sequence[torch.nn.Parameter]
    ) -> torch.Tensor:
        """Add the gradient of all passes to that of the weights; returns the sum of the losses.

        The random numbers of a pass come from a seed of its own, drawn here, where a checkpoint keeps the state.
        """
        seeded = list(zip(passes, torch.randint(2**62, (len(passes),)).tolist(), strict=True))

        def one_side(mine: Sequence[tuple[Any, int]]) -> tuple[torch.Tensor, Gradients]:
            total, found = torch.zeros(()), list[torch.Tensor | None]()
            for inputs, seed in mine:
                with drawing_from(torch.Generator().manual_seed(seed)):
                    loss = loss_of(inputs)
                    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                total, found = total + loss.detach(), _added(found, gradients)
            return total, found

        sides = list(self.pool.map(one_side, [seeded[side::SIDES] for side in range(SIDES)]))
        torch.set_num_threads(self.threads)  # MKL's number is one for all threads
        total, found = torch.zeros(()), Gradients()
        for loss, gradients in sides:
            total, found = total + loss, _added(found, gradients)
        for weight, gradient in zip(weights, found, strict=True):
            if gradient is not None:
                weight.grad = gradient if weight.grad is None else weight.grad + gradient
        return total


def _added(found: Gradients, more: Sequence[torch.Tensor | None]) -> Gradients:
    if not found or not more:
        return found or list(more)
    return [one if other is None else other if one is None else one + other
            for one, other in zip(found, more, strict=True)]  # fmt: skip
