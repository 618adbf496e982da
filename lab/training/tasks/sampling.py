"""How often a batch is of which task, and in which order the rows of each are taken."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence


def shares(rows: Mapping[str, int], batch: int, temperature: float = 1.0) -> dict[str, int]:
    """Batches of each task in one epoch, which has as many batches as all rows fill.

    A task gets a share in proportion to rows ** (1 / temperature), and one batch at least. With temperature 1
    every row is taken once or, to fill its task's last batch, twice.
    Source: Raffel et al., T5, arXiv:1910.10683, section 3.5.2.
    """
    if temperature == 1.0:
        return {name: math.ceil(count / batch) for name, count in rows.items()}
    total = sum(math.ceil(count / batch) for count in rows.values())
    weights = {name: count ** (1 / temperature) for name, count in rows.items()}
    exact = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    found = {name: max(1, math.floor(value)) for name, value in exact.items()}
    # The largest remainders get what rounding down has left.
    for name in sorted(exact, key=lambda name: found[name] - exact[name])[: max(0, total - sum(found.values()))]:
        found[name] += 1
    return found


def batches_of_one_task(
    tasks: Mapping[str, Sequence[int]], batches: Mapping[str, int], batch: int, seed: str
) -> Iterator[int]:
    """The indices of one epoch, batch by batch; a task whose rows are used up begins again in another order."""
    draw = random.Random(seed)
    order = [name for name, count in batches.items() for _ in range(count)]
    draw.shuffle(order)
    waiting: dict[str, list[int]] = {name: [] for name in tasks}
    for name in order:
        while len(waiting[name]) < batch:
            again = list(tasks[name])
            draw.shuffle(again)
            waiting[name] += again
        yield from waiting[name][:batch]
        del waiting[name][:batch]
