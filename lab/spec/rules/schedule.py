"""Which settings of the schedule contradict each other."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    found = []
    schedule = spec.schedule
    # A learned prompt is one small matrix, which takes far larger steps than the weights of a model.
    limit = 1.0 if spec.method.name == "prompt-tuning" else 0.1
    if schedule.warmup >= 1 and schedule.warmup != int(schedule.warmup):
        found.append(
            InputError(
                N_("A warmup of {value} is neither a share below 1 nor a whole number of steps."),
                where="schedule.warmup",
                next=N_("Write 0.03 for 3 % of the steps, or 100 for a hundred steps."),
                value=schedule.warmup,
            )
        )
    if schedule.max_steps is not None and schedule.warmup > schedule.max_steps:
        found.append(
            InputError(
                N_("The warmup of {warmup} steps is longer than the run of {steps} steps."),
                where="schedule.warmup",
                next=N_("Shorten the warmup or lengthen the run."),
                warmup=int(schedule.warmup),
                steps=schedule.max_steps,
            )
        )
    if schedule.layer_decay < 1 and spec.task == "preference":
        found.append(
            InputError(
                N_("A rate by layers does not run with the task preference."),
                where="schedule.layer_decay",
                next=N_("Choose 1."),
            )
        )
    if schedule.learning_rate > limit:
        found.append(
            InputError(
                N_("A learning rate of {value:g} would destroy the model in the first steps."),
                where="schedule.learning_rate",
                allowed=N_(
                    "Allowed: above 0 up to 0.1. Usual: 1e-4 to 3e-4 for LoRA, 5e-6 to 5e-5 for full fine-tuning."
                ),
                next=N_("Try 2e-4."),
                value=schedule.learning_rate,
            )
        )
    return found
