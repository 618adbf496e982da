"""Causal language models: prompts and answers, with the loss on the answers' tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from lab.data.example import Example
from lab.data.examples import Examples
from lab.data.opening import open_data
from lab.models.location import locate
from lab.planning.packing import pack
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.text import N_
from lab.training import build, probe, save
from lab.training.choices import Choices, choose
from lab.training.evaluate import Evaluator
from lab.training.measure import Pace
from lab.training.methods.adapters import adapt, lora_config, prompt_config
from lab.training.steps import Course
from lab.training.tasks.adapters import loaded_adapter
from lab.training.tasks.plan import TaskPlan
from lab.training.tensorboard import Board
from lab.training.trainer import LabTrainer, arguments, dataset


class CausalPlan(TaskPlan):
    """The task `causal-lm`."""

    tokenizer: PreTrainedTokenizerBase
    held_out: Sequence[Example]

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        self.tokenizer = build.load_tokenizer(self.spec.model.source, self.spec.model.revision)
        return self.tokenizer

    def load_model(self) -> PreTrainedModel:
        source, method = self.spec.model, self.spec.method
        dtype = self.machine.frozen_dtype if not method.whole else torch.float32
        options = {"revision": source.revision, "device": self.machine.device, "dtype": dtype, "rounded": source}
        model = build.load_base(source.source, **options)
        if self.spec.data.packing:  # said here, before anything is made of the data
            probe.decide(model, self.spec.data.max_length, Choices(packed=True))
        return loaded_adapter(model, method.adapter, source.source) if method.adapter else model

    def encode(self, spec: RunSpec) -> None:
        self.spec = spec
        data = open_data(spec, self.directory, self.events, tokenizer=self.tokenizer)
        self.report = data.report
        self.train = data.train.taught() if isinstance(data.train, Examples) else data.train
        self.held_out = data.validation
        if spec.data.packing and self.train:
            self._pack(dataset(self.train).lengths, spec.data.max_length)

    def _pack(self, lengths: Sequence[int], budget: int) -> None:
        """The packs of this run, which follow from the lengths alone, so that a resumed run has the same."""
        self.packs = pack(lengths, budget)
        self.filled = sum(lengths) / (budget * len(self.packs))
        template = N_("{examples} examples go into {packs} packs of {length} tokens; {filled:.1%} of them are filled.")
        sizes = {"examples": len(lengths), "packs": len(self.packs), "length": budget}
        self.events.note(template, filled=self.filled, **sizes)  # type: ignore[arg-type]  # values of the sentence

    @property
    def has_held_out(self) -> bool:
        return bool(self.held_out)

    def evaluator(self, board: Board, stop: StopFlag) -> Evaluator:
        asked = self.spec.evaluation
        most = max(asked.max_examples, asked.review_prompts, asked.samples)  # more is never looked at
        return Evaluator(self.spec, self.held_out[:most], self.tokenizer, self.machine, self.events, board, stop)

    def trainer(
        self, model: PreTrainedModel, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> LabTrainer:
        spec, choices = self.spec, choose(self.spec, self.machine)
        return LabTrainer(
            model,
            arguments(spec, course, self.machine, checkpoints),
            dataset(self.train, self.packs),
            self.tokenizer,
            self.machine,
            pace,
            adapt=None if spec.method.whole or isinstance(model, PeftModel) else self.adapted,
            callbacks=callbacks,
            max_length=spec.data.max_length,
            choices=choices,
        )

    def adapted(self, model: PreTrainedModel) -> PeftModel:
        """The model with a new adapter. Raises InputError for target modules or a rank that do not suit."""
        method, source = self.spec.method, self.spec.model
        if method.name == "prompt-tuning":
            return adapt(model, prompt_config(method, self.tokenizer, locate(source.source).load_from), self.spec)
        if isinstance(method.target_modules, list):
            build.check_targets(method.target_modules, model)
        return adapt(model, lora_config(method, model, method.target_modules, task_type="CAUSAL_LM"), self.spec)

    def save(self, model: PreTrainedModel, final: Path) -> None:
        source = self.spec.model
        save.save_final(model, self.tokenizer, source.source, final, self.events, revision=source.revision)
