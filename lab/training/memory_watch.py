"""After ten optimizer steps: the measured memory beside the planned one, as a note of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lab.planning.memory import OVERHEAD_GIB
from lab.runs.events import EventWriter
from lab.spec import RunSpec, with_overrides
from lab.text import N_
from lab.training.choices import Choices, planned_gib
from lab.training.machine import Machine, peak_memory_gib

SHORTEST = 8  # tokens, the least that a spec may have as its maximum
AFTER = 10  # optimizer steps: by then every shape of batch has usually come


def planned_now(
    spec: RunSpec, report: Mapping[str, Any], count: int, machine: Machine, choices: Choices
) -> float | None:
    """The plan's peak memory in GiB with the examples that the data turned out to have; None where it is not known.

    `report` is that of the data, `count` the number of examples. No pass is longer than an update. On a GPU without
    the CUDA context, which torch's measurement does not see.
    """
    longest = max((part["tokens"]["max"] for part in (report.get("tasks") or {"": report}).values()), default=0)
    longest = min(max(longest, SHORTEST), spec.data.max_length) if longest else spec.data.max_length
    rows = 2 if spec.task == "preference" and spec.preference.method != "kto" else 1
    update = spec.schedule.per_device_batch * spec.schedule.accumulation * rows * longest
    budget = choices.budget if choices.packed else min(choices.budget, update)
    known = with_overrides(spec, {"data.examples": count, "data.max_length": longest})
    planned = planned_gib(known, machine, replace(choices, budget=budget))
    return planned if planned is None or machine.device != "cuda" else planned - OVERHEAD_GIB["cuda"]


class MemoryWatch(TrainerCallback):
    """Tells once in an attempt what the training really takes. `planned_gib` is None where it is not known."""

    def __init__(self, events: EventWriter, device: str, planned_gib: float | None) -> None:
        self.events, self.device, self.planned_gib = events, device, planned_gib
        self.steps = 0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.steps += 1
        if self.steps != AFTER:
            return
        measured = round(peak_memory_gib(self.device), 3)
        self.events.metric(state.global_step, {"memory_planned_gib": self.planned_gib, "memory_peak_gib": measured})
        if self.planned_gib is None:
            self.events.note(N_("Memory after ten steps: {measured:.2f} GiB."), measured=measured)
            return
        template = N_("Memory after ten steps: {measured:.2f} GiB; the plan says {planned:.2f} GiB.")
        self.events.note(template, measured=measured, planned=round(self.planned_gib, 3))
