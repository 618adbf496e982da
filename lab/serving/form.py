"""In which form a run's model was taught to be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.data.templates import choose
from lab.data.tokenizer import Tokenizer
from lab.json_io import read_json
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id
from lab.runs.registry import dataset


def form_of(source: RunDirectory, tokenizer: Tokenizer, work: Path) -> tuple[str, str]:
    """Template and kind of the rows that a run was trained on.

    As the run or its data set tells; else the data are opened again, with scratch files in `work`.
    """
    told = (source.result or {}).get("data") or {}
    kind = told.get("kind") or _known_kind(source)
    if kind is None:
        told = _opened(source, tokenizer, work)
        kind = told["kind"]
    return str(told.get("template") or choose(source.spec.data.template, str(kind), tokenizer)), str(kind)


def _known_kind(source: RunDirectory) -> str | None:
    name = source.spec.data.source
    if name == "demo":
        return "question-answer"
    if is_id(name):
        return str(dataset(name)["kind"])
    record = read_json(source.path / "data" / "dataset.json") or {}  # of a file that was prepared for this run
    return record.get("kind")


def _opened(source: RunDirectory, tokenizer: Tokenizer, work: Path) -> dict[str, Any]:
    from lab.data.opening import open_data

    return open_data(source.spec, work, tokenizer=tokenizer).report
