"""The Trainer of tasks with labels: padded passes, and a loss over labels that no boundary of a pass changes."""

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
from lab.training.choices import Choices, fit_arguments
from lab.training.collate import real_tokens
from lab.training.fused import compile_blocks, fuse_lora
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods.sampling import POWERS, ClassSampler
from lab.training.methods.trainer import MethodTrainer
from lab.training.steps import Course
from lab.training.tally import Tally
from lab.training.tasks import speed
from lab.training.tasks.collate import UpdateCollator
from lab.training.trainer import arguments


class Trains(Protocol):
    """What the trainer asks of a plan."""

    spec: RunSpec
    machine: Machine
    tokenizer: PreTrainedTokenizerBase
    train: Sequence[Item]
    choices: Choices

    @property
    def collate(self) -> Any: ...

    def loss(self, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]: ...


class TaskTrainer(Tally, MethodTrainer):
    """transformers' Trainer, fed with items: an update at a time in passes of like lengths, or in plain batches."""

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
        self.plan, self.machine, self.pace, self.choices = plan, plan.machine, pace, plan.choices
        self.tokens = self.examples = 0
        config = arguments(plan.spec, course, plan.machine, checkpoints)
        config.remove_unused_columns = False
        self.grouped = self.choices.padding_free != "off"
        fit_arguments(config, self.choices, plan.machine, grouped=self.grouped)
        super().__init__(
            model=model,
            args=config,
            train_dataset=plan.train,
            processing_class=plan.tokenizer,
            data_collator=self._collator(),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)  # the events tell what the log would
        self.model_accepts_loss_kwargs = self.over_labels  # the Trainer counts the labels, and divides no more
        self.attention_name = speed.attention_for(self.body, self.choices, plan.machine.device)
        if self.choices.fused_lora:
            self.choices.why["fused_lora"] = f"{fuse_lora(self.model)} layers"
        if self.choices.compile:
            self.choices.why["compile"] = f"{compile_blocks(self.model)} blocks"

    @property
    def body(self) -> Any:
        """The model whose config says what it attends with."""
        return self.model

    def _collator(self) -> Any:
        if not self.grouped:
            return self.plan.collate
        schedule, device = self.plan.spec.schedule, self.machine.device
        batch, budget = schedule.per_device_batch, self.choices.budget
        return UpdateCollator(self.plan.collate, budget, speed.PASS[device], batch, by_batch=not self.over_labels)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        if not self.grouped:
            self.tokens += real_tokens(inputs)
            self.examples += len(inputs["input_ids"])
            return super().training_step(model, inputs, num_items_in_batch)
        self.tokens += inputs["tokens"]
        self.examples += inputs["examples"]
        step, losses = super().training_step, []
        for part in inputs["passes"]:
            # For the backward pass too: gradient checkpointing runs the forward pass again there.
            with speed.attends([self.body], self.attention_name, part["input_ids"].shape[1]):
                losses.append(step(model, part, num_items_in_batch))
        return torch.stack(losses).sum()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        with self.machine.autocast():
            total, count = self.plan.loss(model, inputs)
        if "weights" in inputs:
            return total
        if not self.over_labels or num_items_in_batch is None:
            return total / count.clamp(min=1)
        return total / num_items_in_batch.clamp(min=1)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer would ask one model for one batch."""
        return 0

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
