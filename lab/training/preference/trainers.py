"""TRL's trainers of preferences, fed with finished ids, and with what a run of the lab adds to them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PrinterCallback, TrainerCallback, TrainerState, TrainingArguments
from trl import DPOTrainer, KTOTrainer, RewardTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from lab.data.features.preference import Pair, Single
from lab.spec import RunSpec
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.methods.trainer import MethodTrainer
from lab.training.steps import Course
from lab.training.tally import Tally
from lab.training.trainer import arguments

REFERENCE = "ref"  # what TRL calls its frozen copy of an adapter


def configured(kind: Any, spec: RunSpec, course: Course, machine: Machine, checkpoints: Path, **more: Any) -> Any:
    """The arguments of every run of the lab as a config of TRL's `kind`, with `more` of its own."""
    plain = arguments(spec, course, machine, checkpoints)
    given = {field.name: getattr(plain, field.name) for field in fields(TrainingArguments) if field.init}
    schedule = spec.schedule
    given |= {
        "per_device_train_batch_size": schedule.per_device_batch,
        "gradient_accumulation_steps": schedule.accumulation,
        "max_length": None,  # the ids are already as long as they may be
        "remove_unused_columns": False,
    }
    config = kind(**(given | more))
    if config.n_gpu > 1:
        config._n_gpu = 1  # one device a run
    return config


class Prepared(Tally, MethodTrainer):
    """What the three trainers have in common; `machine` and `pace` are set before TRL's own beginning."""

    machine: Machine
    pace: Pace
    tokens = examples = 0

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """The ids are made by the lab, in the form that the model will be asked in."""
        return dataset

    @property
    def attention_name(self) -> str:
        """What the model attends with."""
        return str(self.model.config._attn_implementation)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        masks = [inputs[name] for name in ("attention_mask", "KL_attention_mask") if name in inputs]
        self.tokens += sum(int(mask.sum()) for mask in masks)
        self.examples += len(inputs["input_ids"])
        with self.machine.autocast():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

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
    """DPOTrainer: the reference is the model without its adapter, or a frozen copy of a whole model."""


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


@dataclass
class SwappedAnswers(DataCollatorForUnpairedPreference):
    """A batch with each prompt beside the answer of its neighbour too, from which KTO estimates its KL term."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        answers = [example["completion_ids"] for example in examples]
        swapped = [answers[-1], *answers[:-1]]
        both = zip(examples, swapped, strict=True)
        batch: dict[str, Any] = super().torch_call([one | {"KL_completion_ids": other} for one, other in both])
        return batch


@dataclass
class Whole(DataCollatorForPreference):
    """Pairs as a reward model reads them: prompt and answer as one, with nothing masked."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call([example | {"prompt_ids": []} for example in examples])
        del batch["completion_mask"]  # a model with a head knows no such input
        return batch


def pair_rows(pairs: Sequence[Pair], *, whole: bool = False) -> Dataset:
    """Pairs as TRL takes them; `whole` puts the prompt before both answers."""
    start = [0 if whole else pair.chosen.n_prompt for pair in pairs]
    return Dataset.from_dict(
        {
            "prompt_ids": [pair.chosen.input_ids[:n] for pair, n in zip(pairs, start, strict=True)],
            "chosen_ids": [pair.chosen.input_ids[n:] for pair, n in zip(pairs, start, strict=True)],
            "rejected_ids": [pair.rejected.input_ids[n:] for pair, n in zip(pairs, start, strict=True)],
        }
    )


def single_rows(singles: Sequence[Single]) -> Dataset:
    """Single answers as TRL takes them."""
    return Dataset.from_dict(
        {
            "prompt_ids": [one.answer.prompt_ids for one in singles],
            "completion_ids": [one.answer.input_ids[one.answer.n_prompt :] for one in singles],
            "label": [one.desired for one in singles],
        }
    )


def build(cls: Any, machine: Machine, pace: Pace, **given: Any) -> Any:
    """A trainer of `cls`; TRL's beginning may already ask for machine and pace."""
    trainer = cls.__new__(cls)
    trainer.machine, trainer.pace = machine, pace
    trainer.__init__(**given)
    trainer.remove_callback(PrinterCallback)  # the events tell what the log would
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
