"""The way in for the tasks with labels: a `data.source`, whatever it names, as canonical rows in their parts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.data.features.item import Row
from lab.data.hub import read_hub
from lab.data.names import display_name
from lab.data.opening import dataset_source
from lab.data.options import Options
from lab.data.reading import read
from lab.data.shaping import shape
from lab.data.source import Source
from lab.data.split import TEST, TRAIN, VALIDATION, label_of
from lab.data.steps import run_steps
from lab.data.texts import plain_text
from lab.errors import InputError
from lab.runs import registry
from lab.runs.beforehand import wrong_kind
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import PreparationSpec, RunSpec
from lab.spec.rules.task import KINDS
from lab.text import N_


@dataclass
class TaskRows:
    """The rows of one data set; `read` counts the rows of its source, `dropped` those that are not here.

    `weights` has one entry for each class where the preparation balances them by weights. `dataset` and `version` are
    those of a prepared data set.
    """

    name: str
    kind: str
    read: int
    train: list[Row] = field(default_factory=list)
    validation: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    mapping: dict[str, str] = field(default_factory=dict)
    weights: dict[str, float] | None = None
    dataset: str | None = None
    version: int | None = None

    @property
    def named(self) -> dict[str, Any]:
        """What a report calls the data: `dataset` (id), `name` and `version`; None where it was not prepared."""
        return {"dataset": self.dataset, "name": self.name, "version": self.version}

    @property
    def fingerprint(self) -> str:
        """sha256 of the rows with their parts: the same data gives the same on every machine."""
        digest = hashlib.sha256(self.kind.encode())
        for part, rows in ((TRAIN, self.train), (VALIDATION, self.validation), (TEST, self.test)):
            for row in rows:
                digest.update(f"\n{part} {_digest(row)}".encode())
        return digest.hexdigest()


def open_rows(spec: RunSpec, directory: Path, task: str) -> TaskRows:
    """The rows of a run's data for a task (`classification`, `token-classification`, `extractive-qa`, `preference`).

    The rows of a prepared set stay as they were prepared; those of a file or of the Hub go through the steps, the split
    and the shaping of `spec.preparation`. Raises InputError for a source that cannot be used or holds rows of another
    kind.
    """
    found = _source(spec, directory, task)
    if found.kind not in KINDS[task]:
        raise wrong_kind(task, found.kind, spec.data.source)
    result = TaskRows(
        display_name(found.name), found.kind, found.read, dropped=Counter(found.dropped), mapping=found.mapping
    )
    used = registry.used_version(spec.data.source) or {}
    result.dataset, result.version = used.get("dataset"), used.get("version")
    options = _options(spec, found)
    rows = found.rows if is_id(spec.data.source) else _cleaned(found, options, result.dropped)
    shaped = shape(rows, found.kind, options, _never_stopped, look_for_leaks=False)
    result.dropped.update(shaped.dropped)
    result.weights = _weights_of(spec.data.source) or shaped.weights
    for row, part in shaped.rows:
        {TRAIN: result.train, VALIDATION: result.validation, TEST: result.test}[part].append(row)
    if not result.train:
        raise InputError(
            N_("No row of {name} is left to train on ({reasons})."),
            where="data.source",
            allowed=N_("At least one row that fits and has an answer."),
            next=N_("Check which column plays which role, and that the answers are not empty."),
            name=found.name,
            reasons=", ".join(f"{reason}: {count}" for reason, count in result.dropped.items()) or "-",
        )
    return result


def _options(spec: RunSpec, found: Source) -> Options:
    """How the rows are split and shaped: labels keep their shares unless the split is asked for otherwise.

    What a preparation has done already is not done a second time.
    """
    options = Options.of_spec(spec)
    how = PreparationSpec() if is_id(spec.data.source) else spec.preparation
    if how.split_by == "random" and found.rows and label_of(found.rows[0], found.kind) is not None:
        how = how.model_copy(update={"split_by": "stratified"})
    return replace(options, preparation=how)


def _cleaned(found: Source, options: Options, dropped: Counter[str]) -> list[Row]:
    rows, reports = run_steps(
        found.rows, found.kind, options.preparation, text_of=lambda row: plain_text(row, found.kind)
    )
    for report in reports:
        dropped.update(report.dropped)
    return rows


def _weights_of(source: str) -> dict[str, float] | None:
    return registry.dataset(source).get("weights") if is_id(source) else None


def _never_stopped() -> None:
    """A training reads its rows in one go."""


def _source(spec: RunSpec, directory: Path, task: str) -> Source:
    name, options = spec.data.source, replace(Options.of_spec(spec), kind=task)
    if is_id(name):
        return dataset_source(name)
    out = directory / "data"
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_data_on_hub(name):
        return read_hub(name, options, out).source
    return read(Path(name).expanduser(), options, out).source


def _digest(row: Row) -> str:
    content = {name: value for name, value in row.items() if name != "split"}
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
