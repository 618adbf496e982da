"""The way in for the tasks with labels: a `data.source`, whatever it names, as canonical rows in their parts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.data.features.item import Row
from lab.data.hub import read_hub
from lab.data.opening import dataset_source
from lab.data.options import Options
from lab.data.reading import read
from lab.data.rendered import DUPLICATE, EMPTY_TEXT
from lab.data.source import Source
from lab.data.split import TEST, TRAIN, VALIDATION, assign, label_of
from lab.errors import InputError
from lab.runs.beforehand import wrong_kind
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec
from lab.spec.rules.task import KINDS
from lab.text import N_

_ASKED = {
    "classification": "text",
    "token-classification": "tokens",
    "extractive-qa": "context",
    "preference": "prompt",
}


@dataclass
class TaskRows:
    """The rows of one data set; `read` counts the rows of its source, `dropped` those that are not here."""

    name: str
    kind: str
    read: int
    train: list[Row] = field(default_factory=list)
    validation: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    mapping: dict[str, str] = field(default_factory=dict)

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

    Rows without their text and repeated rows are dropped; without validation rows of its own a share of the
    training rows is held out. Raises InputError for a source that cannot be used or holds rows of another kind.
    """
    found = _source(spec, directory, task)
    if found.kind not in KINDS[task]:
        raise wrong_kind(task, found.kind, spec.data.source)
    result = TaskRows(found.name, found.kind, found.read, dropped=Counter(found.dropped), mapping=found.mapping)
    rows = _clean(found.rows, found.kind, result.dropped)
    parts = _parts(rows, found.kind, spec)
    for row, part in zip(rows, parts, strict=True):
        {TRAIN: result.train, VALIDATION: result.validation, TEST: result.test}[part].append(row)
    if not result.train:
        raise InputError(
            N_("No row of {name} is left to train on ({reasons})."),
            where="data.source",
            next=N_("Check which column plays which role, and that the answers are not empty."),
            name=found.name,
            reasons=", ".join(f"{reason}: {count}" for reason, count in result.dropped.items()) or "-",
        )
    return result


def _source(spec: RunSpec, directory: Path, task: str) -> Source:
    name, options = spec.data.source, replace(Options.of_spec(spec), kind=task)
    if is_id(name):
        return dataset_source(name)
    out = directory / "data"
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_data_on_hub(name):
        return read_hub(name, options, out).source
    return read(Path(name).expanduser(), options, out).source


def _clean(rows: Sequence[Row], kind: str, dropped: Counter[str]) -> list[Row]:
    kept, seen = [], set()
    for row in rows:
        key = _digest(row)
        if not row.get(_ASKED[kind]):
            dropped[EMPTY_TEXT] += 1
        elif key in seen:
            dropped[DUPLICATE] += 1
        else:
            seen.add(key)
            kept.append(row)
    return kept


def _parts(rows: Sequence[Row], kind: str, spec: RunSpec) -> list[str]:
    """The part of each row: its own, else a share held out, in which labels keep their shares."""
    by = "stratified" if rows and label_of(rows[0], kind) is not None else "random"
    return assign(rows, kind, share=spec.data.validation_share, seed=spec.seed, by=by)


def _digest(row: Row) -> str:
    content = {name: value for name, value in row.items() if name != "split"}
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
