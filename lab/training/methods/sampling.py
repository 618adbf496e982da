"""Drawing rows by their class, so that rare classes are seen more often."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

POWERS = {"balanced": 1.0, "square-root": 0.5}


def row_weights(classes: Sequence[int], power: float) -> list[float]:
    """The weight of each row: 1 / rows of its class to the power. Power 1 draws every class equally often."""
    counts = Counter(classes)
    return [counts[one] ** -power for one in classes]


class ClassSampler(Sampler[int]):
    """As many draws as there are rows, with replacement; the same for one seed and epoch."""

    def __init__(self, classes: Sequence[int], power: float, seed: int) -> None:
        self.weights, self.seed, self.epoch = row_weights(classes, power), seed, 0

    def __len__(self) -> int:
        return len(self.weights)

    def __iter__(self) -> Iterator[int]:
        draw = random.Random(f"classes:{self.seed}:{self.epoch}")
        yield from draw.choices(range(len(self.weights)), weights=self.weights, k=len(self.weights))

    def set_epoch(self, epoch: int) -> None:
        """Another draw for another epoch."""
        self.epoch = epoch
