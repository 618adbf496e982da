"""The learning rate at each step, exactly as the schedulers of transformers compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.planning.warmup import warmup_steps
from lab.spec import RunSpec, ScheduleSpec

POLYNOMIAL_POWER = 2.0  # transformers' own 1.0 is the linear scheduler
TIMESCALE = 10_000  # steps of transformers' inverse square root without a warmup


@dataclass(frozen=True)
class Course:
    """The lengths that shape a curve: all steps, the warmup, the decay at the end of wsd; and its floor, a share of
    the peak.
    """

    scheduler: str
    steps: int
    warmup: int
    decay: int
    floor: float


def course_of(schedule: ScheduleSpec, steps: int) -> Course:
    """The course of a schedule over so many optimizer steps."""
    warmup = warmup_steps(steps, schedule.warmup)
    if schedule.scheduler == "polynomial":  # transformers divides by the steps after the warmup
        warmup = min(warmup, steps - 1)
    decay = max(1, min(math.ceil(schedule.decay * steps), steps - warmup))
    return Course(schedule.scheduler, steps, warmup, decay, schedule.floor)


def transformers_scheduler(course: Course, peak: float) -> tuple[str, dict[str, Any]]:
    """The name of transformers' scheduler and its own arguments, for `lr_scheduler_type` and `lr_scheduler_kwargs`.

    `peak` is the learning rate. Source: transformers 5.23, optimization.py.
    """
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "linear": ("linear", {}),
        "cosine": ("cosine", {}),
        "cosine-with-floor": ("cosine_with_min_lr", {"min_lr_rate": course.floor}),
        "constant": ("constant_with_warmup", {}),
        "wsd": (
            "warmup_stable_decay",
            {"num_decay_steps": course.decay, "decay_type": "linear", "min_lr_ratio": course.floor},
        ),
        "inverse-sqrt": ("inverse_sqrt", {}),
        "polynomial": ("polynomial", {"lr_end": course.floor * peak, "power": POLYNOMIAL_POWER}),
    }
    return options[course.scheduler]


def rate_factor(step: int, course: Course) -> float:
    """Share of the peak learning rate used by the optimizer step after `step` finished ones."""
    if step < course.warmup:
        start = course.floor if course.scheduler == "wsd" else 0.0
        return start + (1 - start) * step / max(1, course.warmup)
    return _AFTER_WARMUP[course.scheduler](step, course)


def _linear(step: int, course: Course) -> float:
    return max(0.0, (course.steps - step) / max(1, course.steps - course.warmup))


def _cosine(step: int, course: Course, floor: float = 0.0) -> float:
    progress = (step - course.warmup) / max(1, course.steps - course.warmup)
    return max(0.0, floor + (1 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def _wsd(step: int, course: Course) -> float:
    """Warmup, stable, decay (arXiv:2404.06395): the peak is held until the last steps, then falls in a line."""
    fallen = step - (course.steps - course.decay)
    if fallen < 0:
        return 1.0
    return course.floor + (1 - course.floor) * max(0.0, 1 - fallen / course.decay)


def _inverse_sqrt(step: int, course: Course) -> float:
    scale = course.warmup or TIMESCALE
    return 1.0 / math.sqrt((step + scale - course.warmup) / scale)


def _polynomial(step: int, course: Course) -> float:
    left = max(0.0, 1 - (step - course.warmup) / max(1, course.steps - course.warmup))
    return course.floor + (1 - course.floor) * float(left**POLYNOMIAL_POWER)


_AFTER_WARMUP: dict[str, Callable[[int, Course], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine-with-floor": lambda step, course: _cosine(step, course, course.floor),
    "constant": lambda step, course: 1.0,
    "wsd": _wsd,
    "inverse-sqrt": _inverse_sqrt,
    "polynomial": _polynomial,
}


def schedule_curve(spec: RunSpec, steps: int, *, points: int = 400) -> list[tuple[int, float]]:
    """The planned learning rate as (finished steps, rate) from 0 to `steps`, at most about `points` of
    them.
    """
    course = course_of(spec.schedule, steps)
    stride = max(1, steps // max(1, points))
    corners = {min(course.warmup, steps), steps - course.decay, steps}
    at = sorted({*range(0, steps + 1, stride), *corners})
    return [(step, spec.schedule.learning_rate * rate_factor(step, course)) for step in at]
