"""Reward models: one number for an answer, higher for the better one of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    set_seed,
)
from trl import RewardConfig

from lab.data.features.preference import Pair, PreferenceEncoder
from lab.data.features.rows import open_rows
from lab.models.location import locate
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.training import build, save
from lab.training.choices import Choices
from lab.training.collate import PaddedCollator
from lab.training.interrupts import Interrupted
from lab.training.machine import random_state_kept
from lab.training.measure import Pace
from lab.training.methods import quantised
from lab.training.preference import figures, inputs, trainers
from lab.training.preference.passes import without_dropout
from lab.training.preference.plan import PairPlan
from lab.training.preference.report import report
from lab.training.steps import Course
from lab.training.tasks.adapters import loaded_adapter, with_adapter
from lab.training.tasks.evaluator import write
from lab.training.tasks.labelled import HEADS, chosen
from lab.training.tasks.plan import Record, TaskPlan
from lab.training.tasks.speed import attention_for
from lab.training.tensorboard import Board
from lab.training.trainer import prepare_model

BATCH = 32  # answers that are scored at once


class RewardPlan(TaskPlan):
    """The preference method `reward`."""

    score = "preference_accuracy"
    tokenizer: PreTrainedTokenizerBase
    held_out: Sequence[Pair] = ()
    board: Board
    choices: Choices

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        self.tokenizer = build.load_tokenizer(self.spec.model.source, self.spec.model.revision)
        return self.tokenizer

    def load_model(self) -> PreTrainedModel:
        source, method = self.spec.model, self.spec.method
        set_seed(self.spec.seed)  # the head is drawn
        dtype = torch.float32 if method.whole else self.machine.frozen_dtype
        config = build.config_of(locate(source.source), source.revision)
        rounded = build.loading(source, dtype, self.machine.device, config, heads=HEADS)
        options = {"revision": source.revision, "dtype": dtype, "num_labels": 1, **rounded}
        model, new = build.load_headed(AutoModelForSequenceClassification, source.source, **options)
        model.config.pad_token_id = self.tokenizer.pad_token_id  # by which it finds the last token of an answer
        model.config.use_cache = False
        model = (model if "quantization_config" in rounded else model.to(self.machine.device)).eval()
        self.choices = trainers.choices_of(self.spec, self.machine, (*trainers.LAYERS, "padding_free"))
        prepare_model(model, self.choices, dtype)
        if method.whole:
            return model
        if method.adapter:
            return loaded_adapter(model, method.adapter, source.source)
        return with_adapter(model, method, "SEQ_CLS", new)

    def encode(self, spec: RunSpec) -> None:
        self.spec = spec
        rows = open_rows(spec, self.directory, "preference")
        PairPlan.check_form(self, rows)  # type: ignore[arg-type]  # it asks for the spec alone
        encoder = PreferenceEncoder(spec, self.tokenizer)
        train = encoder.pairs(rows.train)
        held_out = encoder.pairs(chosen(rows.validation, spec.evaluation.max_examples, spec.seed))
        self.train, self.held_out = train.items, held_out.items
        self.report = report(rows, train, held_out, encoder)

    @property
    def has_held_out(self) -> bool:
        return bool(self.held_out)

    def evaluator(self, board: Board, stop: StopFlag) -> RewardEvaluator:  # type: ignore[override]
        self.board = board
        return RewardEvaluator(self, stop)

    def trainer(
        self, model: PreTrainedModel, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> Any:
        choices, machine = self.choices, self.machine
        trainers.tell_dropout(without_dropout(model), self.spec, choices, self.events)
        config = trainers.configured(RewardConfig, self.spec, course, machine, checkpoints, choices)
        collate = inputs.Whole(pad_token_id=self.tokenizer.pad_token_id)
        given = {
            "model": model,
            "args": config,
            "train_dataset": inputs.pair_rows(list(self.train), whole=True),
            "data_collator": trainers.grouped(config, collate, choices, machine),
            "processing_class": self.tokenizer,
            "callbacks": [trainers.Rewards(self.events, self.board), *callbacks],
        }
        name = attention_for(model, choices, machine.device)
        known = {"machine": machine, "pace": pace, "choices": choices, "attention_name": name}
        with quantised.trained_weights_kept(model):
            return trainers.build(trainers.ScoreTrainer, given, **known)

    def save(self, model: PreTrainedModel, final: Path) -> None:
        told = {"task": "reward", "labels": ["reward"]}
        save.save_final(model, self.tokenizer, self.spec.model.source, final, self.events, told=told)

    def load_final(self, model: Any, final: Path) -> Any:
        if not self.spec.method.whole:
            whole = model.unload() if isinstance(model, PeftModel) else model
            return PeftModel.from_pretrained(whole, str(final), local_files_only=True).eval()
        options = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
        tuned = AutoModelForSequenceClassification.from_pretrained(final, **options)
        return tuned.to(self.machine.device).eval()


class RewardEvaluator:
    """Scores both answers of each held-out pair; methods raise Interrupted soon after a stop."""

    def __init__(self, plan: RewardPlan, stop: StopFlag) -> None:
        self.plan, self.stop = plan, stop

    def during(self, model: Any, step: int) -> Record:
        """Loss, accuracy and margin in the middle of the training."""
        return self._told(model, step, sure=False)[0]

    def review(self, model: Any, step: int, which: str, folder: Path) -> Record:
        """The same with an interval, and every pair, of base or tuned model (`which`)."""
        told, records = self._told(model, step, sure=True)
        write(folder, which, told, records, self.plan.spec.seed)
        return told

    def measure(self, model: Any) -> tuple[Record, list[Record]]:
        """Figures with an interval and records, without telling anybody."""
        both = self._rewards(model)
        return self._figures(both, sure=True), self._records(both)

    def keep(self, folder: Path, which: str, told: Record, records: list[Record]) -> None:
        """Write what was measured into a run's `review/`."""
        write(folder, which, told, records, self.plan.spec.seed)

    def _told(self, model: Any, step: int, *, sure: bool) -> tuple[Record, list[Record]]:
        both = self._rewards(model)
        told, records = self._figures(both, sure=sure), self._records(both)
        if told["loss"] is not None:
            values = {"eval_loss": told["loss"], self.plan.score: told["score"], "reward_margin": told["margin"]}
            self.plan.events.metric(step, values)
            self.plan.board.scalars(step, values)
        for record in records[: self.plan.spec.evaluation.samples]:
            asked = (record["index"], record["prompt"], record["text"], record["stopped"], record["reference"])
            self.plan.events.sample(step, *asked)
        return told, records

    def _figures(self, both: figures.Array, *, sure: bool) -> Record:
        accuracy, low, high = figures.of_pairs(both[:, 0], both[:, 1], sure=sure)
        margins = torch.tensor(both[:, 0] - both[:, 1])
        known = len(both) > 0
        return {
            "task": "reward",
            "scores": {self.plan.score: {"value": accuracy, "low": low, "high": high}} if known else {},
            "score": accuracy if known else None,
            "margin": float(margins.mean()) if known else None,
            "loss": float(-logsigmoid(margins).mean()) if known else None,
            "loss_count": len(both),
            "count": len(both),
        }

    def _records(self, both: figures.Array) -> list[Record]:
        records = []
        for index, (pair, (good, bad)) in enumerate(zip(self.plan.held_out, both.tolist(), strict=True)):
            preferred = pair.chosen if good > bad else pair.rejected
            records.append(
                {
                    "index": index,
                    "prompt": pair.chosen.question,
                    "reference": pair.chosen.reference,
                    "text": preferred.reference,
                    "stopped": True,
                    "right": good > bad,
                    "reward_chosen": good,
                    "reward_rejected": bad,
                    "loss": float(-logsigmoid(torch.tensor(good - bad))),
                }
            )
        return records

    def _rewards(self, model: Any) -> figures.Array:
        """The reward of each better and each worse answer, shape (pairs, 2); the model keeps its mode."""
        answers = [answer for pair in self.plan.held_out for answer in (pair.chosen, pair.rejected)]
        found = np.zeros(len(answers))
        order = sorted(range(len(answers)), key=lambda i: len(answers[i].input_ids))
        collate, device = PaddedCollator(self.plan.tokenizer.pad_token_id), self.plan.machine.device
        was_training = model.training
        model.eval()
        try:
            with random_state_kept(), torch.no_grad(), self.plan.machine.inference():
                for start in range(0, len(order), BATCH):
                    if self.stop.requested:
                        raise Interrupted
                    part = order[start : start + BATCH]
                    batch = collate([{"input_ids": answers[i].input_ids, "labels": answers[i].labels} for i in part])
                    del batch["labels"]
                    scored = model(**{name: value.to(device) for name, value in batch.items()}).logits
                    found[part] = scored.float().squeeze(-1).cpu().numpy()
        finally:
            model.train(was_training)
        return found.reshape(-1, 2)
