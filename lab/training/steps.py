"""How many optimizer steps a run takes, and at which of them something else happens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.planning.steps import trainer_steps
from lab.planning.warmup import warmup_steps
from lab.spec import RunSpec

EVALUATIONS = 10  # over a run whose spec names no interval


@dataclass(frozen=True)
class Course:
    """The steps of a run.

    `steps` is the length of the full run, which fixes the schedule; `until` is where this run stops: at
    `steps`, or earlier for a short run. `evaluate_every` and `checkpoint_every` are intervals in optimizer
    steps.
    """

    steps: int
    until: int
    warmup: int
    evaluate_every: int
    checkpoint_every: int

    @property
    def short(self) -> bool:
        """Whether the run stops before the full run would."""
        return self.until < self.steps

    def evaluates_at(self, step: int) -> bool:
        """Whether held-out rows are evaluated at this step in the middle of the training."""
        return step % self.evaluate_every == 0 and step < self.until

    def seals_at(self, step: int) -> bool:
        """Whether a checkpoint is due at this step (its end is apart)."""
        return step % self.checkpoint_every == 0 and step < self.until

    def evaluations_left(self, step: int) -> int:
        """Evaluations in the middle of the training that are still to come after this step."""
        return max(0, (self.until - 1) // self.evaluate_every - step // self.evaluate_every)


def course(spec: RunSpec, items: int, until_step: int | None = None) -> Course:
    """The course of a run over so many items, examples or packs of them; `until_step` is the end of a short run."""
    steps = total_steps(spec, items)
    every = spec.evaluation.every_steps or max(1, math.ceil(steps / EVALUATIONS))
    return Course(
        steps=steps,
        until=min(steps, until_step or steps),
        warmup=warmup_steps(steps, spec.schedule.warmup),
        evaluate_every=every,
        checkpoint_every=spec.checkpoints.every_steps or every,
    )


def total_steps(spec: RunSpec, items: int) -> int:
    """Optimizer steps of the full run; an item is what a batch counts."""
    schedule = spec.schedule
    if schedule.max_steps is not None:
        return schedule.max_steps
    batches = {"per_device": schedule.per_device_batch, "accumulation": schedule.accumulation}
    return max(1, trainer_steps(items, schedule.epochs, **batches))
