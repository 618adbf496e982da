"""What the tasks with labels have in common: a head on a body, items in padded passes, scores on held-out rows."""

from __future__ import annotations

import inspect
import random
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed

from lab.data.features.item import Encoded, Item, Row
from lab.data.features.rows import TaskRows, open_rows
from lab.json_io import read_json
from lab.models.location import locate
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.text import N_
from lab.training import build, save
from lab.training.choices import Choices
from lab.training.measure import Pace
from lab.training.methods import pissa, quantised
from lab.training.methods.losses import class_weights, item_loss
from lab.training.steps import Course
from lab.training.tasks import losses
from lab.training.tasks.adapters import adapter_folder, loaded_adapter, with_adapter
from lab.training.tasks.collate import ItemCollator
from lab.training.tasks.evaluator import TaskEvaluator
from lab.training.tasks.plan import Record, TaskPlan
from lab.training.tasks.report import report
from lab.training.tasks.speed import task_choices
from lab.training.tasks.tokenizers import task_tokenizer
from lab.training.tasks.trainer import TaskTrainer
from lab.training.tensorboard import Board
from lab.training.trainer import prepare_model

# What transformers calls the layers of a head, which stay as they are when the body is quantized.
HEADS = ("classifier", "score", "qa_outputs", "pooler.dense", "lm_head")
# What of `speed` these tasks make use of; their heads are small, so that scoring label tokens alone saves nothing.
USED = ("padding_free", "fused_lora", "checkpointing", "dequantise", "activation_swap", "fused_kernels", "async_input",
        "compile")  # fmt: skip


@dataclass
class Judged:
    """What a model's outputs are worth: scores with intervals (name -> (value, low, high)), tables, and records."""

    scores: dict[str, tuple[float, float, float]]
    records: list[Record]
    tables: dict[str, Any] = field(default_factory=dict)


