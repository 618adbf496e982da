"""Which rows are held out: by seed, the same on every machine, and no question on both sides."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lab.data.templates import as_messages
from lab.errors import InputError
from lab.planning.arithmetic import held_out_rows
from lab.text import N_

TRAIN, VALIDATION, TEST = "train", "validation", "test"
Row = Mapping[str, Any]
_ASKED = {"text": "text", "classification": "text", "extractive-qa": "context"}


def assign(
    rows: Sequence[Row],
    kind: str,
    *,
    share: float,
    seed: int,
    test_share: float = 0.0,
    by: str = "random",
    group_column: str = "",
) -> list[str]:
    """The part of each row: train, validation or test.

    A row that names its own part keeps it. If none is named as validation, `share` of the training rows is held out,
    rounded up as scikit-learn's train_test_split does, and the same for test with `test_share`. Which ones
    depends on the seed and on the rows' text only, neither on their order nor on the machine's random
    numbers; rows that ask the same question stay together. `by` is random, stratified (every label keeps its share,
    and a label with one row is trained on) or group (equal values of the column stay together). Raises InputError for
    rows without labels or groups.
    """
    parts = [str(row.get("split") or TRAIN) for row in rows]
    free = [index for index, part in enumerate(parts) if part == TRAIN]
    held_out = [
        (VALIDATION, 0 if VALIDATION in parts else held_out_rows(len(free), share)),
        (TEST, 0 if TEST in parts else held_out_rows(len(free), test_share)),
    ]
    strata = _strata(rows, kind, free, by, group_column) if any(wanted for _, wanted in held_out) else {}
    for part, wanted in held_out:
        free_rows = sum(len(group) for groups in strata.values() for group in groups.values())
        quotas = _quotas(strata, min(wanted, max(0, free_rows - 1)))
        for label, groups in strata.items():
            for key in _chosen(groups, quotas[label], seed, whole=by == "group"):
                for index in groups.pop(key):
                    parts[index] = part
    return parts


def label_of(row: Row, kind: str) -> str | None:
    """What is kept in proportion by a stratified split: class, sorts of entities, or whether there is an answer."""
    if kind == "classification":
        return str(row["label"])
    if kind == "token-classification":
        return " ".join(sorted({tag[2:] for tag in row["tags"] if tag != "O"}))
    if kind == "extractive-qa":
        return "answered" if row["answers"] else "impossible"
    return str(row["desired"]) if kind == "preference" and "desired" in row else None


def question_of(row: Row, kind: str) -> str:
    """What a row asks or is about; rows of equal question never stand on two sides."""
    if kind in _ASKED:
        return str(row[_ASKED[kind]])
    if kind == "token-classification":
        return " ".join(row["tokens"])
    if kind == "preference":
        turns = row["prompt"]
    else:
        turns = as_messages(row, kind)
    if isinstance(turns, str):
        return turns
    asked = [turn["content"] for turn in turns if turn["role"] == "user"]
    return str(asked[0]) if asked else ""


Groups = dict[str, list[int]]


def _strata(rows: Sequence[Row], kind: str, free: Sequence[int], by: str, column: str) -> dict[str, Groups]:
    """Label -> key -> the rows that stay together; one empty label unless the split is stratified."""
    groups: Groups = defaultdict(list)
    for index in free:
        key = _group(rows[index], column) if by == "group" else ""
        groups[key or question_of(rows[index], kind)].append(index)
    if by == "group" and column and not any(_group(rows[index], column) for index in free):
        raise InputError(
            N_("No row has a value in the column {column}, by which the rows are to be split."),
            where="preparation.group_column",
            allowed=N_("A column of the data that has values."),
            next=N_("Name a column of the data whose values are filled, or split by random."),
            column=column,
        )
    strata: dict[str, Groups] = defaultdict(dict)
    for key in sorted(groups):
        labels = [label_of(rows[index], kind) for index in groups[key]] if by == "stratified" else [""]
        if labels[0] is None:
            raise InputError(
                N_("Rows of the kind {kind} have no label that a stratified split could keep in proportion."),
                where="preparation.split_by",
                allowed=N_("Allowed for these rows: random, group."),
                next=N_("Split by random or by group."),
                kind=kind,
            )
        strata[min(str(label) for label in labels)][key] = groups[key]
    return {label: strata[label] for label in sorted(strata)}


def _group(row: Row, column: str) -> str:
    """The row's group: `group`, where a reader keeps the value of the chosen column, or a field of the row itself."""
    value = row.get("group", row.get(column))
    return "" if value is None else str(value)


def _quotas(strata: Mapping[str, Groups], wanted: int) -> dict[str, int]:
    """How many rows each label gives, by largest remainders; every label keeps at least one row for training."""
    sizes = {label: sum(map(len, groups.values())) for label, groups in strata.items()}
    total = sum(sizes.values())
    exact = {label: wanted * size / total for label, size in sizes.items() if size}
    quotas = {label: min(math.floor(exact.get(label, 0)), max(0, size - 1)) for label, size in sizes.items()}
    while sum(quotas.values()) < wanted:
        open_labels = [label for label, size in sizes.items() if quotas[label] < size - 1]
        if not open_labels:
            break
        quotas[max(open_labels, key=lambda label: (exact[label] - quotas[label], label))] += 1
    return quotas


def _chosen(groups: Groups, wanted: int, seed: int, *, whole: bool) -> list[str]:
    chosen: list[str] = []
    rows = 0
    for key in sorted(groups, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest()):
        if rows + len(groups[key]) <= wanted:
            chosen.append(key)
            rows += len(groups[key])
    if whole and wanted and not chosen and len(groups) > 1:  # every group is larger than the share
        return [min(groups, key=lambda key: (len(groups[key]), key))]
    return chosen
