"""Several tasks on one body: each has a head of its own, each batch holds rows of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Sampler
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed

from lab.data.features.item import Item
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, with_overrides
from lab.training import save
from lab.training.choices import Choices
from lab.training.measure import Pace
from lab.training.methods import quantised
from lab.training.steps import Course
from lab.training.tasks.adapters import inject_adapter, merged
from lab.training.tasks.evaluator import TaskEvaluator
from lab.training.tasks.labelled import USED, LabelledPlan
from lab.training.tasks.plan import TaskPlan
from lab.training.tasks.sampling import batches_of_one_task, shares
from lab.training.tasks.speed import task_choices
from lab.training.tasks.trainer import TaskTrainer
from lab.training.tensorboard import Board

WEIGHTS = "model.safetensors"


class Shared(torch.nn.Module):
    """Models of several tasks that have one body: a change for one is a change for all."""

    def __init__(self, models: Mapping[str, PreTrainedModel]) -> None:
        super().__init__()
        first = body_of(models)
        for model in models.values():
            setattr(model, model.base_model_prefix, first)
        self.tasks = torch.nn.ModuleDict(models)

    @property
    def config(self) -> Any:
        """The config of the body."""
        return next(iter(self.tasks.values())).config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def num_parameters(self) -> int:
        """Values in body and heads, each counted once."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, task: str, **batch: torch.Tensor) -> Any:
        """One pass of the model of a task."""
        return self.tasks[task](**batch)

    def weights(self) -> dict[str, torch.Tensor]:
        """Every weight under one name; of a quantized body, which never changes, only what is trained beside it."""
        kept = self.named_parameters()
        if quantised.is_quantised(self):
            kept = ((name, weight) for name, weight in kept if weight.requires_grad)
        return {name: weight.detach().contiguous() for name, weight in kept}


def body_of(models: Any) -> torch.nn.Module:
    """The body with the most weights: BERT's for classes has a pooler, which the other tasks do not read."""
    bodies: list[torch.nn.Module] = [getattr(model, model.base_model_prefix) for model in models.values()]
    return max(bodies, key=lambda body: sum(weight.numel() for weight in body.parameters()))


