"""Up to four recipes beside each other, field by field, and the settings that a plan can take from one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lab import spec as specs
from lab.catalogue.audit import audit
from lab.catalogue.recipes import Recipe, run_values
from lab.catalogue.search import everything, find
from lab.errors import LabError

MOST = 4

# The same thing under the names that different authors gave it.
SAME_FIELD = {
    "scheduler": "schedule",
    "max_length": "max_seq_length",
    "cutoff_len": "max_seq_length",
    "target_max_len": "max_seq_length",
    "micro_batch": "per_device_batch",
    "targets": "target_modules",
    "target": "target_modules",
    "gradient_clip": "max_grad_norm",
    "sft_learning_rate": "learning_rate",
    "sft_schedule": "schedule",
    "sft_effective_batch": "effective_batch",
    "sft_max_seq_length": "max_seq_length",
    "sft_epochs": "epochs",
    "sft_weight_decay": "weight_decay",
    "sft_loss_mask": "loss_mask",
    "sft_dataset_size": "dataset_size",
}
# Fields whose published or described value is a setting as it stands.
SETTINGS = {
    "learning_rate": "schedule.learning_rate",
    "epochs": "schedule.epochs",
    "total_steps": "schedule.max_steps",
    "warmup_ratio": "schedule.warmup",
    "warmup_steps": "schedule.warmup",
    "schedule": "schedule.scheduler",
    "per_device_batch": "schedule.per_device_batch",
    "gradient_accumulation": "schedule.accumulation",
    "weight_decay": "schedule.weight_decay",
    "max_grad_norm": "schedule.max_grad_norm",
    "max_seq_length": "data.max_length",
    "dataset_size": "data.examples",
    "gpus": "resources.devices",
    "lora_r": "method.rank",
    "lora_alpha": "method.alpha",
    "lora_dropout": "method.dropout",
    "target_modules": "method.target_modules",
}


@dataclass(frozen=True)
class Cell:
    """What one recipe says about one field: the document's, the published and the computed value; None: nothing."""

    described: Any = None
    published: Any = None
    computed: Any = None
    status: str = ""
    unit: str = ""

    @property
    def value(self) -> Any:
        """What counts when two recipes are compared: the computed value, else the published, else the document's."""
        return next((one for one in (self.computed, self.published, self.described) if one is not None), None)


@dataclass(frozen=True)
class Row:
    """One field over all recipes. `computed` tells the rows of the audit from the stated ones."""

    field: str
    cells: tuple[Cell, ...]
    computed: bool = False

    @property
    def stated(self) -> int:
        """How many of the recipes say something about it."""
        return sum(cell.value is not None for cell in self.cells)

    @property
    def differs(self) -> bool:
        """Whether two recipes say something else; a field that only one of them names is no difference."""
        values = [cell.value for cell in self.cells if cell.value is not None]
        return any(value != values[0] for value in values[1:])


def compare(names: Sequence[str]) -> list[Row]:
    """The fields of the recipes with these ids: stated ones first, then what the audit computes.

    Raises NotFoundError for an id that does not exist.
    """
    chosen = [find(name) for name in names]
    stated = [_stated(one) for one in chosen]
    computed = [_computed(one) for one in chosen]
    return [*_rows(stated, False), *_rows(computed, True)]


def nearest(name: str, count: int = 3) -> list[Recipe]:
    """The recipes that are most like this one: same method, task and family, most fields in common."""
    one, fields = find(name), set(_stated(find(name)))

    def unlike(other: Recipe) -> tuple[int, int, str]:
        same = (other.method == one.method) + (other.task == one.task) + (other.family == one.family)
        return -same, -len(fields & set(_stated(other))), other.id

    others = (other for other in everything() if other.id != one.id)
    return sorted(others, key=unlike)[:count]


def plan_values(one: Recipe) -> dict[str, Any]:
    """The settings that a plan can start from: what the lab runs, else what is published or described as one value.

    Ranges and words that no setting can hold are left out.
    """
    if one.run:
        return run_values(one)
    found: dict[str, Any] = {"method.name": one.method}
    for field, cell in _stated(one).items():
        value = cell.published if cell.published is not None else cell.described
        if field in SETTINGS and isinstance(value, int | float | str | list) and SETTINGS[field] not in found:
            found[SETTINGS[field]] = value.lower() if isinstance(value, str) else value
    return {path: value for path, value in found.items() if _possible(path, value)}


def _possible(path: str, value: Any) -> bool:
    try:
        specs.with_overrides(specs.RunSpec(), {path: value})
    except LabError:
        return False
    return True


def _rows(columns: Sequence[dict[str, Cell]], computed: bool) -> Iterator[Row]:
    for field in dict.fromkeys(field for column in columns for field in column):
        yield Row(field, tuple(column.get(field, Cell()) for column in columns), computed)


def _stated(one: Recipe) -> dict[str, Cell]:
    described = {SAME_FIELD.get(name, name): entry.value for name, entry in one.described.items()}
    published = {SAME_FIELD.get(name, name): entry.value for name, entry in one.published.items()}
    names = dict.fromkeys([*described, *published])
    return {name: Cell(described.get(name), published.get(name)) for name in names}


def _computed(one: Recipe) -> dict[str, Cell]:
    return {check.name: Cell(computed=check.computed, status=check.status, unit=check.unit) for check in audit(one)}
