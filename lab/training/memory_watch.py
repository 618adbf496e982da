"""After ten optimizer steps: the measured memory beside the planned one, as a note of the run."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lab.runs.events import EventWriter
from lab.text import N_
from lab.training.machine import peak_memory_gib

AFTER = 10  # optimizer steps: by then every shape of batch has usually come


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
