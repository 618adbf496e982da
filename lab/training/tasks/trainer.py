"""The Trainer of tasks with labels: padded batches, and a loss over labels that no batch boundary changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
)

from lab.data.features.item import Item
from lab.spec import RunSpec
from lab.training.collate import real_tokens
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods.sampling import POWERS, ClassSampler
from lab.training.methods.trainer import MethodTrainer
from lab.training.steps import Course
from lab.training.tally import Tally
from lab.training.trainer import arguments


class Trains(Protocol):
    """What the trainer asks of a plan."""

    spec: RunSpec
    machine: Machine
    tokenizer: PreTrainedTokenizerBase
    train: Sequence[Item]

    @property
    def collate(self) -> Any: ...

    def loss(self, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]: ...


class TaskTrainer(Tally, MethodTrainer):
    """transformers' Trainer, fed with items."""

    # Whether the batches of one optimizer step are averaged over all their labels together, so that
    # accumulation equals the large batch; else each batch counts alike.
    over_labels = True

    def __init__(
        self,
        plan: Trains,
        model: PreTrainedModel,
        course: Course,
        pace: Pace,
        checkpoints: Path,
        callbacks: list[TrainerCallback],
    ) -> None:
        self.plan, self.machine, self.pace = plan, plan.machine, pace
        self.tokens = self.examples = 0
        schedule = plan.spec.schedule
        config = arguments(plan.spec, course, plan.machine, checkpoints)
        config.per_device_train_batch_size = schedule.per_device_batch
        config.gradient_accumulation_steps = schedule.accumulation
        config.remove_unused_columns = False
        super().__init__(
            model=model,
            args=config,
            train_dataset=plan.train,
            processing_class=plan.tokenizer,
            data_collator=plan.collate,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)  # the events tell what the log would
        self.model_accepts_loss_kwargs = self.over_labels  # the Trainer counts the labels, and divides no more

    @property
    def attention_name(self) -> str:
        """What the model attends with."""
        return str(self.model.config._attn_implementation)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        self.tokens += real_tokens(inputs)
        self.examples += len(inputs["input_ids"])
        with self.machine.autocast():
            total, count = self.plan.loss(model, inputs)
        if not self.over_labels or num_items_in_batch is None:
            return total / count.clamp(min=1)
        return total / num_items_in_batch.clamp(min=1)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        spec = self.plan.spec
        if spec.regularisation.sampler == "none":
            return super()._get_train_sampler(train_dataset)
        classes = [item.labels[0] for item in self.plan.train]
        return ClassSampler(classes, POWERS[spec.regularisation.sampler], spec.seed)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights and tokenizer, without the pickled arguments that the Trainer adds."""
        folder = str(output_dir or self.args.output_dir)
        self.model.save_pretrained(folder)
        self.processing_class.save_pretrained(folder)