class MultiTaskPlan(TaskPlan):
    """The task `multi-task`: one plan of another kind for each data set in `tasks.sources`."""

    score = "score"
    tokenizer: PreTrainedTokenizerBase
    parts: dict[str, LabelledPlan]
    choices: Choices

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        from lab.training.tasks import plan_for

        self.parts = {}
        for name, source in self.spec.tasks.sources.items():
            part = plan_for(self._spec_of(self.spec, name, source), self._folder(name), self.events, self.machine)
            if not isinstance(part, LabelledPlan):
                raise ValueError(f"{name} is no task with labels")  # the rules of the spec allow no other
            self.parts[name] = part
            self.tokenizer = part.load_tokenizer()
        return self.tokenizer

    def load_model(self) -> Any:
        models, self.choices = {}, task_choices(self.spec, self.machine, USED)
        for name, part in self.parts.items():
            part.choices = self.choices
            part.read_rows()
            models[name] = part.headed_model()
        new = {f"tasks.{name}.{layer}" for name, part in self.parts.items() for layer in part.new_layers}
        shared = Shared(models).eval()
        if self.spec.method.adapts:
            set_seed(self.spec.seed)
            inject_adapter(shared, body_of(models), self.spec.method, new)
        return shared

    def encode(self, spec: RunSpec) -> None:
        self.spec, train = spec, []
        for name, part in self.parts.items():
            part.encode(self._spec_of(spec, name, spec.tasks.sources[name]))
            part.train = [_of_task(item, name) for item in part.train]
            part.held_out_items = [_of_task(item, name) for item in part.held_out_items]
            train += part.train
        self.train = train
        reports = {name: part.report for name, part in self.parts.items()}
        rows = [report["rows"] for report in reports.values()]
        self.report = {
            "kind": "multi-task",
            "fingerprint": ",".join(report["fingerprint"] for report in reports.values()),
            "rows": {name: sum(row[name] for row in rows) for name in rows[0]},
            "tasks": reports,
        }

    @property
    def has_held_out(self) -> bool:
        return any(part.has_held_out for part in self.parts.values())

    def evaluator(self, board: Board, stop: StopFlag) -> TaskEvaluator:
        return TaskEvaluator(self, self.parts, board, stop)

    def trainer(
        self, model: Any, course: Course, pace: Pace, checkpoints: Path, callbacks: list[TrainerCallback]
    ) -> SharedTrainer:
        return SharedTrainer(self, model, course, pace, checkpoints, callbacks)

    def load_final(self, model: Any, final: Path) -> Any:
        options = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
        found = {name: part.auto_class.from_pretrained(final / name, **options) for name, part in self.parts.items()}
        return Shared(found).to(self.machine.device).eval()

    def save(self, model: Shared, final: Path) -> None:
        labels = {name: part.labels for name, part in self.parts.items()}
        told = {"task": "multi-task", "kinds": self.spec.tasks.kinds, "labels": labels}
        merged(body_of(model.tasks))
        for one in model.tasks.values():  # layers without an adapter, and what the config says of their bits
            quantised.dequantise(one, torch.float32, self.machine.device)
        save.save_shared(dict(model.tasks.items()), self.tokenizer, final, told)

    @property
    def collate(self) -> Any:
        """What makes a batch of items, all of one task."""

        def collated(items: Sequence[Item]) -> dict[str, Any]:
            return self.parts[items[0].task].collate(items)

        return collated

    def loss(self, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of the losses of a batch, and how many labels it has."""
        return self.parts[batch["task"]].loss(model.tasks[batch["task"]], batch)

    def _spec_of(self, spec: RunSpec, name: str, source: str) -> RunSpec:
        return with_overrides(spec, {"task": spec.tasks.kinds[name], "data.source": source})

    def _folder(self, name: str) -> Path:
        return self.directory / "data" / name


class TaskSampler(Sampler[int]):
    """Indices in which every batch is of one task; the same for one seed and epoch."""

    def __init__(self, items: Sequence[Item], batch: int, temperature: float, seed: int) -> None:
        self.tasks: dict[str, list[int]] = {}
        for index, item in enumerate(items):
            self.tasks.setdefault(item.task, []).append(index)
        self.batch, self.seed, self.epoch = batch, seed, 0
        counts = {name: len(indices) for name, indices in self.tasks.items()}
        self.batches = shares(counts, batch, temperature)

    def __len__(self) -> int:
        return sum(self.batches.values()) * self.batch

    def __iter__(self) -> Iterator[int]:
        yield from batches_of_one_task(self.tasks, self.batches, self.batch, f"{self.seed}:{self.epoch}")

    def set_epoch(self, epoch: int) -> None:
        """Another order for another epoch."""
        self.epoch = epoch


class SharedTrainer(TaskTrainer):
    """The Trainer of several tasks; each batch counts alike, whatever the number of its labels."""

    over_labels = False

    @property
    def body(self) -> Any:
        """The body of all tasks, whose config says what they attend with."""
        return body_of(self.model.tasks)

    def _get_train_sampler(self, train_dataset: Any = None) -> TaskSampler:
        spec = self.plan.spec
        heat = spec.tasks.temperature if spec.tasks.sampling == "temperature" else 1.0
        return TaskSampler(self.plan.train, spec.schedule.per_device_batch, heat, spec.seed)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(str(output_dir or self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.model.weights(), folder / WEIGHTS)
        self.processing_class.save_pretrained(str(folder))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        target = model or self.model
        sealed = load_file(str(Path(resume_from_checkpoint) / WEIGHTS))
        with torch.no_grad():
            own = dict(target.named_parameters())
            for name, weight in sealed.items():
                own[name].copy_(weight)


def _of_task(item: Item, task: str) -> Item:
    return Item(item.input_ids, item.labels, item.row, item.type_ids, item.places, task)
