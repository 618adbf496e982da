"""Which rows are held out: by seed, the same on every machine, and no question on both sides."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lab.data.templates import as_messages

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def assign(rows: Sequence[Mapping[str, Any]], kind: str, *, share: float, seed: int) -> list[str]:
    """The part of each row: train, validation or test.

    A row that names its own part keeps it. If none is named as validation, `share` of the training rows is
    held out. Which ones depends on the seed and on the rows' text only, neither on their order nor on the
    machine's random numbers; rows that ask the same question stay together.
    """
    parts = [str(row.get("split") or TRAIN) for row in rows]
    if VALIDATION in parts or share <= 0:
        return parts
    groups: dict[str, list[int]] = defaultdict(list)
    for index, part in enumerate(parts):
        if part == TRAIN:
            groups[_question(rows[index], kind)].append(index)
    wanted = _wanted(sum(map(len, groups.values())), share)
    for index in _chosen(groups, wanted, seed):
        parts[index] = VALIDATION
    return parts


def _wanted(rows: int, share: float) -> int:
    """How many rows to hold out: at least one of two, and at least one stays for training."""
    return min(max(1, round(rows * share)), rows - 1) if rows > 1 else 0


def _chosen(groups: Mapping[str, Sequence[int]], wanted: int, seed: int) -> list[int]:
    chosen: list[int] = []
    for question in sorted(groups, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest()):
        if len(chosen) + len(groups[question]) <= wanted:
            chosen += groups[question]
    return chosen


def _question(row: Mapping[str, Any], kind: str) -> str:
    if kind == "text":
        return str(row["text"])
    asked = [turn["content"] for turn in as_messages(row, kind) if turn["role"] == "user"]
    return asked[0] if asked else ""
