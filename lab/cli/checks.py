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


def check_run(spec: RunSpec) -> Checked:
    """Check settings, model folder and data, and plan the run. Raises InputError; nothing is changed."""
    specs.check(spec)
    facts = check_model(spec.model.source)
    return Checked(spec, facts, planned(spec, facts, examples=training_rows(spec)))


def planned(spec: RunSpec, facts: ModelFacts, *, examples: int | None) -> dict[str, Any]:
    """The plan of a spec on this machine; without `examples` it goes by `data.examples`, or the embedded
    data.
    """
    device = None if spec.resources.device == "cpu" else machine.gpu_name() or None
    return plan(spec, facts=facts, examples=examples, device=device).as_dict()


def check_model(source: str) -> ModelFacts:
    """The architecture facts of a model whose folder, if it is one, is safe to load. Raises InputError."""
    location = locate(source)
    if location.kind == "folder" and location.path is not None:
        check_folder(location.path)
    return facts_of(source)


def training_rows(spec: RunSpec) -> int | None:
    """How many rows will be trained on; None for data on the Hub, which nobody has read yet, and for `demo`.

    Raises InputError for a file that cannot be used, NotFoundError for a data set that does not exist.
    """
    source = spec.data.source
    if source == "demo" or is_data_on_hub(source):
        return None  # the planner knows the embedded data itself
    if is_id(source):
        return int(registry.dataset(source)["rows"]["train"])
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
    return max(1, rows - round(rows * spec.data.validation_share))


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
