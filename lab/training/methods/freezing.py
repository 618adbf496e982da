"""Which weights are trained: the last blocks and the head, or more and more of them, phase by phase."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lab.runs.events import EventWriter
from lab.spec import RunSpec
from lab.spec.rules.task import LABELLED
from lab.text import N_
from lab.training.methods.depth import depths

USUAL_BLOCKS = 2  # of a language model, whose head alone can learn little


def blocks_trained(spec: RunSpec) -> int:
    """How many blocks from the end the method frozen trains with the head."""
    asked = spec.method.trainable_layers
    if asked is not None:
        return asked
    return 0 if spec.task in LABELLED else USUAL_BLOCKS


def train_blocks(model: torch.nn.Module, blocks: int | None) -> None:
    """Let the head and this many blocks from the end learn, and nothing else; None lets everything learn."""
    below = depths(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(blocks is None or below[name] <= blocks)


def first_steps(phases: list[tuple[int | None, float]], steps: int) -> list[tuple[int, int | None]]:
    """The optimizer step after which each phase begins, with its blocks. 2 + 2 + 1 parts of 10 steps: 0, 4, 8."""
    total, before = sum(part for _, part in phases), 0.0
    found = []
    for blocks, part in phases:
        found.append((round(steps * before / total), blocks))
        before += part
    return found


def phase_at(starts: list[tuple[int, int | None]], step: int) -> int:
    """The number of the phase that the step after `step` belongs to, from 0."""
    return max(i for i, (start, _) in enumerate(starts) if start <= step)


class Thaw(TrainerCallback):
    """Frees the layers of a phase when it begins.

    The optimizer knows every weight from the start. One without a gradient it passes over, so a frozen weight neither
    moves nor decays, and its moments begin when it is freed; a resumed run finds its phase by the step.
    """

    def __init__(self, spec: RunSpec, steps: int, events: EventWriter) -> None:
        self.starts = first_steps(spec.method.ordered_phases(), steps)
        self.events = events
        self.now: int | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.now = None
        self._take(kwargs["model"], state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._take(kwargs["model"], state.global_step)

    def _take(self, model: torch.nn.Module, step: int) -> None:
        phase = phase_at(self.starts, step)
        if phase == self.now:
            return
        self.now = phase
        train_blocks(model, self.starts[phase][1])
        trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
        template = N_("Phase {phase} of {count}: {trained} weights are trained.")
        self.events.note(template, phase=phase + 1, count=len(self.starts), trained=trained)
