"""TRL's trainers of preferences, fed with finished ids, and with what a run of the lab adds to them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback, TrainerState, TrainingArguments
from trl import DPOTrainer, KTOTrainer, RewardTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from lab.spec import RunSpec
from lab.text import N_
from lab.training.choices import Choices, fit_arguments
from lab.training.fused import fuse_lora
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods.trainer import MethodTrainer
from lab.training.preference.passes import UpdateOfPairs, can_score_labels, label_head
from lab.training.preference.references import Array, References
from lab.training.steps import Course
from lab.training.tally import Tally
from lab.training.tasks import speed
from lab.training.trainer import arguments

REFERENCE = "ref"  # what TRL calls its frozen copy of an adapter
# What of `speed` every preference training makes use of.
LAYERS = ("fused_lora", "checkpointing", "dequantise", "activation_swap", "fused_kernels", "async_input")


def choices_of(spec: RunSpec, machine: Machine, used: Sequence[str]) -> Choices:
    """The choices of a preference training that makes use of `used` alone."""
    choices = speed.task_choices(spec, machine, used)
    if choices.label_loss and not can_score_labels():
        choices.label_loss, choices.why["label_loss"] = False, "not with this TRL"
    return choices


def tell_dropout(share: float, spec: RunSpec, choices: Choices, events: Any) -> None:
    """Say that dropout was switched off, where there was any."""
    if not share:
        return
    choices.why["dropout"] = f"{share:g} switched off"
    template = N_("Dropout of {share:.0%} is off: {method} compares answers, and noise would stand between them.")
    events.note(template, share=share, method=spec.preference.method)


def configured(
    kind: Any, spec: RunSpec, course: Course, machine: Machine, checkpoints: Path, choices: Choices, **more: Any
) -> Any:
    """The arguments of every run of the lab as a config of TRL's `kind`, with `more` of its own."""
    plain = arguments(spec, course, machine, checkpoints)
    fit_arguments(plain, choices, machine, grouped=False)
    given = {field.name: getattr(plain, field.name) for field in fields(TrainingArguments) if field.init}
    given |= {
        "max_length": None,  # the ids are already as long as they may be
        "remove_unused_columns": False,
    }
    config = kind(**(given | more))
    if config.n_gpu > 1:
        config._n_gpu = 1  # one device a run
    return config


def grouped(config: Any, collate: Any, choices: Choices, machine: Machine) -> Any:
    """What makes a batch: TRL's own collator, or an update in passes of like lengths, which `config` is told."""
    if choices.padding_free == "off":
        return collate
    batch, cost = config.per_device_train_batch_size, speed.PASS[machine.device]
    config.per_device_train_batch_size *= config.gradient_accumulation_steps
    config.gradient_accumulation_steps = 1
    return UpdateOfPairs(collate, choices.budget, cost, batch)


