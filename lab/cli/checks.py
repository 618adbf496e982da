"""Everything that can be known to be wrong before a run is queued."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import spec as specs
from lab.cli import machine
from lab.errors import InputError
from lab.models.facts import ModelFacts, facts_of
from lab.models.location import locate
from lab.models.safety import check_folder
from lab.planning import plan
from lab.runs import registry
from lab.runs.child import ask
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec
from lab.text import N_

# The kinds of rows that a causal language model learns from.
TRAINABLE = ("instruction", "question-answer", "prompt-completion", "messages", "text")


@dataclass(frozen=True)
class Checked:
    """A spec that can run, the facts of its model, and its plan as `plan --json` prints it."""

    spec: RunSpec
    facts: ModelFacts
    plan: dict[str, Any]


@dataclass(frozen=True)
class DataFacts:
    """Training rows and their mean and longest length in tokens, as far as they are known already."""

    examples: int | None = None
    mean_tokens: float | None = None
    longest_tokens: int | None = None


def check_run(spec: RunSpec) -> Checked:
    """Check settings, model folder and data, and plan the run. Raises InputError; nothing is changed."""
    specs.check(spec)
    facts = check_model(spec.model.source)
    return Checked(spec, facts, planned(spec, facts, data_facts(spec)))


def planned(spec: RunSpec, facts: ModelFacts, data: DataFacts) -> dict[str, Any]:
    """The plan of a spec on this machine."""
    device = None if spec.resources.device == "cpu" else machine.gpu_name() or None
    return plan(
        spec,
        facts=facts,
        device=device,
        examples=data.examples,
        mean_tokens=data.mean_tokens,
        longest_tokens=data.longest_tokens,
    ).as_dict()


def check_model(source: str) -> ModelFacts:
    """The architecture facts of a model whose folder, if it is one, is safe to load. Raises InputError."""
    location = locate(source)
    if location.kind == "folder" and location.path is not None:
        check_folder(location.path)
    return facts_of(source)


def data_facts(spec: RunSpec) -> DataFacts:
    """What is known about the data: nothing when it is on the Hub, or `demo`, which the planner knows.

    Raises InputError for a file that cannot be used, NotFoundError for a data set that does not exist.
    """
    source = spec.data.source
    if source == "demo" or is_data_on_hub(source):
        return DataFacts()
    if is_id(source):
        record = registry.dataset(source)
        tokens = record.get("tokens") or {}
        return DataFacts(record["rows"]["train"], tokens.get("mean"), tokens.get("max"))
    report = inspect(source)
    kind = report.get("kind")
    if kind not in TRAINABLE and not spec.data.columns:
        raise InputError(
            N_("A causal language model cannot learn from rows of the kind {kind}."),
            where=source,
            allowed=N_("Allowed: {kinds}."),
            next=N_("Name the columns with --set data.columns=prompt:COLUMN,completion:COLUMN."),
            kind=kind,
            kinds=", ".join(TRAINABLE),
        )
    rows = int(report["rows"])
    return DataFacts(max(1, rows - round(rows * spec.data.validation_share)))


def inspect(path: str) -> dict[str, Any]:
    """What a throw-away process finds in a data file. Raises InputError for a file that cannot be used."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(
            N_("There is no file {path}."),
            where="data.source",
            next=N_("Write a file (CSV, JSON, JSONL), a prepared data set's id, a Hub id, or `demo`."),
            path=path,
        )
    return ask("lab.data.child", {"do": "inspect", "path": str(file.absolute())})
