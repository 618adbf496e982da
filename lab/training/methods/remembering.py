"""The data that a run is not to forget, read as its own data are, and how likely the model finds them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from lab.data.example import IGNORED
from lab.data.features.rows import open_rows
from lab.errors import InputError
from lab.spec import RunSpec, with_overrides
from lab.text import N_
from lab.training.collate import PaddedCollator
from lab.training.methods.consolidation import Likelihood
from lab.training.tasks.labelled import LabelledPlan
from lab.training.tasks.plan import TaskPlan


def examples_of(plan: TaskPlan, spec: RunSpec) -> Sequence[Any]:
    """At most `ewc_rows` training examples of `ewc_data`, drawn by the seed. Raises InputError without any."""
    asked = spec.regularisation
    other = with_overrides(spec, {"data.source": asked.ewc_data, "data.columns": {}, "data.packing": False})
    reader: Any = type(plan)(other, plan.directory / "data" / "remembered", plan.events, plan.machine)
    reader.tokenizer = plan.tokenizer  # type: ignore[attr-defined]  # every plan has one once it is loaded
    if isinstance(plan, LabelledPlan):
        reader.rows = open_rows(other, reader.directory, spec.task)
        reader.labels = plan.labels
        unknown = sorted(set(reader.find_labels()) - set(plan.labels))
        if unknown:
            raise _refused(asked.ewc_data, f"its labels {', '.join(unknown)} are not those of the run")
    reader.encode(other)
    if not reader.train:
        raise _refused(asked.ewc_data, "no row of it can be used")
    chosen = range(len(reader.train))
    if len(chosen) > asked.ewc_rows:
        chosen = sorted(random.Random(spec.seed).sample(chosen, asked.ewc_rows))  # type: ignore[assignment]
    return [reader.train[i] for i in chosen]


def likelihood_of(plan: TaskPlan) -> Likelihood:
    """The negative log-likelihood of one example's labels under a model, and how many labels it has."""
    if isinstance(plan, LabelledPlan):
        return _of_labels(plan)
    return _of_tokens(plan)


def _of_labels(plan: LabelledPlan) -> Likelihood:
    def likelihood(model: torch.nn.Module, item: Any) -> tuple[torch.Tensor, int]:
        batch = {name: value for name, value in plan.collate([item]).items() if name != "task"}
        batch = {name: value.to(plan.machine.device) for name, value in batch.items()}
        labels = batch.pop("labels")
        losses = plan.item_losses(plan.logits(model, batch), labels)
        return losses.sum(), int((labels != IGNORED).sum())

    return likelihood


def _of_tokens(plan: Any) -> Likelihood:
    collate = PaddedCollator(plan.tokenizer.pad_token_id)

    def likelihood(model: torch.nn.Module, example: Any) -> tuple[torch.Tensor, int]:
        batch = collate([{"input_ids": example.input_ids, "labels": example.labels}])
        batch = {name: value.to(plan.machine.device) for name, value in batch.items()}
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch, use_cache=False).logits[:, :-1]
        wanted = labels != IGNORED
        return cross_entropy(logits[wanted].float(), labels[wanted], reduction="sum"), int(wanted.sum())

    return likelihood


def _refused(name: str, why: str) -> InputError:
    return InputError(
        N_("{name} cannot be remembered: {why}."),
        where="regularisation.ewc_data",
        next=N_("Name a data set or a file of the same kind as the run's data."),
        name=name,
        why=why,
    )