class Prepared(Tally, MethodTrainer):
    """What the three trainers have in common; what `build` sets is there before TRL's own beginning."""

    machine: Machine
    pace: Pace
    choices: Choices
    attention_name: str  # what the model attends with
    tokens = examples = 0
    share = 1.0  # of the present pass in the loss of its update

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """The ids are made by the lab, in the form that the model will be asked in."""
        return dataset

    @contextmanager
    def faster(self, batch: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Model and reference compute a batch as the choices say."""
        models = [self.model, getattr(self, "ref_model", None)]
        labels_alone = self.choices.label_loss and self.machine.device == "cpu"
        with speed.attends(models, self.attention_name, batch["input_ids"].shape[1]), label_head(labels_alone):
            yield

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        step = super().training_step
        parts, shares = inputs.get("passes", [inputs]), inputs.get("shares", [1.0])
        before = {name: len(values) for name, values in self._metrics["train"].items()}
        losses = []
        for part, self.share in zip(parts, shares, strict=True):
            with self.faster(part):
                losses.append(step(model, part, num_items_in_batch))
        self._join(before, shares)
        return torch.stack(losses).sum()

    def _join(self, before: Mapping[str, int], shares: Sequence[float]) -> None:
        """One measure for the passes of an update, each by its share: TRL means over whatever it was given."""
        for name, values in self._metrics["train"].items():
            if 1 < len(shares) == len(values) - before.get(name, 0):
                values[-len(shares) :] = [
                    sum(v * share for v, share in zip(values[-len(shares) :], shares, strict=True))
                ]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        masks = [inputs[name] for name in ("attention_mask", "KL_attention_mask") if name in inputs]
        self.tokens += sum(int(mask.sum()) for mask in masks)
        self.examples += len(inputs["input_ids"])
        with self.machine.autocast():
            found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return found if return_outputs else found * self.share

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer would ask for one batch."""
        return 0

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights and tokenizer; neither pickled arguments nor the reference's copy of an adapter."""
        folder = str(output_dir or self.args.output_dir)
        if isinstance(self.model, PeftModel):
            self.model.save_pretrained(folder, save_embedding_layers=False, selected_adapters=["default"])
        else:
            self.model.save_pretrained(folder)
        self.processing_class.save_pretrained(folder)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Checkpoints carry no card; the lab writes its own when a model is published."""

    def _send_telemetry(self) -> None:
        """Nothing is reported to anybody."""


class PairTrainer(Prepared, DPOTrainer):
    """DPOTrainer: the reference is the model without its adapter, or a frozen copy of a whole model.

    With `references` it is asked once, before the training, and no copy is kept.
    """

    references: References | None = None
    collate: DataCollatorForPreference
    train_dataset: Any

    def ask_reference(self) -> None:
        """Let the reference judge every pair now; what it says stands beside the pairs from here on."""
        self.train_dataset = self._precompute_ref_logps(self.train_dataset)
        self.precompute_ref_logps = True

    def _precompute_ref_logps(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        if self.references is None or "ref_chosen_logps" in dataset.column_names:
            return dataset
        return self.references.added_to(dataset, self._judged)

    def _judged(self, rows: list[dict[str, Any]]) -> Array:
        batch = {name: value.to(self.machine.device) for name, value in self.collate(rows).items()}
        with self.machine.autocast(), self.faster(batch):
            both = self.compute_ref_log_probs(self.ref_model or self.model, batch)
        return torch.stack(both, 1).float().cpu().numpy()


class SingleTrainer(Prepared, KTOTrainer):
    """KTOTrainer whose batches may be shuffled: the answers of a batch are swapped where the batch is made."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        # TRL swaps once, in the order of the file, and must keep that order for every epoch.
        strategy, self.args.train_sampling_strategy = self.args.train_sampling_strategy, "random"
        try:
            return super()._get_train_sampler(train_dataset)
        finally:
            self.args.train_sampling_strategy = strategy


class ScoreTrainer(Prepared, RewardTrainer):
    """RewardTrainer: the better answer of a pair is to score higher (Bradley-Terry)."""


def build(cls: Any, given: dict[str, Any], **known: Any) -> Any:
    """A trainer of `cls`; TRL's beginning may already ask for what is `known`: machine, pace, choices and others."""
    trainer = cls.__new__(cls)
    vars(trainer).update(known)
    trainer.__init__(**given)
    trainer.remove_callback(PrinterCallback)  # the events tell what the log would
    if trainer.choices.fused_lora:
        trainer.choices.why["fused_lora"] = f"{fuse_lora(trainer.model)} layers"
    return trainer


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The model as it is now, for reference."""
    kept = copy.deepcopy(model).eval()
    return kept.requires_grad_(False)


# What TRL calls a measure -> its name in events.jsonl.
MEASURES = {
    **{name: name for name in ("rewards/accuracies", "rewards/margins", "rewards/chosen", "rewards/rejected", "kl")},
    "accuracy": "rewards/accuracies",
    "margin": "rewards/margins",
}


class Rewards(TrainerCallback):
    """Reports what TRL measures of each batch beside the loss, under TRL's names."""

    def __init__(self, events: Any, board: Any) -> None:
        self.events, self.board = events, board

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        values = {name: float(logs[own]) for own, name in MEASURES.items() if own in logs}
        if values:
            self.events.metric(state.global_step, values)
            self.board.scalars(state.global_step, values)


def loss_of(spec: RunSpec, margins: torch.Tensor) -> torch.Tensor:
    """DPO's loss for each margin (chosen minus rejected, in log-ratios): what TRL computes, for held-out pairs.

    For ipo the margins are those of means over tokens.
    """
    beta = spec.preference.beta
    if spec.preference.loss == "hinge":
        return torch.relu(1 - beta * margins)
    if spec.preference.loss == "ipo":
        return (margins - 1 / (2 * beta)) ** 2
    return -torch.nn.functional.logsigmoid(beta * margins)
