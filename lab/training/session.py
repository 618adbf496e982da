"""The steps of one attempt at a training run, in the order in which the worker takes them."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, set_seed

from lab.errors import LabError
from lab.runs import base
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides
from lab.text import N_
from lab.training import build, comparison, libraries, machine, result, seal, troubles
from lab.training.best import Best
from lab.training.callbacks import Helm, Pulse, Sealer
from lab.training.choices import Choices
from lab.training.generate import BATCH
from lab.training.interrupts import Interrupted
from lab.training.measure import Pace, Stopwatch
from lab.training.memory_watch import MemoryWatch, planned_now
from lab.training.methods.methods import Methods
from lab.training.same_run import check_same, context_of
from lab.training.steps import Course, course
from lab.training.tasks import TaskPlan, plan_for
from lab.training.tensorboard import Board


def fitted(spec: RunSpec, model: PreTrainedModel, events: EventWriter) -> RunSpec:
    """The spec with a maximum length that the model has positions for; a change is noted."""
    limit = build.positions(model)
    if limit is not None and spec.method.name == "prompt-tuning":
        limit -= spec.method.virtual_tokens  # they stand before every example
    if limit is None or spec.data.max_length <= limit:
        return spec
    template = N_("The maximum length is cut from {asked} to the {limit} positions of the model.")
    events.note(template, asked=spec.data.max_length, limit=limit)
    return with_overrides(spec, {"data.max_length": limit})


class Session:
    """Holds what one step of a training hands to the next; every method is one step."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    plan: TaskPlan
    examples: Sequence[Any]
    course: Course
    evaluator: Any
    trainer: Trainer
    best: Best

    def __init__(self, directory: RunDirectory, events: EventWriter, stop: StopFlag, watch: Stopwatch) -> None:
        self.directory, self.events, self.stop, self.watch = directory, events, stop, watch
        self.spec = directory.spec
        self.machine = machine.choose(self.spec.resources)
        self.pace = Pace()
        self.board = Board(directory.tensorboard_path)
        self.ready = self.trained = False  # how far the attempt came: the course is known; the trainer was made
        self.step = self.weights_step = 0  # optimizer steps taken; the step that the weights are of
        self.base: comparison.Record | None = None
        self.tuned: comparison.Record | None = None
        self.data: dict[str, Any] = {}  # the report of the data
        self.trainable: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self.base_s = 0.0  # seconds that the base model's evaluation took in this attempt
        self.attention = ""  # what the training attends with
        self.choices: Choices | None = None
        libraries.quiet()

    def load(self) -> None:
        """The base model and its tokenizer; on a GPU, frozen weights stay in bf16."""
        base.check_base(self.directory)  # first: with another tokenizer the data would seem to be others
        self.plan = plan_for(self.spec, self.directory.path, self.events, self.machine)
        self.tokenizer = self.plan.load_tokenizer()
        self.drawn_from = torch.get_rng_state()  # weights that no file has are drawn
        self.model = self.plan.load_model()
        self._keep_base()
        self.machine = machine.with_threads(self.machine, self.spec.resources, self.model.num_parameters())
        self.plan.machine = self.machine
        self.spec = fitted(self.spec, self.model, self.events)
        self._go_on()

    def tokenise(self) -> None:
        """The examples, and with their number the course of the run."""
        self.plan.encode(self.spec)
        self.data = self.plan.report
        self._go_on()
        self.examples = self.plan.train
        if not self.examples:
            raise troubles.no_rows()
        troubles.tell_too_long(self.events, self.spec, self.data, len(self.examples))
        self.course = course(self.spec, self.plan.items, self.directory.request.get("until_step"))
        self.ready = True
        if not self.plan.has_held_out:
            self.events.note(N_("No row is held out, so nothing is evaluated."), level="warning")
        self.evaluator = self.plan.evaluator(self.board, self.stop)
        self.base = comparison.figures_of(self.directory.review_path, "base")

    def ask_base(self) -> None:
        """Loss and answers of the base model, once in the life of a run."""
        before = self.watch.now()
        self.base = self.evaluator.review(self.model, 0, "base", self.directory.review_path)
        self.base_s = self.watch.now() - before
        self._go_on()

    def ask_base_again(self) -> None:
        """The same after the training, which need not wait for it: of the model loaded once more, as it was then.

        The tuned model is saved by now and makes room.
        """
        del self.trainer, self.model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            base.check_base(self.directory)
        except LabError as error:
            self.events.note(error.template, level="warning", **error.values)
            return
        with machine.random_state_kept():
            torch.set_rng_state(self.drawn_from)
            self.model = self.plan.load_model()
        self.ask_base()

    def train(self) -> None:
        """Train on from the newest sealed checkpoint, if any. Raises Interrupted after sealing a stop."""
        found = seal.newest(self.directory.checkpoints_path)
        context = context_of(self.examples, self.plan.packs, self.course.steps)
        self.best = Best.of_spec(self.spec, self.plan.score, found[1]["context"] if found else {})
        helm = Helm(self.events, self.spec, self.course, self.pace, self.evaluator, self.stop, self.best)
        pulse = Pulse(self.events, self.board, self.spec, self.course, self.pace, self._reviews_s)
        sealer = Sealer(self.events, pulse, helm, self.spec.checkpoints.keep, context)
        set_seed(self.spec.seed)
        methods = Methods(self.spec, self.plan, self.events, self.stop)
        methods.before(self.model)
        watching = [pulse, helm, *methods.callbacks(self.course.steps), sealer]
        parts = (self.course, self.pace, self.directory.checkpoints_path, watching)
        self.trainer = pulse.trainer = helm.trainer = self.plan.trainer(self.model, *parts)
        methods.attach(self.trainer, found[0] if found else None)
        self.trained = True
        self.attention, self.choices = self.trainer.attention_name, self.trainer.choices
        self._watch_memory()
        self.trainable = build.parameters(self.trainer.model)
        self._resume(found, context, pulse)
        self.step = self.weights_step = self.trainer.state.global_step
        self.history = self.trainer.state.log_history
        if helm.stopped:
            raise Interrupted
        self._take_best()

    def _watch_memory(self) -> None:
        """Let the memory that is measured stand beside the planned one soon."""
        if self.choices is not None:
            planned = planned_now(self.spec, self.data, len(self.examples), self.machine, self.choices)
            self.trainer.add_callback(MemoryWatch(self.events, self.machine.device, planned))

    def ask_tuned(self) -> None:
        """Loss and answers of the tuned model, which from here on is exactly what will be saved."""
        self.model = self.trainer.model
        if self.spec.method.whole:
            # Rounded to the format it is stored in, so that the figures are those of the saved weights.
            self.model.to(self._storage()).float()
        self.tuned = self.evaluator.review(self.model, self.weights_step, "tuned", self.directory.review_path)

    def save(self) -> None:
        """The finished adapter or model."""
        if self.spec.method.whole:
            self.model.to(self._storage())
        self.plan.save(self.model, self.directory.final_path)

    def result(self, ended: str) -> dict[str, Any]:
        """What belongs into result.json; nothing comes after it."""
        self.board.close()
        return result.result(self, ended)

    def _reviews_s(self) -> float:
        """Seconds that asking will take after the training, as far as what was asked until now tells."""
        asked = self.spec.evaluation
        batches = math.ceil(max(1, asked.review_prompts) / BATCH) if asked.samples else 1
        once = self.base_s or self.pace.aside_s * batches
        return once * (1 if self.base else 2)

    def _storage(self) -> torch.dtype:
        return build.storage_dtype(self.spec.model.source, self.spec.model.revision)

    def _take_best(self) -> None:
        """Put the weights of the best evaluation in place of the last ones, where the spec asks for it."""
        best = self.best
        if not best.keeps or best.step is None or best.step == self.step:
            return
        folder = seal.folder_of(self.directory.checkpoints_path, best.step)
        if seal.verified(folder) is None:  # a run that went on from a short one has only that one's last checkpoint
            template = N_("The checkpoint of step {step}, the best one, is not here: the last weights are kept.")
            self.events.note(template, level="warning", step=best.step)
            return
        self.trainer.take_up(folder)
        self.weights_step = best.step
        template = N_("The weights of step {step} are kept: their held-out {name} was the best.")
        self.events.note(template, step=best.step, name=best.name)

    def _resume(self, found: tuple[Path, dict[str, Any]] | None, context: dict[str, Any], pulse: Pulse) -> None:
        if found is None:
            self.trainer.train()
            return
        folder, manifest = found
        check_same(manifest["context"], context, self.events)
        pulse.tokens = int(manifest["context"].get("tokens", 0))
        if manifest["step"] >= self.course.until or self.best.over:
            # The Trainer would take one more step before it sees that it is at the end.
            self.trainer.take_up(folder)
        else:
            self.trainer.train(resume_from_checkpoint=str(folder))

    def _keep_base(self) -> None:
        commit = build.commit_of(self.model)
        if not base.kept_base(self.directory):
            base.keep_base(self.directory, commit=commit)
        elif commit:
            base.check_base(self.directory, commit=commit)

    def _go_on(self) -> None:
        if self.stop.requested:
            raise Interrupted