class LabelledPlan(TaskPlan):
    """A task whose model has a head for labels. `item_loss` may be replaced before the training."""

    auto_class: Any
    peft_type: str
    by_token = False  # whether each token has a label
    needs_places = False  # whether the tokenizer must tell where its tokens are
    item_loss: losses.ItemLoss = staticmethod(losses.plain)

    tokenizer: PreTrainedTokenizerBase
    rows: TaskRows
    labels: list[str]
    held_out: list[Row]
    held_out_items: Sequence[Item]
    new_layers: set[str]
    choices: Choices

    # --- what each task says of itself ---

    @abstractmethod
    def find_labels(self) -> list[str]:
        """The labels of the rows, in the order of the head's outputs. Raises InputError."""

    @abstractmethod
    def encode_rows(self, rows: Sequence[Row], *, to_train: bool) -> Encoded:
        """Rows as items."""

    @abstractmethod
    def judge(
        self, rows: Sequence[Row], items: Sequence[Item], outputs: Sequence[np.ndarray[Any, Any]], *, sure: bool
    ) -> Judged:
        """Scores and records of the outputs (logits without padding) for the items of these rows.

        `sure` asks for intervals, which cost a thousand resamples.
        """

    def head_settings(self) -> dict[str, Any]:
        """What the config of the model must say."""
        return {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": {label: index for index, label in enumerate(self.labels)},
        }

    def logits(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The outputs for a batch without labels."""
        return self.forward(model, batch).logits

    def item_losses(
        self, logits: torch.Tensor, labels: torch.Tensor, loss: losses.ItemLoss = losses.plain
    ) -> torch.Tensor:
        """The loss of each label of a batch, 0 where there is none; held-out rows are judged by the plain one."""
        return losses.of_items(logits, labels, loss)

    def chosen_loss(self) -> losses.ItemLoss:
        """The loss of the training as the spec asks: smoothed, and with a weight for each class. Raises InputError."""
        asked, weights = self.spec.regularisation, None
        if self.spec.task != "extractive-qa":
            seen = Counter(label for item in self.train for label in item.labels if label != losses.IGNORED)
            weights = class_weights(asked, self.labels, [seen[i] for i in range(len(self.labels))], self.rows.weights)
        gamma = 0.0 if self.spec.task == "extractive-qa" else asked.focal_gamma
        return item_loss(asked.label_smoothing, weights, gamma)

    # --- the steps of a run ---

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        source = self.spec.model
        self.tokenizer = task_tokenizer(source.source, source.revision, needs_places=self.needs_places)
        return self.tokenizer

    def load_model(self) -> PreTrainedModel:
        self.choices = task_choices(self.spec, self.machine, USED)
        self.read_rows()
        model = self.headed_model()
        method = self.spec.method
        if method.whole:
            return model
        if method.adapter:
            return loaded_adapter(model, method.adapter, self.spec.model.source)
        return with_adapter(model, method, self.peft_type, self.new_layers)

    def read_rows(self) -> None:
        """The rows and their labels; an adapter that goes on keeps the labels that it was trained on."""
        self.rows = open_rows(self.spec, self.directory, self.spec.task)
        self.labels = self.find_labels()
        if self.spec.method.adapter:
            self.labels = kept_labels(self.spec.method.adapter, self.labels)

    def headed_model(self) -> PreTrainedModel:
        """The model with its head, whose new layers depend on the seed alone."""
        source, method = self.spec.model, self.spec.method
        set_seed(self.spec.seed)
        dtype = torch.float32 if method.whole else self.machine.frozen_dtype
        config = build.config_of(locate(source.source), source.revision)
        rounded = build.loading(source, dtype, self.machine.device, config, heads=HEADS)
        options = {"revision": source.revision, "dtype": dtype, **rounded, **self.head_settings()}
        model, self.new_layers = build.load_headed(self.auto_class, source.source, **options)
        quantised.settle(model)
        model.config.pad_token_id = self.tokenizer.pad_token_id  # by which a decoder finds the last token of a row
        model.config.use_cache = False
        model = (model if "quantization_config" in rounded else model.to(self.machine.device)).eval()
        prepare_model(model, self.choices, dtype)
        return model

    def encode(self, spec: RunSpec) -> None:
        self.spec = spec
        train = self.encode_rows(self.rows.train, to_train=True)
        self.train = train.items
        self.item_loss = self.chosen_loss()
        self.held_out = chosen(self.rows.validation, spec.evaluation.max_examples, spec.seed)
        held_out = self.encode_rows(self.held_out, to_train=False)
        self.held_out_items = held_out.items
        self.report = report(self.rows, train, held_out, self.labels)
        if cut := train.cut + held_out.cut:
            self.events.note(N_("{count} rows are longer than {length} tokens and were cut."), count=cut,
                             length=spec.data.max_length)  # fmt: skip

    @property
    def has_held_out(self) -> bool:
        return bool(self.held_out_items)

    def evaluator(self, board: Board, stop: StopFlag) -> TaskEvaluator:
        return TaskEvaluator(self, {"": self}, board, stop)

    def trainer(
        self, model: PreTrainedModel, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> TaskTrainer:
        return TaskTrainer(self, model, course, pace, checkpoints, callbacks)

    def save(self, model: PreTrainedModel, final: Path) -> None:
        told = {"task": self.spec.task, "labels": self.labels}
        save.save_final(model, self.tokenizer, self.spec.model.source, final, self.events, told=told)

    def load_final(self, model: Any, final: Path) -> Any:
        if not self.spec.method.whole:
            whole = pissa.base_of(model) if isinstance(model, PeftModel) else model
            return PeftModel.from_pretrained(whole, str(final), local_files_only=True).eval()
        tuned = self.auto_class.from_pretrained(final, dtype=torch.float32, use_safetensors=True, local_files_only=True)
        return tuned.to(self.machine.device).eval()

    # --- what the trainer and the evaluator ask ---

    @property
    def collate(self) -> ItemCollator:
        """What makes a batch of items."""
        return ItemCollator(self.tokenizer.pad_token_id, self.by_token)

    def loss(self, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of the losses of a batch, each item by its weight if it has one, and how many labels it has."""
        batch = {name: value for name, value in batch.items() if name != "task"}
        labels, weights = batch.pop("labels"), batch.pop("weights", None)
        found = self.item_losses(self.logits(model, batch), labels, self.item_loss)
        total = found.sum() if weights is None else (found.sum(1) * weights).sum()
        return total, (labels != losses.IGNORED).sum()

    def forward(self, model: Any, batch: dict[str, torch.Tensor]) -> Any:
        """One pass; PEFT's class for questions would leave the type ids out, so its inner model is called."""
        inner = model.base_model if isinstance(model, PeftModel) else model
        return inner(**{name: value for name, value in batch.items() if name in accepted(model)})


def accepted(model: Any) -> frozenset[str]:
    """The inputs that a model takes."""
    whole = model.get_base_model() if isinstance(model, PeftModel) else model
    return frozenset(inspect.signature(whole.forward).parameters)


def chosen(rows: Sequence[Row], most: int, seed: int) -> list[Row]:
    """At most so many rows, drawn by the seed and in their order: files are often sorted by label."""
    if len(rows) <= most:
        return list(rows)
    return [rows[i] for i in sorted(random.Random(seed).sample(range(len(rows)), most))]


def kept_labels(adapter: str, found: list[str]) -> list[str]:
    """The labels that an adapter was trained on, if it says so; new ones are refused when the head is loaded."""
    told = read_json(adapter_folder(adapter) / save.TASK_FILE) or {}
    labels = told.get("labels")
    return list(labels) if isinstance(labels, list) and set(found) <= set(labels) else found
