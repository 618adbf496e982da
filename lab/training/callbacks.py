"""What happens between two optimizer steps: report, evaluate, seal a checkpoint, stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.training import seal, troubles
from lab.training.best import Best
from lab.training.interrupts import Interrupted
from lab.training.machine import peak_memory_gib
from lab.training.measure import Pace
from lab.training.steps import Course
from lab.training.tensorboard import Board

if TYPE_CHECKING:
    from lab.training.trainer import LabTrainer

DIVERGED_AFTER = 3  # losses in a row that are not finite
PROGRESS_EVERY_S = 0.5


class Pulse(TrainerCallback):
    """Reports every step: metrics, progress and the time that is left."""

    trainer: LabTrainer

    def __init__(
        self,
        events: EventWriter,
        board: Board,
        spec: RunSpec,
        course: Course,
        pace: Pace,
        reviews_s: Callable[[], float],
    ) -> None:
        self.events, self.board, self.spec, self.course, self.pace = events, board, spec, course, pace
        self.reviews_s = reviews_s  # what asking tuned model and base will take after the training
        self.tokens = 0
        self.lost: list[int] = []  # the last steps, if their losses were not finite
        self._reported = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.pace.begin()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        tokens, examples = self.trainer.take_counts()
        self.tokens += tokens
        self.pace.step(tokens, examples)
        last = state.global_step >= self.course.until
        if last or time.monotonic() - self._reported >= PROGRESS_EVERY_S:
            self._reported = time.monotonic()
            self._progress(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        values = {
            "train_loss": logs["loss"],
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "tokens_per_s": self.pace.tokens_per_s,
            "memory_gib": peak_memory_gib(self.trainer.machine.device),
        }
        self.events.metric(state.global_step, values)
        self.board.scalars(state.global_step, values)
        self.lost = [] if math.isfinite(logs["loss"]) else [*self.lost, state.global_step]
        if len(self.lost) >= DIVERGED_AFTER:
            raise troubles.diverged(self.events, self.spec, self.lost[0])

    def _progress(self, state: TrainerState) -> None:
        step = state.global_step
        left = self.pace.remaining_s(self.course.until - step, self.course.evaluations_left(step))
        self.events.progress(
            step,
            self.course.until,
            eta_s=None if left is None else left + self.reviews_s(),
            tokens=self.tokens,
            tokens_per_s=self.pace.tokens_per_s,
            epoch=state.epoch,
        )


class Helm(TrainerCallback):
    """Decides after each step: evaluate, seal a checkpoint (and why), stop."""

    trainer: LabTrainer

    def __init__(
        self,
        events: EventWriter,
        spec: RunSpec,
        course: Course,
        pace: Pace,
        evaluator: Any,
        stop: StopFlag,
        best: Best,
    ) -> None:
        self.events, self.spec, self.course, self.pace = events, spec, course, pace
        self.evaluator, self.stop, self.best = evaluator, stop, best
        self.reason = ""
        self.stopped = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        step = state.global_step
        improved = False
        if self._evaluates_at(step) and not self.stop.requested:
            improved = self._evaluate(step)
        self.reason = self._reason(step, improved)
        control.should_save = self._may_save(step)
        self.stopped = self.reason == "stop"
        control.should_training_stop = self.reason in ("stop", "short", "end", "early")

    def _evaluates_at(self, step: int) -> bool:
        # Where the best evaluation counts, the last step has to show what it is worth, too.
        return self.course.evaluates_at(step) or (self.best.keeps and step >= self.course.until)

    def _evaluate(self, step: int) -> bool:
        # Whoever interrupts it wants the run to stop, which is seen next.
        with self.pace.aside(), suppress(Interrupted):
            return self.best.see(self.evaluator.during(self.trainer.model, step), step)
        return False

    def _reason(self, step: int, improved: bool) -> str:
        if step >= self.course.steps:
            return "end"
        if step >= self.course.until:
            return "short"
        if self.stop.requested:
            return "stop"
        if self.best.over:
            return "early"
        if self.course.seals_at(step):
            return "schedule"
        return "best" if improved else ""

    def _may_save(self, step: int) -> bool:
        """Weights that are not finite are never sealed: the last good checkpoint must stay the newest."""
        if not self.reason or finite(self.trainer.model):
            return bool(self.reason)
        if self.reason in ("short", "end"):
            raise troubles.diverged(self.events, self.spec, step)
        return False


class Sealer(TrainerCallback):
    """Seals what the Trainer saved, tells it, and removes older checkpoints."""

    def __init__(self, events: EventWriter, pulse: Pulse, helm: Helm, keep: int, context: dict[str, Any]) -> None:
        self.events, self.pulse, self.helm, self.keep, self.context = events, pulse, helm, keep, context

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        with self.pulse.pace.paused():
            checkpoints, step = Path(str(args.output_dir)), state.global_step
            folder = seal.folder_of(checkpoints, step)
            best = self.helm.best
            seal.seal(folder, step, self.context | {"tokens": self.pulse.tokens, "best": best.as_dict()})
            self.events.checkpoint(step, f"{checkpoints.name}/{folder.name}", self.helm.reason)
            seal.prune(checkpoints, self.keep, spared=best.step if best.keeps else None)


def finite(model: torch.nn.Module) -> bool:
    """Whether every trained weight is a finite number."""
    return all(bool(torch.isfinite(weight).all()) for weight in model.parameters() if weight.requires_grad)
