"""The learning rate at each step, exactly as the schedulers of transformers compute it."""

from __future__ import annotations

import math

from lab.planning.warmup import warmup_steps
from lab.spec import RunSpec


def rate_factor(step: int, *, scheduler: str, warmup: int, steps: int) -> float:
    """Share of the peak learning rate used by the optimizer step after `step` finished ones.

    Source: transformers 5.23, optimization.py: linear, cosine (half a wave), constant (with its warmup).
    """
    if step < warmup:
        return step / max(1, warmup)
    if scheduler == "constant":
        return 1.0
    left = steps - warmup
    if scheduler == "linear":
        return max(0.0, (steps - step) / max(1, left))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, left))))


def schedule_curve(spec: RunSpec, steps: int, *, points: int = 400) -> list[tuple[int, float]]:
    """The planned learning rate as (finished steps, rate) from 0 to `steps`, at most about `points` of
    them.
    """
    schedule = spec.schedule
    warmup = warmup_steps(steps, schedule.warmup)
    stride = max(1, steps // max(1, points))
    at = sorted({*range(0, steps + 1, stride), min(warmup, steps), steps})
    return [
        (
            step,
            schedule.learning_rate * rate_factor(step, scheduler=schedule.scheduler, warmup=warmup, steps=steps),
        )
        for step in at
    ]
