"""What a spec asks for beside its task: put around a model and its Trainer by the session of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.text import N_
from lab.training import seal
from lab.training.interrupts import Interrupted
from lab.training.methods.consolidation import Consolidation, fisher
from lab.training.methods.freezing import Thaw, blocks_trained, train_blocks
from lab.training.methods.noise import add_noise

if TYPE_CHECKING:
    from lab.training.tasks import TaskPlan


class Methods:
    """The methods of one attempt. The session calls, in this order: before, callbacks, attach."""

    def __init__(self, spec: RunSpec, plan: TaskPlan, events: EventWriter, stop: StopFlag) -> None:
        self.spec, self.plan, self.events, self.stop = spec, plan, events, stop
        self.consolidation: Consolidation | None = None

    def before(self, model: torch.nn.Module) -> None:
        """Freeze what is not to be trained, before the Trainer sees the model."""
        if self.spec.method.name == "frozen":
            train_blocks(model, blocks_trained(self.spec))
        elif self.spec.method.whole:
            model.requires_grad_(True)

    def callbacks(self, steps: int) -> list[TrainerCallback]:
        """What happens between the steps of a run of this length; to stand before whoever seals checkpoints."""
        found: list[TrainerCallback] = []
        if self.spec.method.name == "progressive":
            found.append(Thaw(self.spec, steps, self.events))
        if self.spec.regularisation.ewc_lambda > 0:
            found.append(_Keeper(self))
        return found

    def attach(self, trainer: Any, checkpoint: Path | None) -> None:
        """Take hold of the finished Trainer; `checkpoint` is what the run goes on from, if anything.

        Raises InputError for data to remember that do not suit, Interrupted when asked to stop meanwhile.
        """
        trainer.methods = self
        if self.spec.regularisation.neftune_alpha > 0:
            add_noise(trainer.model, self.spec.regularisation.neftune_alpha)
        if self.spec.regularisation.ewc_lambda > 0:
            self._hold(trainer, checkpoint)

    def _hold(self, trainer: Any, checkpoint: Path | None) -> None:
        asked = self.spec.regularisation
        held = Consolidation(trainer.model, asked.ewc_lambda)
        if checkpoint is None or not held.load(checkpoint):
            from lab.training.methods.remembering import examples_of, likelihood_of

            examples = examples_of(self.plan, self.spec)
            with self.plan.machine.inference():
                held.fisher = fisher(trainer.model, examples, likelihood_of(self.plan), lambda: self.stop.requested)
            if self.stop.requested:
                raise Interrupted
            template = N_("The worth of {count} weights was measured on {rows} rows of {name}.")
            count = sum(worth.numel() for worth in held.fisher.values())
            self.events.note(template, count=count, rows=len(examples), name=asked.ewc_data)
        self.consolidation = held


class _Keeper(TrainerCallback):
    """Reports the penalty of weight consolidation, and puts its figures into each checkpoint before that is sealed."""

    def __init__(self, methods: Methods) -> None:
        self.methods = methods

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.methods.consolidation is not None and "loss" in (kwargs.get("logs") or {}):
            self.methods.events.metric(state.global_step, {"ewc_penalty": self.methods.consolidation.penalty()})

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.methods.consolidation is not None:
            self.methods.consolidation.save(seal.folder_of(Path(str(args.output_dir)), state.global_step))
