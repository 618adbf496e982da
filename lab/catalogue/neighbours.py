"""The recipes and published runs that are nearest to a setup: by method, size and task."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lab.catalogue.doctor_parts import Case
from lab.catalogue.recipes import Recipe, comparators, recipes

SHOWN = ("learning_rate", "effective_batch", "epochs", "warmup_ratio", "max_seq_length", "lora_r")
LORA = ("lora", "qlora")
ALIKE = {"sft_learning_rate": "learning_rate", "sft_epochs": "epochs"}


@dataclass(frozen=True)
class Neighbour:
    """A recipe or published run: how far it is (0: same method, task and size), and its numbers with their origin.

    `size_ratio` is its number of parameters divided by the setup's, None where one is not known. `values` maps a
    name to {"value", "source", "published"}.
    """

    id: str
    name: str
    is_recipe: bool
    method: str
    task: str
    parameters: int | None
    size_ratio: float | None
    distance: float
    values: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """The neighbour as `--json` prints it."""
        return dict(self.__dict__)


def nearest(case: Case, *, count: int = 4) -> list[Neighbour]:
    """The nearest entries of the catalogue that have a learning rate to compare with."""
    entries = [(entry, True) for entry in recipes()] + [(entry, False) for entry in comparators()]
    found = [_neighbour(case, entry, is_recipe) for entry, is_recipe in entries]
    usable = [neighbour for neighbour in found if "learning_rate" in neighbour.values]
    return sorted(usable, key=lambda neighbour: (neighbour.distance, neighbour.id))[:count]


def _neighbour(case: Case, entry: Recipe, is_recipe: bool) -> Neighbour:
    fact = entry.facts.get("parameters")
    size = fact.value if fact is not None and isinstance(fact.value, int) else None
    ratio = size / case.facts.parameters if size and case.facts.parameters else None
    distance = _of_method(case, entry) + (2.0 if entry.task != case.spec.task else 0.0)
    # A factor of ten in size counts as much as another method; an unknown size a little less.
    distance += abs(math.log10(ratio)) if ratio else 0.8
    return Neighbour(entry.id, entry.name, is_recipe, entry.method, entry.task, size, ratio, round(distance, 3),
                     _values(entry))  # fmt: skip


def _of_method(case: Case, entry: Recipe) -> float:
    ours = case.spec.method.name
    if entry.method == ours:
        return 0.0
    if entry.method in LORA and ours in LORA:
        return 0.1
    return 0.5 if entry.method == "any" else 1.0


def _values(entry: Recipe) -> dict[str, dict[str, Any]]:
    """Published values before described ones."""
    values: dict[str, dict[str, Any]] = {}
    for name, described in entry.described.items():
        if name in SHOWN:
            values[name] = {"value": described.value, "source": described.line, "published": False}
    for name, published in entry.published.items():
        shown = ALIKE.get(name, name)
        if shown in SHOWN and published.value is not None:
            values[shown] = {"value": published.value, "source": published.source, "published": True}
    return values
