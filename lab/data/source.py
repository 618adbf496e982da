"""Rows in the lab's own form, and where they came from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data.split import TEST, TRAIN, VALIDATION
from lab.errors import InputError
from lab.presets import presets_dir
from lab.text import N_

_PARTS = {"train": TRAIN, "held_out": VALIDATION, "validation": VALIDATION, "test": TEST}


@dataclass
class Source:
    """Canonical rows (see `lab.data.kinds`) of one kind.

    `read` counts the rows of the source; those in `dropped` (reason -> number) could not become a canonical
    row.
    """

    name: str
    kind: str
    rows: list[dict[str, Any]]
    mapping: dict[str, str]
    read: int
    dropped: Counter[str] = field(default_factory=Counter)


def demo_source() -> Source:
    """The questions that come with the lab. Raises InputError when they have not been built."""
    questions = presets_dir() / "demo" / "questions.jsonl"
    if not questions.is_file():
        raise InputError(
            N_("The demo questions are missing."),
            where="data.source",
            next=N_("Build them with: python -m lab.training.pretrain_demo"),
        )
    rows = [
        {"question": row["question"], "answer": row["answer"], "split": _PARTS[row["split"]]}
        for row in read_jsonl(questions)
    ]
    return Source("demo", "question-answer", rows, {"question": "question", "answer": "answer"}, len(rows))


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file that the lab itself wrote."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
